/**
 * Failing puts and flushes, simulated between the journal and LMDB, and provoked by a limit of the system: what they are called.
 * What every journal does after a failure stands in test/conformance.
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterEach, expect, test, vi } from 'vitest'
import type { Journal } from '../../persistence/journal.ts'
import { listSegments } from '../../persistence/segment-files.ts'
import { openLmdbStore, type Store } from '../../persistence/segment-writer.ts'
import { compiledChild } from './children/build.ts'
import {
  append,
  byShard,
  DraftSource,
  ownedByAnother,
  rejectionOf,
  reopen,
  replay,
  seededRandom,
  systemError,
  temporaryDirectory,
} from './support.ts'

/** Longer than a real flush takes on the busiest machine; where it counts, the test moves the time. */
const COMMIT_TIMEOUT_MS = 60_000

afterEach(() => {
  vi.useRealTimers()
})

type Fault = (inner: Store) => Partial<Pick<Store, 'put' | 'flush'>>

/** A journal over real LMDB whose third commit meets the fault. */
async function journalWith(fault: Fault): Promise<{ journal: Journal; source: DraftSource; dataDir: string }> {
  const dataDir = temporaryDirectory()
  const source = new DraftSource(seededRandom())
  let commits = 0
  const journal = reopen(dataDir, 0, {
    commitTimeoutMs: COMMIT_TIMEOUT_MS,
    openStore: (path, mapBytes) => {
      const inner = openLmdbStore(path, mapBytes)
      const faulty = fault(inner)
      return {
        put: (record, bytes) =>
          ++commits === 3 && faulty.put !== undefined ? faulty.put(record, bytes) : inner.put(record, bytes),
        flush: (done) => (commits === 3 && faulty.flush !== undefined ? faulty.flush(done) : inner.flush(done)),
        close: () => inner.close(),
      }
    },
  })
  for (let commit = 0; commit < 2; commit++) await append(journal, source.group([1, 2], 100))
  return { journal, source, dataDir }
}

/** What waits for the next turn of the event loop has had it. */
function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve))
}

test.each([
  ['ENOSPC', 'STORAGE_FULL'],
  ['EDQUOT', 'STORAGE_FULL'],
  [28, 'STORAGE_FULL'],
  [-30_792, 'STORAGE_FULL'],
  ['EIO', 'FLUSH_FAILED'],
  [5, 'FLUSH_FAILED'],
])('a put that fails with %s ends in %s and the journal takes nothing more', async (code, expected) => {
  const { journal, source, dataDir } = await journalWith(() => ({
    put: () => {
      throw systemError(code)
    },
  }))
  const durable = byShard(source.written)
  expect((await rejectionOf(append(journal, source.group([1, 2], 100)))).code).toBe(expected)
  const later = await rejectionOf(append(journal, source.group([5], 100)))
  expect(later.code).toBe('JOURNAL_CLOSED')
  expect(later.cause).toHaveProperty('code', expected)
  expect(later.retryable).toBe(false)
  await journal.close()
  expect(journal.entryOf(5, 1)).toBeNull()
  expect(byShard(replayOfDead(dataDir).entries)).toEqual(durable)
})

test.each([
  ['ENOSPC', 'STORAGE_FULL'],
  ['EIO', 'FLUSH_FAILED'],
])(
  'a flush that fails with %s ends in %s, what it covered is not shown, and nothing is sealed',
  async (code, expected) => {
    const { journal, source, dataDir } = await journalWith(() => ({
      flush: (done) => {
        setImmediate(() => done(systemError(code)))
      },
    }))
    const [draft] = source.group([1], 100)
    if (draft === undefined) throw new Error('no draft')
    expect((await rejectionOf(append(journal, [draft]))).code).toBe(expected)
    expect(journal.entryOf(1, draft.firstSeq)).toBeNull()
    expect(journal.entryOf(1, draft.firstSeq - 1)?.shard).toBe(1)
    expect((await rejectionOf(append(journal, source.group([2], 100)))).code).toBe('JOURNAL_CLOSED')
    await journal.close()
    // What is really there is for the next start to find out.
    expect(listSegments(dataDir).map(({ seal }) => seal)).toEqual([null])
  },
)

