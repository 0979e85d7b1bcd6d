import { fork } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { followLog, type LogFollower } from '../../persistence/log-follower.ts'
import type { StoredEntry } from '../../persistence/record.ts'
import { laneDirectory, segmentPath } from '../../persistence/segment-files.ts'
import { openLmdbStore, type Store } from '../../persistence/segment-writer.ts'
import { compiledChild } from './children/build.ts'
import {
  ALL_SHARDS,
  append,
  byShard,
  charactersOf,
  DraftSource,
  deployment,
  errorOf,
  flipByte,
  leaveAsOfOtherProcess,
  reopen,
  replay,
  seededRandom,
  temporaryDirectory,
  type WrittenEntry,
} from './support.ts'

const EVERYTHING = Number.POSITIVE_INFINITY

function keeping(entries: WrittenEntry[]): (entry: StoredEntry) => void {
  return ({ shard, firstSeq, eventCount, timeMs, events, start, end }) => {
    entries.push({ shard, firstSeq, eventCount, timeMs, events: charactersOf(events, start, end) })
  }
}

function pollAll(follower: LogFollower, bytesMax = EVERYTHING): WrittenEntry[] {
  const entries: WrittenEntry[] = []
  while (follower.poll(keeping(entries), bytesMax) > 0);
  return entries
}

test('entries are delivered as soon as they are on disk, over new segments, lanes and starts', async () => {
  const dataDir = temporaryDirectory()
  const random = seededRandom()
  const source = new DraftSource(random)
  const follower = followLog(dataDir, deployment, new Map())
  expect(pollAll(follower)).toEqual([])
  const followed: WrittenEntry[] = []
  for (const laneCount of [1, 3, 2, 1]) {
    const lanes = Array.from({ length: laneCount }, (_, lane) => {
      const shards = new Set([...ALL_SHARDS].filter((shard) => shard % laneCount === lane))
      return reopen(dataDir, lane, { segmentBytesMax: 6_000 }, shards)
    })
    for (let commit = 0; commit < 40; commit++) {
      const lane = random(laneCount)
      const shards = [...ALL_SHARDS].filter((shard) => shard % laneCount === lane && random(3) === 0)
      await append(lanes[lane]!, source.group(shards.length === 0 ? [lane] : shards, random(500)))
      if (random(3) === 0) {
        followed.push(...pollAll(follower, random(2) === 0 ? 1 : 700))
        expect(byShard(followed)).toEqual(byShard(source.written))
      }
    }
    for (const lane of lanes) await lane.close()
  }
  followed.push(...pollAll(follower))
  follower.close()
  expect(byShard(followed)).toEqual(byShard(source.written))
})

test('a lane waits for what another lane has before it', async () => {
  const dataDir = temporaryDirectory()
  const source = new DraftSource(seededRandom())
  for (const lane of [1, 0, 2, 0]) {
    const journal = reopen(dataDir, lane)
    await append(journal, source.group([1], 100))
    await journal.close()
  }
  const follower = followLog(dataDir, deployment, new Map())
  expect(pollAll(follower)).toEqual(source.written)
  follower.close()
})

test('a lane of another log is damage, though its sequences fit', async () => {
  const [dataDir, other] = [temporaryDirectory(), temporaryDirectory()]
  const random = seededRandom()
  const sources = [dataDir, other].map((directory) => ({ directory, source: new DraftSource(random) }))
  for (const lane of [0, 1]) {
    for (const { directory, source } of sources) {
      const journal = reopen(directory, lane)
      await append(journal, source.group([1], 100, 1))
      await journal.close()
    }
  }
  rmSync(laneDirectory(dataDir, 1), { recursive: true })
  cpSync(laneDirectory(other, 1), laneDirectory(dataDir, 1), { recursive: true })
  const follower = followLog(dataDir, deployment, new Map())
  const followed: WrittenEntry[] = []
  const error = errorOf(() => follower.poll(keeping(followed), EVERYTHING))
  expect(error.code).toBe('JOURNAL_DAMAGED')
  expect(error.message).toContain('does not name the hash of the one before it')
  expect(followed).toEqual(sources[0]?.source.written.slice(0, 1))
  follower.close()
})

