/** Every journal there is, held to what all of them promise. */
import { openLmdbStore } from '../../persistence/segment-writer.ts'
import { HeldJournal } from '../engine/support/held-journal.ts'
import { ownedByAnother, reopen, replay, systemError, temporaryDirectory } from '../persistence/support.ts'
import { type Fault, type JournalRig, testJournal, writtenOf } from './journal-suite.ts'

const COMMIT_TIMEOUT_MS = 50
const CODES: Readonly<Record<Fault, string>> = { IO: 'EIO', FULL: 'ENOSPC' }

/** The real one, with a hand between it and LMDB's flush. */
function lmdbRig(): JournalRig {
  const dataDir = temporaryDirectory()
  let fault: Fault | null = null
  let isHeld = false
  let late: (() => void) | null = null
  const journal = reopen(dataDir, 0, {
    commitTimeoutMs: COMMIT_TIMEOUT_MS,
    openStore: (path, mapBytes) => {
      const inner = openLmdbStore(path, mapBytes)
      return {
        put: (record, bytes) => inner.put(record, bytes),
        flush: (done) => {
          const failure = fault === null ? null : systemError(CODES[fault])
          if (isHeld) late = () => inner.flush(done)
          else inner.flush((error) => done(failure ?? error))
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
    late: {
      holdNext: () => {
        isHeld = true
      },
      end: () => late?.(),
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

testJournal({ name: 'LMDB', make: lmdbRig, givesUp: true, closes: true })
testJournal({ name: 'the journal of tests', make: heldRig, givesUp: false, closes: false })
