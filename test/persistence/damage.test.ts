/**
 * Damaged, mixed, missing and torn files: each ends in the named error or in exactly the entries that were written,
 * never in others.
 */

import {
  copyFileSync,
  cpSync,
  existsSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { crc32 } from 'node:zlib'
import { open } from 'lmdb'
import { expect, test } from 'vitest'
import { JournalError } from '../../persistence/errors.ts'
import { markSealed, segmentPath } from '../../persistence/segment-files.ts'
import { SegmentReader } from '../../persistence/segment-reader.ts'
import { openLmdbStore } from '../../persistence/segment-writer.ts'
import {
  append,
  byShard,
  DraftSource,
  errorOf,
  flipByte,
  leaveAsOfOtherBoot,
  leaveAsOfOtherProcess,
  overwrite,
  reopen,
  replay,
  seededRandom,
  temporaryDirectory,
} from './support.ts'

const FIRST = { lane: 0, segment: 1 }
const MAGIC = Buffer.from('TOJR')
/** Of a record. */
const AT_ENTRY_COUNT = 24

interface Log {
  readonly dataDir: string
  readonly path: string
  readonly source: DraftSource
}

/** A closed log of one lane; large records lie in pages of their own, small ones beside each other. */
async function writtenLog(
  commits: number,
  byteCount: number,
  segmentBytesMax = 1 << 30,
  eventCount?: number,
): Promise<Log> {
  const dataDir = temporaryDirectory()
  const source = new DraftSource(seededRandom())
  const journal = reopen(dataDir, 0, { segmentBytesMax })
  for (let commit = 0; commit < commits; commit++) await append(journal, source.group([1, 2], byteCount, eventCount))
  await journal.close()
  return { dataDir, path: segmentPath(dataDir, FIRST), source }
}

/** Where the live copy of a record starts in the file. */
function positionOf(path: string, record: number): number {
  const reader = new SegmentReader(FIRST, path)
  try {
    const place = reader.find(reader.roots().newest, record)
    if (place === null) throw new Error(`there is no record ${record}`)
    return place.at
  } finally {
    reader.close()
  }
}

test.each([
  [100, 'beside others in a page'],
  [20_000, 'in pages of its own'],
])('a flipped byte in a record of %i bytes (%s) is named with lane, segment and record', async (byteCount) => {
  const { dataDir, path } = await writtenLog(40, byteCount)
  flipByte(path, positionOf(path, 17) + 200)
  const error = errorOf(() => replay(dataDir))
  expect(error.code).toBe('JOURNAL_DAMAGED')
  expect(error.message).toContain('lane 0, segment 1, record 17 does not fit its check sum')
})

test('a flipped byte is found when the entry is looked up later', async () => {
  const { dataDir, path } = await writtenLog(40, 5_000)
  const journal = reopen(dataDir)
  flipByte(path, positionOf(path, 17) + 4_000)
  expect(
    errorOf(() => {
      for (let seq = 1; seq <= 200; seq++) journal.entryOf(1, seq)
    }).message,
  ).toContain('record 17 does not fit its check sum')
  await journal.close()
})

test.each([120, 9_000])(
  'no flipped byte anywhere in a file of records of %i bytes gives other entries',
  async (byteCount) => {
    const { dataDir, path, source } = await writtenLog(150, byteCount)
    const random = seededRandom()
    const whole = readFileSync(path)
    let found = 0
    for (let round = 0; round < 400; round++) {
      // Half of the flips go to the pages that lead to records: they are few and would hardly be hit.
      const at = round % 2 === 0 ? random(whole.length) : positionOf(path, 1 + random(150)) - random(300)
      flipByte(path, at)
      const outcome = outcomeOf(dataDir)
      if (outcome instanceof JournalError) found++
      const harmless = isDeepStrictEqual(outcome, byShard(source.written))
      expect(harmless || outcome instanceof JournalError, `byte ${at}`).toBe(true)
      flipByte(path, at)
    }
    expect(found).toBeGreaterThan(100)
    expect(byShard(replay(dataDir).entries)).toEqual(byShard(source.written))
  },
)

function outcomeOf(dataDir: string): JournalError | ReturnType<typeof byShard> {
  try {
    return byShard(replay(dataDir).entries)
  } catch (error) {
    if (error instanceof JournalError) return error
    throw error
  }
}

test('a file shorter than its meta pages say ends in a sentence, at any length', async () => {
  const { dataDir, path, source } = await writtenLog(60, 3_000)
  const random = seededRandom()
  const whole = readFileSync(path)
  for (const length of [0, 100, 4_096, 8_192, ...Array.from({ length: 60 }, () => random(whole.length))]) {
    writeFileSync(path, whole)
    truncateSync(path, length)
    const outcome = outcomeOf(dataDir)
    // The last pages may be free ones: nothing is missing then.
    const harmless = isDeepStrictEqual(outcome, byShard(source.written))
    expect(harmless || (outcome instanceof JournalError && outcome.code), `${length} bytes`).toBeOneOf([
      true,
      'JOURNAL_TRUNCATED',
    ])
  }
  writeFileSync(path, whole)
  truncateSync(path, whole.length >> 1)
  const error = errorOf(() => replay(dataDir))
  expect(error.code).toBe('JOURNAL_TRUNCATED')
  expect(error.message).toContain('was cut off')
})

test.each([
  ['magic', 24],
  ['version', 28],
  ['page size', 49],
  ['root', 24 + 72 + 40],
  ['transaction', 24 + 128],
])('a damaged %s in a meta page ends in a sentence', async (_field, at) => {
  const { dataDir, path } = await writtenLog(30, 1_000)
  const reader = new SegmentReader(FIRST, path)
  const newestPage = reader.roots().newest.transaction % 2
  reader.close()
  overwrite(path, newestPage * 4_096 + at, (byte) => byte ^ 0x81)
  expect(['JOURNAL_DAMAGED', 'JOURNAL_NEWER_FORMAT']).toContain(errorOf(() => replay(dataDir)).code)
})

test('an intact record of a later version says which version is needed, a damaged one does not', async () => {
  const { dataDir, path } = await writtenLog(10, 5_000)
  const at = positionOf(path, 4)
  const whole = readFileSync(path)
  expect(whole.subarray(at + 4, at + 8)).toEqual(MAGIC)
  overwrite(path, at + 8, () => 2)
  expect(errorOf(() => replay(dataDir)).code).toBe('JOURNAL_DAMAGED')

  const later = readFileSync(path)
  later.writeUInt32LE(crc32(later.subarray(at + 4, at + later.readUInt32LE(at + 20))), at)
  writeFileSync(path, later)
  const error = errorOf(() => replay(dataDir))
  expect(error.code).toBe('JOURNAL_NEWER_FORMAT')
  expect(error.message).toContain('record 4 was written by a later version of Tearoff (record format 2)')
})

test('a record that is missing in the middle is named', async () => {
  const { dataDir, path } = await writtenLog(12, 100)
  const database = open({ path, encoding: 'binary', keyEncoding: 'uint32', noSync: true })
  // Two commits: LMDB keeps the root before the last one, and a seal would still find it.
  database.removeSync(5)
  database.removeSync(6)
  await database.close()
  expect(errorOf(() => replay(dataDir)).message).toContain('was the last one when the segment was sealed')

  const reader = new SegmentReader(FIRST, path)
  const { records, transaction } = reader.roots().newest
  reader.close()
  markSealed(path, { records, transaction })
  const error = errorOf(() => replay(dataDir))
  expect(error.code).toBe('JOURNAL_DAMAGED')
  expect(error.message).toContain('record 5 is missing')
})

test('a segment of another log with the same names breaks the chain', async () => {
  const one = await writtenLog(40, 1_000, 20_000, 3)
  const other = await writtenLog(40, 1_000, 20_000, 3)
  const second = { lane: 0, segment: 2 }
  for (const extension of ['.mdb', '.sealed']) {
    const name = (dataDir: string) => segmentPath(dataDir, second).replace('.mdb', extension)
    copyFileSync(name(other.dataDir), name(one.dataDir))
  }
  const error = errorOf(() => replay(one.dataDir))
  expect(error.code).toBe('CHAIN_BROKEN')
  expect(error.message).toMatch(
    /lane 0, segment 2, record 1: the entry of shard 1 .* does not name the hash of the entry before it/,
  )
})

test('a segment that is missing is named, in the middle and at the end', async () => {
  const { dataDir } = await writtenLog(60, 1_000, 20_000)
  const second = segmentPath(dataDir, { lane: 0, segment: 2 })
  renameSync(second, `${second}.aside`)
  const middle = errorOf(() => replay(dataDir))
  expect(middle.code).toBe('CHAIN_BROKEN')
  expect(middle.message).toContain('segment 2 is missing though segment 3 is there')
  renameSync(`${second}.aside`, second)

  let last = 2
  while (existsSync(segmentPath(dataDir, { lane: 0, segment: last + 1 }))) last++
  rmSync(segmentPath(dataDir, { lane: 0, segment: last }))
  expect(errorOf(() => replay(dataDir)).message).toContain(`segment ${last} was opened and is missing`)
})

test('a lane that is missing leaves a gap that is named', async () => {
  const { dataDir, source } = await writtenLog(5, 100)
  const journal = reopen(dataDir, 1)
  await append(journal, source.group([1, 2], 100))
  await journal.close()
  rmSync(join(dataDir, 'lanes', '00'), { recursive: true })
  const error = errorOf(() => replay(dataDir))
  expect(error.code).toBe('CHAIN_BROKEN')
  expect(error.message).toContain('shard 1 has no entry for sequence 1 though lane 1, segment 1, record 1')
})

test('a shard written by two lanes at once is found', async () => {
  const dataDir = temporaryDirectory()
  const lanes = [0, 1].map((lane) => reopen(dataDir, lane))
  for (const journal of lanes) {
    const source = new DraftSource(seededRandom())
    await append(journal, [source.draft(3, 40, 2)])
    await journal.close()
  }
  const error = errorOf(() => replay(dataDir))
  expect(error.code).toBe('CHAIN_BROKEN')
  expect(error.message).toContain('starts at sequence 1 where 3 has to follow')
})

test('an entry of a shard beyond the deployment is refused', async () => {
  const { dataDir, path } = await writtenLog(3, 5_000)
  const at = positionOf(path, 2)
  const changed = readFileSync(path)
  changed.writeUInt16LE(16, at + 28 + 84)
  changed.writeUInt32LE(crc32(changed.subarray(at + 4, at + changed.readUInt32LE(at + 20))), at)
  writeFileSync(path, changed)
  expect(errorOf(() => replay(dataDir)).message).toContain('has an entry of shard 16 and there are 16')
})

test('a damaged seal ends in a sentence', async () => {
  const { dataDir, path } = await writtenLog(3, 100)
  writeFileSync(path.replace('.mdb', '.sealed'), '{"records": "three"}')
  expect(errorOf(() => replay(dataDir)).message).toContain('000001.sealed is damaged')
})

test.each([
  [90, 250],
  [3_000, 100],
  [40_000, 12],
])(
  'after a power cut within a commit of %i bytes the log ends before or behind it, whatever reached the disk',
  async (byteCount, commitsMax) => {
    const random = seededRandom()
    let torn = 0
    for (let round = 0; round < 8; round++) {
      const dataDir = temporaryDirectory()
      const source = new DraftSource(random)
      const journal = reopen(dataDir)
      const before = 1 + random(commitsMax)
      for (let commit = 0; commit < before; commit++) await append(journal, source.group([1, 2], byteCount))
      const path = segmentPath(dataDir, FIRST)
      const durable = readFileSync(path)
      const durableEntries = byShard(source.written)
      await append(journal, source.group([1, 2], byteCount))
      const complete = readFileSync(path)
      const allEntries = byShard(source.written)
      await journal.close()

      for (let cut = 0; cut < 15; cut++) {
        // A disk writes sectors, in any order; the file may not have grown yet.
        const mixed = Buffer.alloc(random(4) === 0 ? durable.length : complete.length)
        const share = random(101)
        for (let at = 0; at < mixed.length; at += 512) {
          const image = random(100) < share ? complete : durable
          image.subarray(at, at + 512).copy(mixed, at)
        }
        writeFileSync(path, mixed)
        leaveAsOfOtherBoot(path)
        const { log, entries } = replay(dataDir)
        const found = byShard(entries)
        const { torn: leftOut } = log.segments[0] ?? { torn: false }
        if (leftOut) torn++
        const whole = log.records === before + 1
        expect(found).toEqual(whole ? allEntries : durableEntries)

        // What a start decided stays decided.
        await reopen(dataDir).close()
        expect(byShard(replay(dataDir).entries)).toEqual(found)
      }
    }
    expect(torn).toBeGreaterThan(8)
  },
)

test('the same torn commit without a restart of the machine is damage', async () => {
  const { dataDir, path } = await writtenLog(20, 5_000)
  leaveAsOfOtherProcess(path)
  flipByte(path, positionOf(path, 20) + 1_000)
  expect(errorOf(() => replay(dataDir)).code).toBe('JOURNAL_DAMAGED')
  leaveAsOfOtherBoot(path)
  expect(replay(dataDir).log.records).toBe(19)
})

test('damage before the last commit is damage after a power cut too', async () => {
  const { dataDir, path } = await writtenLog(20, 5_000)
  leaveAsOfOtherBoot(path)
  flipByte(path, positionOf(path, 19) + 1_000)
  const error = errorOf(() => replay(dataDir))
  expect(error.code).toBe('JOURNAL_DAMAGED')
  expect(error.message).toContain('record 19')
})

test('a file whose writer was stopped before its first byte is passed over', async () => {
  const { dataDir, source } = await writtenLog(5, 100)
  writeFileSync(segmentPath(dataDir, { lane: 0, segment: 2 }), '')
  expect(byShard(replay(dataDir).entries)).toEqual(byShard(source.written))
  const journal = reopen(dataDir)
  await append(journal, source.group([1], 10))
  await journal.close()
  expect(byShard(replay(dataDir).entries)).toEqual(byShard(source.written))
})

test('a copy of the directory replays like the original', async () => {
  const { dataDir, source } = await writtenLog(30, 700, 9_000)
  const copy = temporaryDirectory()
  cpSync(dataDir, copy, { recursive: true })
  expect(byShard(replay(copy).entries)).toEqual(byShard(source.written))
})

test('an entry behind the last one that its record counts is damage', async () => {
  const dataDir = temporaryDirectory()
  const journal = reopen(dataDir, 0, {
    openStore: (path, mapBytes) => {
      const inner = openLmdbStore(path, mapBytes)
      const putCountingOne = (record: number, bytes: Uint8Array): void => {
        const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
        view.setUint16(AT_ENTRY_COUNT, 1, true)
        view.setUint32(0, crc32(bytes.subarray(4)), true)
        inner.put(record, bytes)
      }
      return { put: putCountingOne, flush: (done) => inner.flush(done), close: () => inner.close() }
    },
  })
  await append(journal, new DraftSource(seededRandom()).group([1, 2], 100))
  await journal.close()
  const error = errorOf(() => replay(dataDir))
  expect(error.code).toBe('JOURNAL_DAMAGED')
  expect(error.message).toContain('has bytes behind its last entry')
})