test('a poll stops behind its bytes and the next one goes on', async () => {
  const dataDir = temporaryDirectory()
  const source = new DraftSource(seededRandom())
  const journal = reopen(dataDir)
  for (let commit = 0; commit < 5; commit++) await append(journal, source.group([1, 2, 3], 400))
  const follower = followLog(dataDir, deployment, new Map())
  const entries: WrittenEntry[] = []
  expect(follower.poll(keeping(entries), 1)).toBe(1)
  expect(follower.poll(keeping(entries), 1_000)).toBe(2)
  expect(follower.poll(keeping(entries), EVERYTHING)).toBe(12)
  expect(follower.poll(keeping(entries), EVERYTHING)).toBe(0)
  follower.close()
  await journal.close()
  expect(entries).toEqual(source.written)
})

test('a follower goes on behind any cursor', async () => {
  const dataDir = temporaryDirectory()
  const random = seededRandom()
  const source = new DraftSource(random)
  const journal = reopen(dataDir, 0, { segmentBytesMax: 4_000 })
  for (let commit = 0; commit < 80; commit++) await append(journal, source.group([random(4), 4 + random(4)], 90))
  for (let round = 0; round < 20; round++) {
    const seen = source.written.slice(0, random(source.written.length + 1))
    const after = new Map(seen.map(({ shard, firstSeq, eventCount }) => [shard, firstSeq + eventCount - 1]))
    const follower = followLog(dataDir, deployment, after)
    expect(byShard([...seen, ...pollAll(follower)])).toEqual(byShard(source.written))
    follower.close()
  }
  await journal.close()
})

/** A store whose flush takes as long as the test wants. */
function heldStore(): { open: typeof openLmdbStore; release: () => void } {
  let waiting: (() => void) | null = null
  return {
    open: (path, mapBytes): Store => {
      const store = openLmdbStore(path, mapBytes)
      return {
        put: (record, bytes) => store.put(record, bytes),
        flush: (done) => {
          waiting = () => store.flush(done)
        },
        close: () => store.close(),
      }
    },
    release: () => {
      waiting?.()
      waiting = null
    },
  }
}

test('a record that is written and not flushed is not delivered, whatever the file shows', async () => {
  const dataDir = temporaryDirectory()
  const source = new DraftSource(seededRandom())
  const store = heldStore()
  const journal = reopen(dataDir, 0, { openStore: store.open, commitTimeoutMs: 60_000, segmentBytesMax: 1_000 })
  const follower = followLog(dataDir, deployment, new Map())
  const followed: WrittenEntry[] = []
  // Over several segments: the first record of each is held back, too.
  for (let commit = 0; commit < 12; commit++) {
    const durable = source.written.length
    const done = append(journal, source.group([1, 2], 200))
    followed.push(...pollAll(follower))
    expect(followed).toEqual(source.written.slice(0, durable))
    store.release()
    await done
    followed.push(...pollAll(follower))
    expect(followed).toEqual(source.written)
  }
  follower.close()
  await journal.close()
})

test('without a mark the last record waits for the one behind it, or for the seal', async () => {
  const dataDir = temporaryDirectory()
  const source = new DraftSource(seededRandom())
  const journal = reopen(dataDir)
  const mark = `${dataDir}/lanes/00/durable`
  const follower = followLog(dataDir, deployment, new Map())
  const followed: WrittenEntry[] = []
  for (let commit = 0; commit < 3; commit++) {
    await append(journal, source.group([1, 2], 200))
    const whole = readFileSync(mark)
    expect(whole.length).toBe(16)
    const broken = Buffer.from(whole)
    broken[8] = 77
    writeFileSync(mark, commit === 1 ? broken : whole.subarray(0, commit * 4))
    followed.push(...pollAll(follower))
    expect(followed).toEqual(source.written.slice(0, commit * 2))
    writeFileSync(mark, whole)
  }
  writeFileSync(mark, '')
  await journal.close()
  followed.push(...pollAll(follower))
  follower.close()
  expect(followed).toEqual(source.written)
})

