import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openJournal } from '../../persistence/journal.ts'
import { listSegments } from '../../persistence/segment-files.ts'
import {
  ALL_SHARDS,
  append,
  byShard,
  charactersOf,
  DraftSource,
  deployment,
  reopen,
  replay,
  seededRandom,
  temporaryDirectory,
} from './support.ts'

test('what was appended is replayed equal after closing', async () => {
  const dataDir = temporaryDirectory()
  const random = seededRandom()
  const source = new DraftSource(random)
  const journal = reopen(dataDir)
  for (let commit = 0; commit < 300; commit++) {
    const shards = [...ALL_SHARDS].filter(() => random(3) === 0)
    const byteCount = random(20) === 0 ? random(60_000) : random(400)
    await append(journal, source.group(shards.length === 0 ? [random(16)] : shards, byteCount))
  }
  await journal.close()

  const { log, entries } = replay(dataDir)
  expect(byShard(entries)).toEqual(byShard(source.written))
  expect(log.records).toBe(300)
  expect(log.entries).toBe(source.written.length)
  expect(log.events).toBe(source.written.reduce((sum, { eventCount }) => sum + eventCount, 0))
  for (const [shard, head] of log.heads) {
    const last = source.ofShard(shard).at(-1)
    expect(head.seq).toBe((last?.firstSeq ?? 0) + (last?.eventCount ?? 0) - 1)
    expect(head.timeMs).toBe(last?.timeMs)
  }
})

test('only the wanted shards are delivered', async () => {
  const dataDir = temporaryDirectory()
  const source = new DraftSource(seededRandom())
  const journal = reopen(dataDir)
  for (let commit = 0; commit < 20; commit++) await append(journal, source.group([1, 2, 3], 50))
  await journal.close()
  const { log, entries } = replay(dataDir, new Set([2, 9]))
  expect(entries).toEqual(source.ofShard(2))
  expect([...log.heads.keys()]).toEqual([2])
})

test('shards may move between lanes at every start', async () => {
  const dataDir = temporaryDirectory()
  const random = seededRandom()
  const source = new DraftSource(random)
  for (const laneCount of [2, 1, 3, 2, 5]) {
    const lanes = Array.from({ length: laneCount }, (_, lane) => {
      const shards = new Set([...ALL_SHARDS].filter((shard) => (shard + laneCount) % laneCount === lane))
      return { shards: [...shards], journal: reopen(dataDir, lane, {}, shards) }
    })
    for (let commit = 0; commit < 40; commit++) {
      const lane = lanes[random(laneCount)]
      if (lane === undefined) throw new Error('no lane')
      const shards = lane.shards.filter(() => random(2) === 0)
      if (shards.length > 0) await append(lane.journal, source.group(shards, random(300)))
    }
    await Promise.all(lanes.map(({ journal }) => journal.close()))
    expect(byShard(replay(dataDir).entries)).toEqual(byShard(source.written))
  }
})

test('segments rotate, are sealed, and replay as one log', async () => {
  const dataDir = temporaryDirectory()
  const source = new DraftSource(seededRandom())
  const journal = reopen(dataDir, 0, { segmentBytesMax: 50_000 })
  for (let commit = 0; commit < 100; commit++) await append(journal, source.group([0, 5, 15], 1_500))
  await journal.close()
  const segments = listSegments(dataDir)
  expect(segments.length).toBeGreaterThan(8)
  expect(segments.every(({ seal }) => seal !== null)).toBe(true)
  expect(segments.some(({ path }) => existsSync(`${path}-lock`))).toBe(false)
  expect(byShard(replay(dataDir).entries)).toEqual(byShard(source.written))
})

test('a start without an append leaves no file behind', async () => {
  const dataDir = temporaryDirectory()
  await reopen(dataDir).close()
  await reopen(dataDir).close()
  expect(listSegments(dataDir)).toEqual([])
})

test('a record of several mebibytes comes back', async () => {
  const dataDir = temporaryDirectory()
  const source = new DraftSource(seededRandom())
  const journal = reopen(dataDir, 0, { segmentBytesMax: 4 * 1024 * 1024 })
  for (let commit = 0; commit < 4; commit++) await append(journal, source.group([0, 1, 2, 3, 4], 1024 * 1024))
  await journal.close()
  expect(byShard(replay(dataDir).entries)).toEqual(byShard(source.written))
})

test('an entry is found by any of its sequences, in other lanes and sealed segments too', async () => {
  const dataDir = temporaryDirectory()
  const random = seededRandom()
  const source = new DraftSource(random)
  const options = { segmentBytesMax: 30_000 }
  for (const lane of [1, 0]) {
    const journal = reopen(dataDir, lane, options)
    for (let commit = 0; commit < 400; commit++) {
      const shards = [random(2), 2 + random(2)]
      await append(journal, source.group(shards, random(40) === 0 ? random(9_000) : random(120)))
    }
    await journal.close()
  }
  const journal = reopen(dataDir, 2, options)
  for (let commit = 0; commit < 200; commit++) await append(journal, source.group([0, 3], random(700)))

  for (let look = 0; look < 3_000; look++) {
    const written = source.written[random(source.written.length)]
    if (written === undefined) throw new Error('nothing written')
    const found = journal.entryOf(written.shard, written.firstSeq + random(written.eventCount))
    if (found === null) throw new Error(`shard ${written.shard}, sequence ${written.firstSeq} was not found`)
    const { shard, firstSeq, eventCount, timeMs, events, start, end } = found
    expect({ shard, firstSeq, eventCount, timeMs, events: charactersOf(events, start, end) }).toEqual(written)
  }
  const last = source.ofShard(0).at(-1)
  expect(journal.entryOf(0, (last?.firstSeq ?? 0) + (last?.eventCount ?? 0))).toBeNull()
  expect(journal.entryOf(0, 0)).toBeNull()
  expect(journal.entryOf(12, 1)).toBeNull()
  await journal.close()
})

test('it says how much was written and how much is free', async () => {
  const dataDir = temporaryDirectory()
  const source = new DraftSource(seededRandom())
  const journal = reopen(dataDir)
  expect(journal.bytes).toBe(0)
  await append(journal, [source.draft(1, 1_000), source.draft(2, 500)])
  // Head of the record, then two heads of entries and their events (docs/formats/journal.md).
  expect(journal.bytes).toBe(28 + 106 + 1_000 + 106 + 500)
  expect(journal.freeBytes()).toBeGreaterThan(1024 * 1024)
  await journal.close()
})

test('a lane directory that cannot be made ends in a sentence', () => {
  const dataDir = temporaryDirectory()
  const { log } = replay(dataDir)
  writeFileSync(join(dataDir, 'lanes'), 'a file where a directory has to be')
  const open = () => openJournal({ dataDir, deployment, lane: 0, recovered: log })
  expect(open).toThrow('cannot be opened for writing')
})
