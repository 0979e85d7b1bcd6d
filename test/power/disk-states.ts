// States of a disk that a power cut may leave, from the history of a directory: see docs/adr/0024 for the model and its source.
//
//     promised    a change of a file that ended before a sync of that file began which ended before the cut; a name, before a sync
//                 of a directory it stands in. Always there.
//     possible    every other change that had begun. There or not, each sector of it for itself, in any order, except that a
//                 sector cannot be newer than itself: it holds what some change left in it, the promised one or a later one.
//
// Sizes are chosen like a sector. A rename happens whole or not at all. Files written through memory hold anything.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { SeededRandom } from '../support/seeded-random.ts'
import {
  type Change,
  DirectoryNode,
  type FileNode,
  type NameChange,
  type Node,
  type RecordedDisk,
} from './recorded-disk.ts'

/** What becomes of what is only possible: all lost, all there, each by itself, or in order up to some moment. */
export const FATES = ['lost', 'kept', 'mixed', 'mostly kept', 'mostly lost', 'in order'] as const
export type Fate = (typeof FATES)[number]

export interface Cut {
  /** Between the lines of the trace: what began in a line before it may be there. */
  readonly at: number
  readonly files: Fate
  readonly names: Fate
  /** Unit in which a write may be torn: 512 or 4,096. */
  readonly sectorBytes: number
  /** Bytes of files written through memory: zeros or noise. */
  readonly mapped: 'zeros' | 'noise'
}

export interface StateCounts {
  /** Changes that had begun and were not promised, and what became of them. */
  possible: number
  dropped: number
}

const SHARE = { lost: 0, 'mostly lost': 0.15, mixed: 0.5, 'mostly kept': 0.85, kept: 1 } as const

/** Writes the state below `to`, which stands for the root of the history. */
export function buildState(disk: RecordedDisk, cut: Cut, random: SeededRandom, to: string): StateCounts {
  const state = new State(disk, cut, random)
  state.write(to)
  return state.counts
}

class State {
  readonly counts: StateCounts = { possible: 0, dropped: 0 }
  private readonly cut: Cut
  private readonly random: SeededRandom
  private readonly names = new Map<DirectoryNode, Map<string, Node>>()
  private readonly root: DirectoryNode
  /** With the fate `in order`: what began before is there, what came later is not. */
  private readonly keptUntil: number

  constructor(disk: RecordedDisk, cut: Cut, random: SeededRandom) {
    this.cut = cut
    this.random = random
    this.root = disk.root
    this.keptUntil = cut.at - random.below(200)
    for (const change of disk.nameChanges) if (this.isNameThere(change)) this.applyName(change)
  }

  write(to: string): void {
    this.writeDirectory(this.root, to)
  }

  private writeDirectory(directory: DirectoryNode, path: string): void {
    mkdirSync(path, { recursive: true })
    for (const [name, node] of this.names.get(directory) ?? []) {
      const inner = join(path, name)
      if (node instanceof DirectoryNode) this.writeDirectory(node, inner)
      else writeFileSync(inner, this.bytesOf(node))
    }
  }

  private isNameThere(change: NameChange): boolean {
    if (change.beginsAt >= this.cut.at) return false
    const directories = [change.from?.directory, change.to?.directory]
    if (directories.some((each) => each !== undefined && isPromised(change, each, this.cut.at))) return true
    return this.isKept(this.cut.names, change)
  }

  private applyName({ node, from, to }: NameChange): void {
    // Each step names what it moved, so that one is lost without another taking its place.
    if (from !== null && this.names.get(from.directory)?.get(from.name) === node) {
      this.names.get(from.directory)?.delete(from.name)
    }
    if (to === null) return
    const names = this.names.get(to.directory) ?? new Map<string, Node>()
    this.names.set(to.directory, names.set(to.name, node))
  }

  private isKept(fate: Fate, change: Change | NameChange): boolean {
    this.counts.possible++
    const isKept =
      fate === 'in order' ? change.beginsAt < this.keptUntil : this.random.below(1_000) < SHARE[fate] * 1_000
    if (!isKept) this.counts.dropped++
    return isKept
  }

