/** Sealing on request, the index beside a sealed segment, replays of a part of the log, and the archive. */

import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type ArchiveOptions, archivedBytes, archiveSegments } from '../../persistence/archive.ts'
import { followLog } from '../../persistence/log-follower.ts'
import { replayLog, type ReplayOptions } from '../../persistence/recovery.ts'
import { beside, listSegments, segmentPath } from '../../persistence/segment-files.ts'
import { readSegmentRanges, segmentIndexOf } from '../../persistence/segment-index.ts'
import { SealedEntries } from '../../persistence/sealed-entries.ts'
import {
  ALL_SHARDS,
  append,
  byShard,
  charactersOf,
  DraftSource,
  deployment,
  errorOf,
  flipByte,
  overwrite,
  reopen,
  replay,
  seededRandom,
  temporaryDirectory,
  type WrittenEntry,
} from './support.ts'

/** A closed log of several segments, each with its index. */
async function log(segments = 4, commits = 20): Promise<{ dataDir: string; source: DraftSource }> {
  const dataDir = temporaryDirectory()
  const source = new DraftSource(seededRandom())
  const journal = reopen(dataDir)
  for (let segment = 0; segment < segments; segment++) {
    for (let commit = 0; commit < commits; commit++) await append(journal, source.group([segment % 3, 5], 200))
    await journal.roll()
  }
  await journal.close()
  await reopen(dataDir).close()
  return { dataDir, source }
}

function entriesOf(dataDir: string, options: ReplayOptions): WrittenEntry[] {
  const entries: WrittenEntry[] = []
  replayLog(
    dataDir,
    deployment,
    ALL_SHARDS,
    ({ shard, firstSeq, eventCount, timeMs, events, start, end }) => {
      entries.push({ shard, firstSeq, eventCount, timeMs, events: charactersOf(events, start, end) })
    },
    undefined,
    options,
  )
  return entries
}

test('a segment is sealed on request, between commits and beside one that is in flight', async () => {
  const dataDir = temporaryDirectory()
  const source = new DraftSource(seededRandom())
  const journal = reopen(dataDir)
  await journal.roll()
  expect(listSegments(dataDir)).toEqual([])
  await append(journal, source.group([1, 2], 100))
  await journal.roll()
  expect(listSegments(dataDir).map(({ seal }) => seal?.records)).toEqual([1])
  await journal.roll()
  expect(listSegments(dataDir)).toHaveLength(1)

  const settled = append(journal, source.group([1, 2], 100))
  const rolled = journal.roll()
  await settled
  await append(journal, source.group([1], 100))
  await rolled
  expect(listSegments(dataDir).map(({ seal }) => seal?.records)).toEqual([1, 1, undefined])
  const unsettled = append(journal, source.group([1], 100))
  const last = journal.roll()
  await journal.close()
  await Promise.all([unsettled, last])
  await journal.roll()
  expect(byShard(replay(dataDir).entries)).toEqual(byShard(source.written))
})

test('the index beside a segment says what is in it, and is made again when it is lost or wrong', async () => {
  const { dataDir, source } = await log()
  const [, second] = listSegments(dataDir)
  if (second === undefined || second.seal === null) throw new Error('the second segment is not sealed')
  const written = source.written.slice(40, 80)
  const check = () => {
    const index = segmentIndexOf(dataDir, second)
    expect(new Set(index.ranges.keys())).toEqual(new Set([1, 5]))
    for (const shard of [1, 5]) {
      const own = written.filter((entry) => entry.shard === shard)
      const [first, last] = [own[0], own.at(-1)]
      expect(index.ranges.get(shard)).toMatchObject({
        entries: 20,
        firstSeq: first?.firstSeq,
        lastSeq: (last?.firstSeq ?? 0) + (last?.eventCount ?? 0) - 1,
        firstTimeMs: first?.timeMs,
        lastTimeMs: last?.timeMs,
        last: { record: 20 },
      })
    }
  }
  check()
  const place = beside(second.path, 'index')
  const whole = readFileSync(place)
  for (let at = 0; at < whole.length; at++) {
    overwrite(place, at, (byte) => byte ^ 4)
    const ranges = readSegmentRanges(second.path, second, second.seal)
    // What a start reads of it is covered by a check sum of its own; only the points behind may be wrong unseen.
    const isRead = at < 48 + 2 * 56 && (at < 44 || at >= 48)
    expect(ranges === null || !isRead, `byte ${at}`).toBe(true)
    check()
    expect(readFileSync(place).equals(whole), `byte ${at}`).toBe(true)
  }
  truncateSync(place, 30)
  check()
  rmSync(place)
  check()
  expect(readSegmentRanges(second.path, second, { ...second.seal, records: 19 })).toBeNull()
})

