/** Every journal there is, held to what all of them promise. */
import { ReplicatedJournal } from '../../engine/replica/replicated-journal.ts'
import { StreamWriter } from '../../engine/replica/stream-writer.ts'
import { openLmdbStore } from '../../persistence/segment-writer.ts'
import { HeldJournal } from '../engine/support/held-journal.ts'
import { ownedByAnother, reopen, replay, systemError, temporaryDirectory } from '../persistence/support.ts'
import type { WrittenEntry } from '../persistence/support.ts'
import { Schedule } from '../sim/schedule.ts'
import { SimulatedDisk } from '../sim/simulated-disk.ts'
import { type DiskTemper, SimulatedJournal } from '../sim/simulated-journal.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { MemoryStream } from './memory-stream.ts'
import { type Fault, type JournalRig, type LateFlush, testJournal, writtenOf } from './journal-suite.ts'

/** Longer than any disk takes: a slow one is no failure here. */
const PATIENT_MS = 60_000
const IMPATIENT_MS = 50
/** Longer than a simulated flush takes, and than one is waited for. */
const LONG_MS = 2_500
const SHARDS = 16
const CODES: Readonly<Record<Fault, string>> = { IO: 'EIO', FULL: 'ENOSPC' }

/** The real one, with a hand between it and LMDB's flush. */
function lmdbRig(): JournalRig {
  const dataDir = temporaryDirectory()
  let fault: Fault | null = null
  const journal = reopen(dataDir, 0, {
    commitTimeoutMs: PATIENT_MS,
    openStore: (path, mapBytes) => {
      const inner = openLmdbStore(path, mapBytes)
      return {
        put: (record, bytes) => inner.put(record, bytes),
        flush: (done) => {
          const failure = fault === null ? null : systemError(CODES[fault])
          inner.flush((error) => done(failure ?? error))
        },
        close: () => inner.close(),
      }
    },
  })
  return {
    journal,
    endFlush: () => {},
    failNext: (next) => {
      fault = next
    },
    found: async () => {
      await journal.close()
      if (fault !== null) ownedByAnother(dataDir)
      return replay(dataDir).entries
    },
    close: () => journal.close(),
  }
}

/** With no patience; its flushes end at once, whatever the disk does, but for the one that is held. */
function impatientLmdbRig(): JournalRig & { readonly late: LateFlush } {
  let isHeld = false
  let end: () => void = () => {}
  const journal = reopen(temporaryDirectory(), 0, {
    commitTimeoutMs: IMPATIENT_MS,
    openStore: (path, mapBytes) => {
      const inner = openLmdbStore(path, mapBytes)
      return {
        put: (record, bytes) => inner.put(record, bytes),
        flush: (done) => {
          if (isHeld) end = () => done(null)
          else process.nextTick(done, null)
        },
        close: () => inner.close(),
      }
    },
  })
  const hold = () => {
    isHeld = true
  }
  return {
    journal,
    endFlush: () => {},
    failNext: () => {},
    found: () => Promise.resolve([]),
    late: { holdNext: hold, end: () => end() },
  }
}

/** The real one, with every entry in a stream of its shard before it counts. */
function replicatedRig(): JournalRig {
  const dataDir = temporaryDirectory()
  let fault: Fault | null = null
  const journal = new ReplicatedJournal((onEncoded) =>
    reopen(dataDir, 0, {
      commitTimeoutMs: PATIENT_MS,
      onEncoded,
      openStore: (path, mapBytes) => {
        const inner = openLmdbStore(path, mapBytes)
        return {
          put: (record, bytes) => inner.put(record, bytes),
          flush: (done) => {
            const failure = fault === null ? null : systemError(CODES[fault])
            inner.flush((error) => done(failure ?? error))
          },
          close: () => inner.close(),
        }
      },
    }),
  )
  for (let shard = 0; shard < SHARDS; shard++) {
    journal.writers.set(shard, new StreamWriter(new MemoryStream(shard), 0, PATIENT_MS))
  }
  return {
    journal,
    endFlush: () => {},
    failNext: (next) => {
      fault = next
    },
    found: async () => {
      await journal.close()
      if (fault !== null) ownedByAnother(dataDir)
      return replay(dataDir).entries
    },
    close: () => journal.close(),
  }
}

/** The one of the tests of lanes. */
function heldRig(): JournalRig {
  const journal = new HeldJournal()
  let fault: Fault | null = null
  return {
    journal,
    endFlush: () => journal.settle(fault === null ? null : new Error(`the disk said ${CODES[fault]}`)),
    failNext: (next) => {
      fault = next
    },
    found: () => Promise.resolve(journal.disk.stored.map((stored) => writtenOf(stored.shard, stored))),
  }
}

/** The one of the simulator, in virtual time. */
function simulatedRig(): JournalRig & { readonly late: LateFlush } {
  const schedule = new Schedule()
  const disk = new SimulatedDisk(SHARDS)
  const temper: DiskTemper = { flushMs: 1, isNearlyFull: false, next: 'FINE' }
  const journal = new SimulatedJournal(0, new Map(), {
    schedule,
    disk,
    temper,
    random: new SeededRandom(1),
    run: (what) => what(),
    onRecord: () => {},
    count: () => {},
  })
  const pass = (ms: number): void => schedule.runTo(schedule.nowMs + ms)
  return {
    journal: {
      append: (entries, settled) => {
        journal.append(entries, settled)
        // Lets a refusal be told, and no flush end.
        setImmediate(pass, 0)
      },
      freeBytes: () => journal.freeBytes(),
      entryOf: (shard, seq) => disk.entryOf(shard, seq),
    },
    endFlush: () => setImmediate(pass, LONG_MS),
    failNext: (fault) => {
      temper.next = fault === 'FULL' ? 'PUT_FULL' : 'FLUSH_EIO'
    },
    found: () => {
      const entries: WrittenEntry[] = []
      const shards = new Set(Array.from({ length: SHARDS }, (_, shard) => shard))
      disk.recover(
        () => true,
        shards,
        new Map(),
        (entry) => entries.push(writtenOf(entry.shard, entry)),
      )
      return Promise.resolve(entries)
    },
    late: {
      holdNext: () => {
        temper.flushMs = 2 * LONG_MS
        setImmediate(pass, LONG_MS)
      },
      end: () => pass(2 * LONG_MS),
    },
  }
}

testJournal({ name: 'LMDB', make: lmdbRig, makeLate: impatientLmdbRig, closes: true })
testJournal({ name: 'LMDB and a stream a shard', make: replicatedRig, closes: true })
testJournal({ name: 'the journal of tests', make: heldRig, closes: false })
testJournal({ name: 'the journal of the simulator', make: simulatedRig, makeLate: simulatedRig, closes: false })