  private bytesOf(file: FileNode): Buffer {
    const { at } = this.cut
    const begun = file.changes.filter(({ beginsAt }) => beginsAt < at)
    const promised = begun.map((change) => isPromised(change, file, at))
    const open = promised.indexOf(false)
    const sure = open < 0 ? begun.length : open
    const size = Math.max(
      0,
      ...begun.map((change) => ('size' in change ? change.size : change.at + change.bytes.length)),
    )
    if (file.isMapped) return this.guess(this.sizeOf(begun, promised))
    // As large as it ever was: what is behind its end at last is cut off below.
    const bytes = Buffer.alloc(size)
    for (const change of begun.slice(0, sure)) apply(bytes, change, 0, size)
    if (sure === begun.length) return bytes.subarray(0, this.sizeOf(begun, promised))
    this.applyOpen(bytes, begun, promised, sure)
    return bytes.subarray(0, this.sizeOf(begun, promised))
  }

  /** Sector by sector: the last promised change of it is there with all before it, and perhaps some of those behind. */
  private applyOpen(bytes: Buffer, begun: readonly Change[], promised: readonly boolean[], sure: number): void {
    const { sectorBytes } = this.cut
    const ofSector = new Map<number, number[]>()
    for (let index = sure; index < begun.length; index++) {
      const [from, to] = reach(begun[index] as Change, bytes.length)
      for (let sector = Math.floor(from / sectorBytes); sector * sectorBytes < to; sector++) {
        const touching = ofSector.get(sector)
        if (touching === undefined) ofSector.set(sector, [index])
        else touching.push(index)
      }
    }
    for (const [sector, touching] of ofSector) {
      const until = this.newest(touching, begun, promised)
      for (const index of touching.slice(0, until + 1)) {
        apply(bytes, begun[index] as Change, sector * sectorBytes, (sector + 1) * sectorBytes)
      }
    }
  }

  /** Which of the changes (ascending) is the newest that is there; -1: none. */
  private newest(touching: readonly number[], begun: readonly Change[], promised: readonly boolean[]): number {
    let newest = touching.findLastIndex((index) => promised[index] as boolean)
    for (let i = newest + 1; i < touching.length; i++) {
      if (this.isKept(this.cut.files, begun[touching[i] as number] as Change)) newest = i
    }
    return newest
  }

  private sizeOf(begun: readonly Change[], promised: readonly boolean[]): number {
    const sizes: number[] = []
    const changing: number[] = []
    let size = 0
    for (const [index, change] of begun.entries()) {
      const next = 'size' in change ? change.size : Math.max(size, change.at + change.bytes.length)
      if (next === size) continue
      size = next
      sizes.push(size)
      changing.push(index)
    }
    const newest = this.newest(changing, begun, promised)
    return newest < 0 ? 0 : (sizes[newest] as number)
  }

  private guess(size: number): Buffer {
    const bytes = Buffer.alloc(size)
    if (this.cut.mapped === 'noise') for (let i = 0; i < size; i++) bytes[i] = this.random.below(256)
    return bytes
  }
}

/** Whether a sync of `node` covers it that had ended at the cut. */
function isPromised({ endsAt }: Change | NameChange, { syncs }: Node, cutAt: number): boolean {
  return syncs.some((sync) => sync.beginsAt > endsAt && sync.endsAt <= cutAt)
}

/** The bytes that a change touches; a new size touches everything behind it. */
function reach(change: Change, length: number): readonly [from: number, to: number] {
  return 'size' in change ? [change.size, length] : [change.at, change.at + change.bytes.length]
}

/** The part of a change that lies between two places. */
function apply(bytes: Buffer, change: Change, from: number, to: number): void {
  const [begin, end] = reach(change, bytes.length)
  const first = Math.max(begin, from)
  const last = Math.min(end, to)
  if (first >= last) return
  if ('size' in change) bytes.fill(0, first, last)
  else change.bytes.copy(bytes, first, first - change.at, last - change.at)
}
