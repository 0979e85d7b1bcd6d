// What a process did to one directory, read from its trace of system calls: every change of a file, of a name, and every flush.
//
//     strace ─▶ whole calls ─▶ descriptors and their positions ─▶ DiskCall
//
// A trace sees what a library put before the C library would miss: calls that go round it, and the order over all threads. Each
// call has the line it began in and the line it ended in. What must never happen here: a change that is passed over. So a
// call that is not understood, on a path below the directory, is an error and not a guess.

import { stringsOf, type WholeCall, wholeCalls } from '../trace/strace-lines.ts'

/** Calls that change files, names or what is on disk, and those that replies leave with. */
export const DISK_CALLS = [
  'open,openat,openat2,creat,write,pwrite64,writev,pwritev,pwritev2,ftruncate,truncate,fallocate,lseek,rename,renameat',
  'renameat2,unlink,unlinkat,link,linkat,symlink,symlinkat,mkdir,mkdirat,rmdir,fsync,fdatasync,msync,sync_file_range',
  'sync,syncfs,copy_file_range,sendfile,mmap,dup,dup2,dup3,io_uring_setup,send,sendto,sendmsg',
].join(',')

interface Span {
  /** Lines of the trace: it happened somewhere between. */
  readonly beginsAt: number
  readonly endsAt: number
}

export type DiskCall = Span &
  (
    | { readonly kind: 'open'; readonly path: string; readonly fd: number; readonly flags: ReadonlySet<string> }
    | { readonly kind: 'seek'; readonly fd: number; readonly at: number }
    | {
        readonly kind: 'write'
        readonly fd: number
        /** null: where the descriptor stands. */
        readonly at: number | null
        readonly bytes: Buffer
      }
    | { readonly kind: 'resize'; readonly fd: number; readonly size: number }
    | {
        readonly kind: 'copy'
        readonly from: string
        readonly at: number
        readonly fd: number
        readonly length: number
      }
    | { readonly kind: 'map'; readonly fd: number }
    | { readonly kind: 'rename' | 'link'; readonly from: string; readonly to: string }
    | { readonly kind: 'unlink' | 'rmdir' | 'mkdir'; readonly path: string }
    | { readonly kind: 'sync'; readonly fd: number }
  )

const NAME = /^(\w+)\(/
const RESULT = /\) += (-?\d+)(?:<([^>]*)>)?[^)]*$/
const FIRST_FD = /^\w+\((\d+)<([^>]*)>/
const DELETED = /\(deleted\)$/
const NOT_MODELLED: ReadonlySet<string> = new Set([
  'openat2',
  'truncate',
  'fallocate',
  'symlink',
  'symlinkat',
  'renameat',
  'renameat2',
  'unlinkat',
  'linkat',
  'mkdirat',
  'msync',
  'sync_file_range',
  'sync',
  'syncfs',
  'sendfile',
  'dup',
  'dup2',
  'dup3',
  'io_uring_setup',
])

/**
 * Calls on what lies in `root` and succeeded, in the order in which they ended; paths are relative to it, '' is `root` itself.
 * Throws on a call that changes something there in a way that is not modelled.
 */
export function diskCalls(trace: string, root: string): DiskCall[] {
  const calls: DiskCall[] = []
  for (const call of wholeCalls(trace)) {
    if (!call.text.includes(root)) continue
    const found = diskCall(call, root)
    if (found !== null) calls.push(found)
  }
  return calls.sort((a, b) => a.endsAt - b.endsAt)
}

function diskCall(call: WholeCall, root: string): DiskCall | null {
  const { text, beginsAt, endsAt } = call
  const name = NAME.exec(text)?.[1] ?? ''
  const result = RESULT.exec(text)
  const count = Number(result?.[1] ?? -1)
  // Failed, or never ended: nothing was changed that anybody was told of.
  if (count < 0) return null
  const span = { beginsAt, endsAt }
  const within = (path: string): string | null =>
    path === root ? '' : path.startsWith(`${root}/`) ? path.slice(root.length + 1) : null
  const head = FIRST_FD.exec(text)
  const fd = Number(head?.[1] ?? -1)
  const target = head?.[2] ?? ''
  const isOurs = within(target) !== null && !DELETED.test(target)
  const [first = '', second = ''] = name === 'write' || name.startsWith('p') ? [] : stringsOf(text)
  switch (name) {
    case 'open':
    case 'openat':
    case 'creat': {
      const path = within(first)
      if (path === null) return null
      const flags = new Set(/ (O_[A-Z|_]+)/.exec(text)?.[1]?.split('|') ?? ['O_CREAT', 'O_TRUNC'])
      return { ...span, kind: 'open', path, fd: count, flags }
    }
    case 'lseek':
      return isOurs ? { ...span, kind: 'seek', fd, at: count } : null
    case 'write':
    case 'writev':
    case 'pwrite64':
    case 'pwritev':
    case 'pwritev2': {
      if (!isOurs) return null
      const bytes = Buffer.from(stringsOf(text).join(''), 'latin1').subarray(0, count)
      if (bytes.length !== count) throw new Error(`line ${beginsAt + 1}: ${bytes.length} of ${count} written bytes`)
      return { ...span, kind: 'write', fd, at: name.startsWith('p') ? offsetOf(text) : null, bytes }
    }
    case 'ftruncate':
      return isOurs ? { ...span, kind: 'resize', fd, size: Number(/, (\d+)\)/.exec(text)?.[1]) } : null
    case 'copy_file_range': {
      const [, from = '', at = '', to = '', into = ''] =
        /^\w+\(\d+<([^>]*)>, \[(\d+)\], (\d+)<([^>]*)>, NULL,/.exec(text) ?? []
      if (within(into) === null) throw notModelled(call)
      return { ...span, kind: 'copy', from: within(from) ?? '', at: Number(at), fd: Number(to), length: count }
    }
    case 'mmap': {
      const [, flags = '', mapped = '', path = ''] = /, (PROT_[^,]*, MAP_[^,]*), (\d+)<([^>]*)>/.exec(text) ?? []
      const isWritten = flags.includes('PROT_WRITE') && flags.includes('MAP_SHARED')
      return isWritten && within(path) !== null ? { ...span, kind: 'map', fd: Number(mapped) } : null
    }
    case 'rename':
    case 'link': {
      const from = within(first)
      const to = within(second)
      if (from === null && to === null) return null
      if (from === null || to === null) throw notModelled(call)
      return { ...span, kind: name, from, to }
    }
    case 'unlink':
    case 'rmdir':
    case 'mkdir': {
      const path = within(first)
      return path === null ? null : { ...span, kind: name, path }
    }
    case 'fsync':
    case 'fdatasync':
      return isOurs ? { ...span, kind: 'sync', fd } : null
    default:
      if (NOT_MODELLED.has(name) && (isOurs || within(first) !== null)) throw notModelled(call)
      return null
  }
}

/** Of pwrite64 and pwritev: the last argument, behind the bytes. */
function offsetOf(text: string): number {
  const tail = text.slice(text.lastIndexOf('"') + 1)
  const at = Number(/, \d+, (\d+)(?:, \w+)?\) += \d+$/.exec(tail)?.[1] ?? Number.NaN)
  if (Number.isNaN(at)) throw new Error(`no offset in ${tail}`)
  return at
}

function notModelled({ text, beginsAt }: WholeCall): Error {
  return new Error(`line ${beginsAt + 1} changes the directory in a way that is not modelled: ${text.slice(0, 200)}`)
}