test('a follower does not read segments that are wholly behind its cursor', async () => {
  const { dataDir, source } = await log()
  const behind = source.written.slice(0, 2 * 40)
  const after = new Map(behind.map(({ shard, firstSeq, eventCount }) => [shard, firstSeq + eventCount - 1]))
  for (const segment of [1, 2]) truncateSync(segmentPath(dataDir, { lane: 0, segment }), 0)
  const follower = followLog(dataDir, deployment, after)
  const entries: WrittenEntry[] = []
  const onEntry = ({
    shard,
    firstSeq,
    eventCount,
    timeMs,
    events,
    start,
    end,
  }: Parameters<Parameters<typeof follower.poll>[0]>[0]) => {
    entries.push({ shard, firstSeq, eventCount, timeMs, events: charactersOf(events, start, end) })
  }
  while (follower.poll(onEntry, 1_000) > 0);
  follower.close()
  expect(byShard(entries)).toEqual(byShard(source.written.slice(80)))
  expect(() => followLog(dataDir, deployment, new Map()).poll(onEntry, 1)).toThrow('was cut off')
})

test('a replay stops at a vector of sequences, or at a time', async () => {
  const { dataDir, source } = await log()
  const random = seededRandom()
  for (let round = 0; round < 20; round++) {
    const seqs = new Map([0, 1, 2].map((shard) => [shard, random(120)]))
    const timeMs = 1_700_000_000_000 + random(source.written.length + 10)
    const within = ({ shard, firstSeq }: WrittenEntry) => firstSeq <= (seqs.get(shard) ?? Number.POSITIVE_INFINITY)
    expect(byShard(entriesOf(dataDir, { until: { seqs } }))).toEqual(byShard(source.written.filter(within)))
    const before = (entry: WrittenEntry) => entry.timeMs <= timeMs
    expect(byShard(entriesOf(dataDir, { until: { timeMs } }))).toEqual(byShard(source.written.filter(before)))
    const both = source.written.filter((entry) => within(entry) && before(entry))
    expect(byShard(entriesOf(dataDir, { until: { seqs, timeMs } }))).toEqual(byShard(both))
  }
})

test('sealed entries come a shard at a time behind a cursor, in rounds where there are many', async () => {
  const { dataDir, source } = await log(5)
  const seqs = new Map<number, number>()
  const heads = new Map<number, ReturnType<SealedEntries['follow']>>()
  const found: WrittenEntry[] = []
  let rounds = 0
  for (let before = -1; found.length > before; rounds++) {
    before = found.length
    const entries = new SealedEntries(dataDir, deployment, (shard) => seqs.get(shard) ?? 0, 45)
    for (const shard of entries.shards) {
      const head = entries.follow(shard, heads.get(shard) ?? null, (entry) => {
        const { firstSeq, eventCount, timeMs, events, start, end } = entry
        found.push({ shard, firstSeq, eventCount, timeMs, events: charactersOf(events, start, end) })
      })
      heads.set(shard, head)
      if (head !== null) seqs.set(shard, head.seq)
    }
    entries.close()
  }
  expect(rounds).toBeGreaterThan(3)
  expect(byShard(found)).toEqual(byShard(source.written))
  const { heads: replayed } = replay(dataDir).log
  for (const [shard, head] of heads) expect(head).toEqual(replayed.get(shard))
})

