/** Every journal there is, held to what all of them promise. */
import { openLmdbStore } from '../../persistence/segment-writer.ts'
import { HeldJournal } from '../engine/support/held-journal.ts'
import { ownedByAnother, reopen, replay, systemError, temporaryDirectory } from '../persistence/support.ts'
import { type Fault, type JournalRig, type LateFlush, testJournal, writtenOf } from './journal-suite.ts'

/** Longer than any disk takes: a slow one is no failure here. */
const PATIENT_MS = 60_000
const IMPATIENT_MS = 50
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

testJournal({ name: 'LMDB', make: lmdbRig, makeLate: impatientLmdbRig, closes: true })
testJournal({ name: 'the journal of tests', make: heldRig, closes: false })
