// The history of a directory: for every file the changes of its bytes, for every name what was done to it, and what was flushed
// when. From it the states are built that a power cut may leave (disk-states.ts).
//
//     file     write ─ write ─ resize ─ sync ─ write …      a change ended before a sync of its file began: durable once that ended
//     names    create a ─ rename a→b ─ sync of the directory   the same, for the directories whose names it changes
//
// Files are told by what stands behind a name (an inode), not by the name. What must never happen here: a history that does not
// give the directory as it is: whoever records one compares the whole of it with the disk.

import { readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { DiskCall } from './disk-calls.ts'

/** Lines of the trace. A call happened somewhere between them. */
export interface Span {
  readonly beginsAt: number
  readonly endsAt: number
}

export type Change = Span & ({ readonly at: number; readonly bytes: Buffer } | { readonly size: number })

/** What a directory's names refer to. */
export class FileNode {
  readonly changes: Change[] = []
  readonly syncs: Span[] = []
  /** Written through memory, which no trace sees: its bytes are anybody's guess. */
  isMapped = false

  /** As processes see it now. */
  content(): Buffer {
    return contentOf(this.changes)
  }
}

export class DirectoryNode {
  readonly syncs: Span[] = []
}

export type Node = FileNode | DirectoryNode

/** A name in a directory. */
export interface Place {
  readonly directory: DirectoryNode
  readonly name: string
}

/** `from` stands for the node no more, `to` does; one step, whatever it touches. */
export type NameChange = Span & { readonly node: Node; readonly from: Place | null; readonly to: Place | null }

/** Happened before anything that is told. */
const BEFORE: Span = { beginsAt: -2, endsAt: -2 }

interface Descriptor {
  readonly node: Node
  at: number
}

export class RecordedDisk {
  readonly root = new DirectoryNode()
  readonly nameChanges: NameChange[] = []
  /** Every call that changed something, for whoever chooses a moment; with the path of that time. */
  readonly moments: { readonly path: string; readonly kind: DiskCall['kind']; readonly beginsAt: number }[] = []
  private readonly live = new Map<DirectoryNode, Map<string, Node>>([[this.root, new Map()]])
  private readonly forgotten: RegExp | null
  private readonly descriptors = new Map<number, Descriptor>()

  /** `initial`: a directory as it was, all of it on disk. `forgotten`: what was flushed of these paths was not. */
  constructor(calls: readonly DiskCall[], initial: string | null = null, forgotten: RegExp | null = null) {
    this.forgotten = forgotten
    if (initial !== null) this.load(initial, this.root)
    for (const call of calls) this.take(call)
  }

  private load(path: string, directory: DirectoryNode): void {
    for (const name of readdirSync(path)) {
      const inner = join(path, name)
      const isDirectory = statSync(inner).isDirectory()
      const node = isDirectory ? new DirectoryNode() : new FileNode()
      node.syncs.push({ beginsAt: -1, endsAt: -1 })
      if (node instanceof FileNode) node.changes.push({ ...BEFORE, at: 0, bytes: readFileSync(inner) })
      this.change({ ...BEFORE, node, from: null, to: { directory, name } })
      if (node instanceof DirectoryNode) this.load(inner, node)
    }
    directory.syncs.push({ beginsAt: -1, endsAt: -1 })
  }

  private take(call: DiskCall): void {
    const { beginsAt, endsAt } = call
    const span = { beginsAt, endsAt }
    switch (call.kind) {
      case 'open':
        this.open(call, span)
        return
      case 'seek':
        this.descriptor(call).at = call.at
        return
      case 'write': {
        const descriptor = this.descriptor(call)
        const at = call.at ?? descriptor.at
        if (call.at === null) descriptor.at = at + call.bytes.length
        this.changeFile(descriptor.node, { ...span, at, bytes: call.bytes }, call)
        return
      }
      case 'resize':
        this.changeFile(this.descriptor(call).node, { ...span, size: call.size }, call)
        return
      case 'copy': {
        const source = this.nodeAt(call.from)
        if (!(source instanceof FileNode)) throw new Error(`${call.from} is copied and is no file`)
        const descriptor = this.descriptor(call)
        const bytes = source.content().subarray(call.at, call.at + call.length)
        this.changeFile(descriptor.node, { ...span, at: descriptor.at, bytes }, call)
        descriptor.at += call.length
        return
      }
      case 'map':
        this.file(this.descriptor(call).node).isMapped = true
        return
      case 'sync':
        this.sync(this.descriptor(call).node, span)
        return
      case 'link':
      case 'rename': {
        const node = this.existing(call.from)
        const from = call.kind === 'rename' ? this.place(call.from) : null
        if (node instanceof DirectoryNode) throw new Error(`${call.from} is a directory, and is given another name`)
        this.change({ ...span, node, from, to: this.place(call.to) })
        this.moments.push({ path: call.to, kind: call.kind, beginsAt })
        return
      }
      case 'unlink':
      case 'rmdir':
        this.change({ ...span, node: this.existing(call.path), from: this.place(call.path), to: null })
        this.moments.push({ path: call.path, kind: call.kind, beginsAt })
        return
      case 'mkdir':
        this.change({ ...span, node: new DirectoryNode(), from: null, to: this.place(call.path) })
        this.moments.push({ path: call.path, kind: call.kind, beginsAt })
    }
  }

  private sync(node: Node, span: Span): void {
    const path = this.pathOf(node)
    this.moments.push({ path, kind: 'sync', beginsAt: span.beginsAt })
    if (this.forgotten?.test(path) !== true) node.syncs.push(span)
  }

  private open({ path, fd, flags, beginsAt }: Extract<DiskCall, { kind: 'open' }>, span: Span): void {
    let node = this.nodeAt(path)
    if (node === undefined) {
      if (!flags.has('O_CREAT')) throw new Error(`line ${beginsAt + 1} opens ${path}, which is not known`)
      node = new FileNode()
      this.change({ ...span, node, from: null, to: this.place(path) })
      this.moments.push({ path, kind: 'open', beginsAt })
    } else if (flags.has('O_TRUNC') && this.file(node).content().length > 0) {
      this.changeFile(node, { ...span, size: 0 }, { kind: 'open', beginsAt })
    }
    const at = flags.has('O_APPEND') ? this.file(node).content().length : 0
    this.descriptors.set(fd, { node, at })
  }

  private changeFile(node: Node, change: Change, call: Pick<DiskCall, 'kind' | 'beginsAt'>): void {
    this.file(node).changes.push(change)
    this.moments.push({ path: this.pathOf(node), kind: call.kind, beginsAt: call.beginsAt })
  }

  private file(node: Node): FileNode {
    if (node instanceof FileNode) return node
    throw new Error('a directory is used as a file')
  }

  private descriptor({ fd, beginsAt }: { readonly fd: number; readonly beginsAt: number }): Descriptor {
    const descriptor = this.descriptors.get(fd)
    if (descriptor === undefined) throw new Error(`line ${beginsAt + 1} uses descriptor ${fd}, which nobody opened`)
    return descriptor
  }

  private change(change: NameChange): void {
    const { node, from, to } = change
    this.nameChanges.push(change)
    if (from !== null) this.live.get(from.directory)?.delete(from.name)
    if (to !== null) this.live.get(to.directory)?.set(to.name, node)
    if (to !== null && node instanceof DirectoryNode && !this.live.has(node)) this.live.set(node, new Map())
  }

  private place(path: string): Place {
    const parent = dirname(path)
    const directory = parent === '.' ? this.root : this.existing(parent)
    if (!(directory instanceof DirectoryNode)) throw new Error(`${parent} is no directory`)
    return { directory, name: path.slice(parent === '.' ? 0 : parent.length + 1) }
  }

  private existing(path: string): Node {
    const node = this.nodeAt(path)
    if (node === undefined) throw new Error(`${path} is not known`)
    return node
  }

  private nodeAt(path: string): Node | undefined {
    let node: Node | undefined = this.root
    for (const name of path === '' ? [] : path.split('/')) {
      node = node instanceof DirectoryNode ? this.live.get(node)?.get(name) : undefined
    }
    return node
  }

  /** Of now; '' for the root and for what has no name any more. */
  private pathOf(node: Node): string {
    const found = (directory: DirectoryNode, path: string): string => {
      for (const [name, inner] of this.live.get(directory) ?? []) {
        const innerPath = path === '' ? name : `${path}/${name}`
        if (inner === node) return innerPath
        const deeper = inner instanceof DirectoryNode ? found(inner, innerPath) : ''
        if (deeper !== '') return deeper
      }
      return ''
    }
    return found(this.root, '')
  }
}

/** Changes one behind the other, nothing left out. */
function contentOf(changes: readonly Change[]): Buffer {
  let content: Buffer = Buffer.alloc(0)
  for (const change of changes) content = changed(content, change)
  return content
}

function changed(content: Buffer, change: Change): Buffer {
  const size = 'size' in change ? change.size : Math.max(content.length, change.at + change.bytes.length)
  let next: Buffer = content
  if (size !== content.length) {
    next = Buffer.alloc(size)
    content.copy(next, 0, 0, Math.min(size, content.length))
  }
  if ('bytes' in change) change.bytes.copy(next, change.at)
  return next
}
