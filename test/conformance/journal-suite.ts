// What every journal that a lane writes to does (`GroupLog` in engine/shard/lane.ts, with reading by sequence), on whatever disk.
//
//     append(entries of several shards) ──▶ one record: all of it is on disk, or nothing of it ──▶ settled, once
//                                            readable from here on, not before ─────────────────────┘
//
// A new journal brings a rig and calls `testJournal`. The rig ends flushes, where somebody has to, and makes the next append
// fail. What a journal does beside that, such as giving up a flush that never ends, is told by the kit.

import { describe, expect, test } from 'vitest'
import type { StoredBytes, StoredEntries } from '../../engine/shard/history.ts'
import type { EntryToAppend, GroupLog } from '../../engine/shard/lane.ts'
import { byShard, charactersOf, type WrittenEntry } from '../persistence/support.ts'

export type Fault = 'IO' | 'FULL'

export interface JournalRig {
  readonly journal: GroupLog & StoredEntries
  /** Lets the flush under way end, where it does not by itself. */
  endFlush(): void
  /** The next append meets it: an error of the disk, or no room. */
  failNext(fault: Fault): void
  /** Ends it, and tells what the next start finds: every entry, each shard's in order. */
  found(): Promise<readonly WrittenEntry[]>
  /** Drains what is under way; later appends are refused. */
  readonly close?: () => Promise<void>
}

export interface LateFlush {
  /** The flush of the next append does not end. */
  holdNext(): void
  /** It ends after all. */
  end(): void
}

export interface JournalKit {
  readonly name: string
  readonly make: () => JournalRig
  /** It gives up a flush that does not end: a rig with `late`, which does so soon. */
  readonly makeLate?: () => JournalRig & { readonly late: LateFlush }
  /** The rig has `close`. */
  readonly closes: boolean
}

const BEGIN_MS = 1_700_000_000_000

export function testJournal({ name, make, makeLate, closes }: JournalKit): void {
  describe(`${name}: a record`, () => {
    test('is told of once, after the append has returned, and is readable then and not before', async () => {
      const rig = make()
      const log = new Log()
      await appended(rig, log.record([4, 3]))
      const { journal } = rig
      const answers: unknown[] = []
      let hasReturned = false
      const settled = new Promise<void>((resolve) => {
        journal.append(log.record([4, 2], [7, 1]), (error) => {
          answers.push([error, hasReturned])
          resolve()
        })
      })
      hasReturned = true
      expect(journal.entryOf(4, 3)?.firstSeq).toBe(1)
      expect(journal.entryOf(4, 4)).toBeNull()
      expect(journal.entryOf(7, 1)).toBeNull()
      rig.endFlush()
      await settled
      await settledTasks()
      expect(answers).toEqual([[null, true]])
      expect(journal.entryOf(4, 5)?.firstSeq).toBe(4)
      expect(journal.entryOf(7, 1)?.firstSeq).toBe(1)
      expect(journal.entryOf(4, 6)).toBeNull()
      await rig.found()
    })

    test('is found by any of its sequences as it was written, and by the next start, each shard in order', async () => {
      const rig = make()
      const log = new Log()
      for (let record = 0; record < 30; record++) {
        const shards = [0, 1, 2, 3].filter((shard) => (record >> (shard & 1)) % (shard + 1) === 0)
        await appended(rig, log.record(...shards.map((shard) => [shard, 1 + ((record + shard) % 4)] as const)))
      }
      for (const written of log.written) {
        for (let seq = written.firstSeq; seq < written.firstSeq + written.eventCount; seq++) {
          const found = rig.journal.entryOf(written.shard, seq)
          expect(found === null ? null : writtenOf(written.shard, found)).toEqual(written)
        }
      }
      expect(byShard(await rig.found())).toEqual(byShard(log.written))
    })

    test('is copied before the append returns', async () => {
      const rig = make()
      const log = new Log()
      const [entry] = log.record([1, 1]) as [EntryToAppend]
      const settled = settlementOf(rig.journal, [entry])
      entry.events.fill(0xff)
      rig.endFlush()
      expect(await settled).toBeNull()
      expect(await rig.found()).toEqual(log.written)
    })

    test('that does not go on from its shard, or comes while another is under way, is a broken invariant', async () => {
      const rig = make()
      const log = new Log()
      await appended(rig, log.record([1, 2]))
      const under = settlementOf(rig.journal, log.record([2, 1]))
      expect(() => rig.journal.append(log.record([3, 1]), () => {})).toThrow(/in flight|under way/)
      rig.endFlush()
      expect(await under).toBeNull()
      const astray = {
        shard: 1,
        firstSeq: 5,
        eventCount: 1,
        timeMs: BEGIN_MS + 99,
        events: new Uint8Array(1),
        length: 1,
      }
      expect(() => rig.journal.append([astray], () => {})).toThrow(/the log ends at 2|does not go on/)
    })
  })

  describe(`${name}: a failure`, () => {
    test.each<Fault>(['IO', 'FULL'])(
      '(%s) is final: nothing of the record shows, what was there stays, nothing more is taken',
      async (fault) => {
        const rig = make()
        const log = new Log()
        await appended(rig, log.record([1, 2], [2, 1]))
        const before = log.written.length
        rig.failNext(fault)
        const failed = settlementOf(rig.journal, log.record([1, 1], [2, 2], [3, 1]))
        rig.endFlush()
        expect(await failed).toBeInstanceOf(Error)
        for (const [shard, seq] of [
          [1, 3],
          [2, 2],
          [2, 3],
          [3, 1],
        ] as const)
          expect(rig.journal.entryOf(shard, seq)).toBeNull()
        expect(rig.journal.entryOf(1, 2)?.firstSeq).toBe(1)
        expect(rig.journal.entryOf(2, 1)?.firstSeq).toBe(1)
        expect(await settlementOf(rig.journal, new Log().record([5, 1]))).toBeInstanceOf(Error)
        expect(rig.journal.entryOf(5, 1)).toBeNull()
        // On disk may be the failed record too, then all of it.
        const found = byShard(await rig.found())
        expect([byShard(log.written.slice(0, before)), byShard(log.written)]).toContainEqual(found)
      },
    )
  })

  if (makeLate !== undefined) testLateFlush(name, makeLate)
  if (closes) testClosing(name, make)
}