const COVERS_ALL: ArchiveOptions = { coveredSeq: () => Number.MAX_SAFE_INTEGER }

test('what is archived is read where it is: replay, look-up, follower, next start', async () => {
  const { dataDir, source } = await log()
  // As to another disk, behind a link.
  const disk = temporaryDirectory()
  symlinkSync(disk, join(dataDir, 'archive'))
  const files = listSegments(dataDir).map(({ path }) => readFileSync(path))
  expect(archiveSegments(dataDir, { ...COVERS_ALL, copies: true }).segments).toBe(4)
  expect(existsSync(join(disk, '00', '000004.mdb'))).toBe(true)
  expect(listSegments(dataDir).map(({ path }) => readFileSync(path).equals(files.shift() ?? Buffer.alloc(0)))).toEqual([
    true,
    true,
    true,
    true,
  ])
  expect(archivedBytes(dataDir)).toBe(
    listSegments(dataDir).reduce((sum, { path }) => sum + readFileSync(path).length, 0),
  )
  expect(archiveSegments(dataDir, COVERS_ALL)).toEqual({ segments: 0, bytes: 0 })
  expect(byShard(replay(dataDir).entries)).toEqual(byShard(source.written))
  const journal = reopen(dataDir)
  for (const { shard, firstSeq, eventCount } of source.written) {
    expect(journal.entryOf(shard, firstSeq + eventCount - 1)?.firstSeq).toBe(firstSeq)
  }
  // A new segment does not take the number of an archived one.
  await append(journal, source.group([0, 1, 2, 5], 50))
  await journal.close()
  expect(listSegments(dataDir).map(({ segment }) => segment)).toEqual([1, 2, 3, 4, 5])
  const followed: number[] = []
  const follower = followLog(dataDir, deployment, new Map())
  while (follower.poll(({ firstSeq }) => followed.push(firstSeq), 10_000) > 0);
  follower.close()
  expect(followed).toHaveLength(source.written.length)
  rmSync(join(dataDir, 'archive'))
  expect(errorOf(() => replay(dataDir)).message).toContain('bring back the disk of the archive')
})

test('a segment that is not sealed, or not covered, or has no index, stays in its lane', async () => {
  const { dataDir, source } = await log()
  const journal = reopen(dataDir)
  await append(journal, source.group([5], 50))
  rmSync(beside(segmentPath(dataDir, { lane: 0, segment: 3 }), 'index'))
  const lastOfFirst = source.written.slice(0, 40).reduce((seq, { shard, firstSeq, eventCount }) => {
    return shard === 5 ? firstSeq + eventCount - 1 : seq
  }, 0)
  const covered = { coveredSeq: (shard: number) => (shard === 5 ? lastOfFirst : Number.MAX_SAFE_INTEGER) }
  expect(archiveSegments(dataDir, covered).segments).toBe(1)
  expect(archiveSegments(dataDir, COVERS_ALL).segments).toBe(2)
  await journal.close()
  expect(listSegments(dataDir).map(({ path }) => path.includes('/archive/'))).toEqual([true, true, false, true, false])
})

test('a copy in the archive that differs from the segment in its lane is told, and both stay', async () => {
  const { dataDir } = await log(1)
  const path = segmentPath(dataDir, { lane: 0, segment: 1 })
  const whole = readFileSync(path)
  const archived = join(dataDir, 'archive', '00', '000001.mdb')
  mkdirSync(join(dataDir, 'archive', '00'), { recursive: true })
  writeFileSync(archived, whole)
  flipByte(archived, whole.length - 100)
  expect(errorOf(() => archiveSegments(dataDir, COVERS_ALL)).message).toContain('differ')
  expect(readFileSync(path).equals(whole)).toBe(true)
  expect(existsSync(archived)).toBe(true)
})
