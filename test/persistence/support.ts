/**
 * What the tests of the journal share: temporary data directories, a seeded source of drafts that keeps its own account
 * of what it made (the expected values), and files damaged on purpose.
 */

import { mkdtempSync, openSync, closeSync, readSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, onTestFailed } from 'vitest'
import { JournalError } from '../../persistence/errors.ts'
import { type Journal, type JournalOptions, openJournal } from '../../persistence/journal.ts'
import type { EntryDraft } from '../../persistence/record.ts'
import { currentProcess } from '../../persistence/process-identity.ts'
import { type RecoveredLog, replayLog } from '../../persistence/recovery.ts'
import { listSegments, markOpened } from '../../persistence/segment-files.ts'
import { deploymentOfTests } from './children/deployment-of-tests.ts'

export const deployment = deploymentOfTests

export const ALL_SHARDS: ReadonlySet<number> = new Set(Array.from({ length: 16 }, (_, shard) => shard))

const directories: string[] = []

afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true })
})

export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'tearoff-journal-'))
  directories.push(directory)
  return directory
}

/** A seeded generator of whole numbers below a bound; prints its seed when the test fails. */
export function seededRandom(seed: number = Math.floor(Math.random() * 0x7fff_ffff)): (below: number) => number {
  onTestFailed(() => {
    console.error(`seed ${seed}`)
  })
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b_79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

export interface WrittenEntry {
  readonly shard: number
  readonly firstSeq: number
  readonly eventCount: number
  readonly timeMs: number
  /** The bytes, one character each: comparing strings is quick where comparing large arrays is not. */
  readonly events: string
}

/** Makes drafts in sequence and remembers them. */
export class DraftSource {
  readonly written: WrittenEntry[] = []
  readonly #random: (below: number) => number
  readonly #nextSeq = new Map<number, number>()
  #timeMs = 1_700_000_000_000

  constructor(random: (below: number) => number) {
    this.#random = random
  }

  draft(shard: number, byteCount: number, eventCount = 1 + this.#random(5)): EntryDraft {
    const firstSeq = this.#nextSeq.get(shard) ?? 1
    this.#nextSeq.set(shard, firstSeq + eventCount)
    this.#timeMs += 1
    const events = Buffer.alloc(byteCount)
    for (let at = 0; at < byteCount; at += 7) events[at] = this.#random(256)
    const entry = { shard, firstSeq, eventCount, timeMs: this.#timeMs }
    this.written.push({ ...entry, events: events.toString('latin1') })
    return { ...entry, events, length: byteCount }
  }

  /** One draft for each of the shards; each of that many events, or of one to five. */
  group(shards: readonly number[], byteCount: number, eventCount?: number): EntryDraft[] {
    return shards.map((shard) => this.draft(shard, byteCount, eventCount))
  }

  ofShard(shard: number): WrittenEntry[] {
    return this.written.filter((entry) => entry.shard === shard)
  }
}

export function append(journal: Journal, drafts: readonly EntryDraft[]): Promise<void> {
  return new Promise((resolve, reject) => {
    journal.append(drafts, (error) => (error === null ? resolve() : reject(error)))
  })
}

export interface Replayed {
  readonly log: RecoveredLog
  readonly entries: WrittenEntry[]
}

export function replay(dataDir: string, shards: ReadonlySet<number> = ALL_SHARDS): Replayed {
  const entries: WrittenEntry[] = []
  const log = replayLog(dataDir, deployment, shards, ({ shard, firstSeq, eventCount, timeMs, events, start, end }) => {
    entries.push({ shard, firstSeq, eventCount, timeMs, events: charactersOf(events, start, end) })
  })
  return { log, entries }
}

export function reopen(
  dataDir: string,
  lane = 0,
  options: Partial<JournalOptions> = {},
  shards: ReadonlySet<number> = ALL_SHARDS,
): Journal {
  return openJournal({ dataDir, deployment, lane, recovered: replay(dataDir, shards).log, ...options })
}

export function charactersOf(events: Uint8Array, start: number, end: number): string {
  return Buffer.from(events.subarray(start, end)).toString('latin1')
}

/** By shard, as replay promises the order within a shard only. */
export function byShard(entries: readonly WrittenEntry[]): Map<number, WrittenEntry[]> {
  const shards = new Map<number, WrittenEntry[]>()
  for (const entry of entries) shards.set(entry.shard, [...(shards.get(entry.shard) ?? []), entry])
  return new Map([...shards].sort(([a], [b]) => a - b))
}

/** The JournalError that the action ends in; fails when there is none or another. */
export function errorOf(action: () => unknown): JournalError {
  try {
    action()
  } catch (error) {
    if (error instanceof JournalError) return error
    throw error
  }
  throw new Error('it did not fail')
}

export async function rejectionOf(action: Promise<unknown>): Promise<JournalError> {
  try {
    await action
  } catch (error) {
    if (error instanceof JournalError) return error
    throw error
  }
  throw new Error('it did not fail')
}

export function flipByte(path: string, at: number): void {
  overwrite(path, at, (byte) => byte ^ 0x20)
}

export function overwrite(path: string, at: number, change: (byte: number) => number): void {
  const fd = openSync(path, 'r+')
  try {
    const byte = Buffer.alloc(1)
    readSync(fd, byte, 0, 1, at)
    byte[0] = change(byte[0] ?? 0)
    writeSync(fd, byte, 0, 1, at)
  } finally {
    closeSync(fd)
  }
}

/** As if the machine had been started since the segment was written. */
export function leaveAsOfOtherBoot(path: string): void {
  rmSync(path.replace('.mdb', '.sealed'), { force: true })
  markOpened(path, { ...currentProcess(), bootId: 'another-boot' })
}

/** As if the process that wrote the segment had been killed. */
export function leaveAsOfOtherProcess(path: string): void {
  rmSync(path.replace('.mdb', '.sealed'), { force: true })
  markOpened(path, { ...currentProcess(), pid: 1, startedAt: '0' })
}

/** As if the process that wrote the segments had been killed. */
export function ownedByAnother(dataDir: string): void {
  for (const { path } of listSegments(dataDir)) markOpened(path, { ...currentProcess(), pid: 1, startedAt: '0' })
}

/** As Node and LMDB give errors of the system. */
export function systemError(code: string | number): Error {
  return Object.assign(new Error(`simulated ${code}`), { code })
}