test('a flush that never settles is given up after its time, once, and a late answer changes nothing', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  let late: ((error: Error | null) => void) | null = null
  const { journal, source } = await journalWith(() => ({
    flush: (done) => {
      late = done
    },
  }))
  // What counts begins with the commit, not with the journal.
  vi.advanceTimersByTime(COMMIT_TIMEOUT_MS - 1)
  const answers: unknown[] = []
  journal.append(source.group([1], 100), (error) => answers.push(error?.code ?? null))
  vi.advanceTimersByTime(COMMIT_TIMEOUT_MS - 1)
  await turn()
  expect(answers).toEqual([])
  vi.advanceTimersByTime(1)
  await turn()
  expect(answers).toEqual(['FLUSH_FAILED'])
  ;(late as ((error: Error | null) => void) | null)?.(null)
  expect(answers).toEqual(['FLUSH_FAILED'])
  expect((await rejectionOf(append(journal, source.group([2], 100)))).code).toBe('JOURNAL_CLOSED')
  await journal.close()
})

test('a flush that has ended when the time-out is due is no failure: the thread was held up, and the answer waits to be heard', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const { journal, source } = await journalWith(() => ({
    flush: (done) => {
      setImmediate(() => done(null))
    },
  }))
  const answers: unknown[] = []
  journal.append(source.group([1], 100), (error) => answers.push(error))
  vi.advanceTimersByTime(COMMIT_TIMEOUT_MS)
  await turn()
  expect(answers).toEqual([null])
  await journal.close()
})

test('a put that LMDB refuses is a failure', async () => {
  const { journal, source } = await journalWith((inner) => ({ put: (_record, bytes) => inner.put(1, bytes) }))
  const error = await rejectionOf(append(journal, source.group([1], 100)))
  expect(error.code).toBe('FLUSH_FAILED')
  expect(error.message).toContain('LMDB refused the key 1')
  await journal.close()
})

test('no commit is answered before its flush', async () => {
  const order: string[] = []
  const dataDir = temporaryDirectory()
  const source = new DraftSource(seededRandom())
  const journal = reopen(dataDir, 0, {
    openStore: (path, mapBytes) => {
      const inner = openLmdbStore(path, mapBytes)
      return {
        put: (record, bytes) => {
          order.push(`put ${record}`)
          inner.put(record, bytes)
        },
        flush: (done) => {
          inner.flush((error) => {
            order.push('flushed')
            done(error)
          })
        },
        close: () => inner.close(),
      }
    },
  })
  for (let commit = 1; commit <= 3; commit++) {
    await append(journal, source.group([1], 10))
    order.push(`answer ${commit}`)
  }
  await journal.close()
  expect(order).toEqual([
    'put 1',
    'flushed',
    'answer 1',
    'put 2',
    'flushed',
    'answer 2',
    'put 3',
    'flushed',
    'answer 3',
  ])
})

test('a file that may not grow any more ends in a sentence, and what was acknowledged before is there', async () => {
  const dataDir = temporaryDirectory()
  // The shell counts in blocks of 1,024 or 512 bytes: either way far less than it wants to write.
  const child = spawn(
    'sh',
    ['-c', `ulimit -f 600; exec "$0" "$@"`, process.execPath, compiledChild('appender'), dataDir, '3000'],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  let said = ''
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString()
  })
  const [exitCode] = (await once(child, 'close')) as [number]
  const lines = said.trim().split('\n')
  expect(exitCode).toBe(3)
  // A write that fits in part is an I/O error to LMDB, one that does not fit at all is a full disk.
  expect(['STORAGE_FULL', 'FLUSH_FAILED']).toContain(lines.at(-2))
  expect(lines.at(-1)).toMatch(/a commit could not be written.*then start again$/)
  const acknowledged = lines.slice(0, -2)
  expect(acknowledged.length).toBeGreaterThan(20)
  expect(replay(dataDir).entries.length).toBe(acknowledged.length)
})

/** The failed journal belongs to this process, which does not read its own open segments: look as the next one will. */
function replayOfDead(dataDir: string): ReturnType<typeof replay> {
  ownedByAnother(dataDir)
  return replay(dataDir)
}