test('the last record of a killed process is delivered when the next start has sealed it', async () => {
  const dataDir = temporaryDirectory()
  const source = new DraftSource(seededRandom())
  const journal = reopen(dataDir)
  for (let commit = 0; commit < 5; commit++) await append(journal, source.group([1], 100))
  await journal.close()
  const path = segmentPath(dataDir, { lane: 0, segment: 1 })
  leaveAsOfOtherProcess(path)
  writeFileSync(`${dataDir}/lanes/00/durable`, '')
  const follower = followLog(dataDir, deployment, new Map())
  const followed = pollAll(follower)
  expect(followed).toEqual(source.written.slice(0, 4))
  const next = reopen(dataDir)
  followed.push(...pollAll(follower))
  expect(followed).toEqual(source.written)
  await append(next, source.group([1], 100))
  followed.push(...pollAll(follower))
  expect(followed).toEqual(source.written)
  follower.close()
  await next.close()
})

test('damage is told, not passed over', async () => {
  const dataDir = temporaryDirectory()
  const source = new DraftSource(seededRandom())
  const journal = reopen(dataDir)
  for (let commit = 0; commit < 6; commit++) await append(journal, source.group([1], 5_000))
  const path = segmentPath(dataDir, { lane: 0, segment: 1 })
  const file = readFileSync(path)
  const fourth = source.written[3]?.events ?? ''
  flipByte(path, file.indexOf(fourth.slice(0, 64), 0, 'latin1') + 9)
  const follower = followLog(dataDir, deployment, new Map())
  const followed: WrittenEntry[] = []
  const error = errorOf(() => follower.poll(keeping(followed), EVERYTHING))
  expect(error.code).toBe('JOURNAL_DAMAGED')
  expect(error.message).toContain('record 4')
  expect(followed).toEqual(source.written.slice(0, 3))
  follower.close()
  await journal.close()
})

test('an error of the callback is thrown on, and the next poll goes on behind its entry', async () => {
  const dataDir = temporaryDirectory()
  const source = new DraftSource(seededRandom())
  const journal = reopen(dataDir)
  for (let commit = 0; commit < 3; commit++) await append(journal, source.group([1, 2], 50))
  const follower = followLog(dataDir, deployment, new Map())
  let calls = 0
  const failing = () => {
    if (++calls === 3) throw new Error('mine')
  }
  expect(() => follower.poll(failing, EVERYTHING)).toThrow('mine')
  expect(pollAll(follower)).toEqual(source.written.slice(3))
  follower.close()
  await journal.close()
})

const COMMITS = 800

test('a follower beside a writer in another process delivers everything, in order, and nothing early', async () => {
  const dataDir = temporaryDirectory()
  const random = seededRandom()
  reopenOnce(dataDir)
  for (let run = 0; run < 2; run++) {
    const args = [dataDir, String(50 + random(4_000)), String(200_000 + random(2_000_000)), String(COMMITS)]
    const child = fork(compiledChild('appender'), args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    const closed = once(child, 'close')
    let hasEnded = false
    child.on('close', () => {
      hasEnded = true
    })
    const follower = followLog(dataDir, deployment, new Map())
    const followed: WrittenEntry[] = []
    while (!hasEnded) {
      follower.poll(keeping(followed), 100_000)
      await new Promise((resolve) => setImmediate(resolve))
    }
    await closed
    followed.push(...pollAll(follower))
    follower.close()
    expect(byShard(followed)).toEqual(byShard(replay(dataDir).entries))
    expect(followed.length).toBeGreaterThan((run + 1) * COMMITS)
  }
})

function reopenOnce(dataDir: string): void {
  void reopen(dataDir).close()
}