function testLateFlush(name: string, make: NonNullable<JournalKit['makeLate']>): void {
  describe(`${name}: a flush that does not end`, () => {
    test('is given up, once, and what comes of it late changes nothing', async () => {
      const rig = make()
      const log = new Log()
      await appended(rig, log.record([1, 1]))
      rig.late.holdNext()
      const answers: (Error | null)[] = []
      const entries = log.record([1, 1])
      await new Promise<void>((resolve) => {
        rig.journal.append(entries, (error) => {
          answers.push(error)
          resolve()
        })
      })
      rig.late.end()
      await settledTasks()
      expect(answers).toEqual([expect.any(Error)])
      expect(rig.journal.entryOf(1, 2)).toBeNull()
      expect(await settlementOf(rig.journal, new Log().record([2, 1]))).toBeInstanceOf(Error)
    })
  })
}

function testClosing(name: string, make: JournalKit['make']): void {
  describe(`${name}: closing`, () => {
    test('waits for the record under way, and refuses later ones', async () => {
      const rig = make()
      const log = new Log()
      const under = settlementOf(rig.journal, log.record([1, 2]))
      const written = [...log.written]
      const closed = rig.close?.()
      expect(await settlementOf(rig.journal, log.record([2, 1]))).toBeInstanceOf(Error)
      rig.endFlush()
      expect(await under).toBeNull()
      await closed
      expect(await rig.found()).toEqual(written)
    })
  })
}

/** Makes entries that follow one another, and remembers them. */
class Log {
  readonly written: WrittenEntry[] = []
  private readonly nextSeq = new Map<number, number>()

  /** One entry for each shard, of so many events. */
  record(...shards: readonly (readonly [shard: number, eventCount: number])[]): EntryToAppend[] {
    return shards.map(([shard, eventCount]) => {
      const firstSeq = this.nextSeq.get(shard) ?? 1
      this.nextSeq.set(shard, firstSeq + eventCount)
      const timeMs = BEGIN_MS + this.written.length
      const events = Uint8Array.from({ length: 20 + eventCount * 7 }, (_, i) => (shard * 17 + firstSeq * 5 + i) & 127)
      const entry = { shard, firstSeq, eventCount, timeMs }
      this.written.push({ ...entry, events: charactersOf(events, 0, events.length) })
      return { ...entry, events: Uint8Array.from([...events, 0xaa]), length: events.length }
    })
  }
}

function settlementOf(journal: GroupLog, entries: readonly EntryToAppend[]): Promise<Error | null> {
  return new Promise((resolve) => journal.append(entries, resolve))
}

async function appended(rig: JournalRig, entries: readonly EntryToAppend[]): Promise<void> {
  if (entries.length === 0) return
  const settled = settlementOf(rig.journal, entries)
  rig.endFlush()
  expect(await settled).toBeNull()
}

/** As it is compared. */
export function writtenOf(shard: number, stored: StoredBytes): WrittenEntry {
  const { firstSeq, eventCount, timeMs, events, start, end } = stored
  return { shard, firstSeq, eventCount, timeMs, events: charactersOf(events, start, end) }
}

/** Everything that was due has run: tasks, microtasks and what they began. */
async function settledTasks(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise<void>((resolve) => void setImmediate(resolve))
}
