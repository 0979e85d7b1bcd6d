import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { crc32 } from 'node:zlib'
import { expect, test } from 'vitest'
import { EVENT } from '../../../protocol/events.ts'
import { JournalError } from '../../../persistence/errors.ts'
import { listSegments } from '../../../persistence/segment-files.ts'
import { SegmentReader } from '../../../persistence/segment-reader.ts'
import { listSnapshots, type SnapshotFile } from '../../../persistence/snapshot-file.ts'
import { apply } from '../../../engine/domain/apply.ts'
import type { ShardState } from '../../../engine/domain/state.ts'
import { COVERED_FIELDS, TRANSIENT_FIELDS } from '../../../engine/shard/snapshot-sections.ts'
import {
  differenceFrom,
  dumpState,
  emptyState,
  readSnapshot,
  writeSnapshot,
} from '../../../engine/shard/snapshot-state.ts'
import { deployment, errorOf, overwrite, seededRandom, temporaryDirectory } from '../../persistence/support.ts'
import { couponWith } from '../support/samples.ts'
import { tablesOf } from '../support/state-image.ts'
import { digestsOf, LogOfShards, recovered, SHARDS, snapshots } from './snapshot-support.ts'

const RUNS = 4

/** A closed log with two generations of snapshots and a tail behind them. */
async function logWithSnapshots(shards = 3): Promise<LogOfShards> {
  const log = new LogOfShards(temporaryDirectory(), seededRandom(), shards)
  // One lane: every shard is in about every other commit, and so in the tail.
  log.start(1)
  for (let generation = 0; generation < 2; generation++) {
    await log.commits(40)
    await log.roll()
    snapshots(log.dataDir)
  }
  await log.commits(25)
  await log.stop()
  return log
}

test('a snapshot and the log behind it give the state of the whole log, byte for byte', async () => {
  const random = seededRandom()
  const log = new LogOfShards(temporaryDirectory(), random)
  let fromSnapshots = 0
  for (let run = 0; run < RUNS; run++) {
    log.start()
    for (let round = 0; round < 3; round++) {
      await log.commits(10 + random(60))
      if (random(4) > 0) await log.roll()
      if (random(4) > 0) snapshots(log.dataDir)
    }
    // What comes seldom, as the window of a batch that passes, is in the last run at the latest.
    if (run === RUNS - 1) await log.commitsUntilMet(CAMPAIGN_EVENTS)
    await log.stop()
    const quick = recovered(log.dataDir)
    const full = recovered(log.dataDir, true)
    expect(quick.warnings).toEqual([])
    expect(quick.digests).toEqual(full.digests)
    expect(quick.snapshotEvents + quick.replayed).toBe(full.replayed)
    for (const [shard, source] of log.sources) {
      const state = full.states.get(shard)
      if (state === undefined) throw new Error(`shard ${shard} was not recovered`)
      // The live state: its heaps may be linked otherwise, as looking at them sorts them, and it has cleaned up.
      expect(withoutRows(digestsOf(state))).toEqual(withoutRows(digestsOf(source.state)))
      expect(imageWithoutForgotten(state)).toEqual(imageWithoutForgotten(source.state))
      // What a dump leaves out, digests of dumps do not miss.
      expect(imageWithoutForgotten(quick.states.get(shard) as ShardState)).toEqual(imageWithoutForgotten(state))
    }
    fromSnapshots += quick.snapshotEvents
  }
  expect(fromSnapshots).toBeGreaterThan(200)
})

/** Records that count as gone may be there or not; the dumps of these tables are compared, which leave them out. */
function imageWithoutForgotten(state: ShardState): unknown {
  const { orders: _, closed: _1, keys: _2, operations: _3, days: _4, ...rest } = tablesOf(state)
  return rest
}

const CAMPAIGN_EVENTS = [
  EVENT.CAMPAIGN_CREATED,
  EVENT.CAMPAIGN_CHANGED,
  EVENT.CAMPAIGN_SWITCHED,
  EVENT.CAMPAIGN_WINDOW_PASSED,
  EVENT.JOB_STARTED,
  EVENT.CODES_MADE,
  EVENT.JOB_PROGRESSED,
  EVENT.JOB_ENDED,
  EVENT.DAY_COUNTED,
  EVENT.BATCH_WINDOW_PASSED,
]

/** Their columns link heaps. */
const WITH_HEAPS: ReadonlySet<string> = new Set(['holds', 'coupons', 'campaigns'])

function withoutRows(digests: Map<string, string>): Map<string, string> {
  return new Map([...digests].filter(([section]) => !WITH_HEAPS.has(section)))
}

test('every sequence is found after a start from snapshots, in sealed and in archived segments', async () => {
  const log = await logWithSnapshots()
  expect(snapshots(log.dataDir).archived.segments).toBeGreaterThan(0)
  for (const index of ['kept', 'lost', 'damaged']) {
    for (const { path } of listSegments(log.dataDir)) {
      const place = path.replace('.mdb', '.index')
      if (index === 'lost') rmSync(place)
      if (index === 'damaged') overwrite(place, 30, (byte) => byte ^ 1)
    }
    log.start(2)
    for (const [shard, source] of log.sources) {
      for (const { firstSeq, eventCount } of source.entries) {
        expect(log.entryOf(shard, firstSeq)).toBe(firstSeq)
        expect(log.entryOf(shard, firstSeq + eventCount - 1)).toBe(firstSeq)
      }
    }
    await log.stop()
  }
})

test('a start reads the tail only, not what is in snapshots', async () => {
  const log = await logWithSnapshots()
  const { replayed, snapshotEvents, digests } = recovered(log.dataDir)
  expect(replayed).toBeGreaterThan(0)
  expect(snapshotEvents).toBeGreaterThan(replayed)
  // Damage in a segment behind the snapshots is not met.
  const [first] = listSegments(log.dataDir)
  if (first === undefined) throw new Error('there is no segment')
  const reader = new SegmentReader(first, first.path)
  const place = reader.find(reader.roots().newest, 1)
  reader.close()
  overwrite(first.path, (place?.at ?? 0) + 60, (byte) => byte ^ 1)
  expect(recovered(log.dataDir).digests).toEqual(digests)
  expect(errorOf(() => recovered(log.dataDir, true)).code).toBe('JOURNAL_DAMAGED')
})

test('a damaged snapshot is passed over for the older one, and then for the log', async () => {
  const log = await logWithSnapshots()
  const full = recovered(log.dataDir, true)
  const random = seededRandom()
  const [newest, older] = listSnapshots(log.dataDir, 1) as [SnapshotFile, SnapshotFile]
  const whole = readFileSync(newest.path)
  for (let round = 0; round < 40; round++) {
    writeFileSync(newest.path, whole)
    if (round % 4 === 0) truncateSync(newest.path, random(whole.length))
    else overwrite(newest.path, random(whole.length), (byte) => byte ^ (1 << random(8)))
    const { digests, warnings, snapshotEvents } = recovered(log.dataDir)
    expect(digests).toEqual(full.digests)
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toContain(newest.path)
    expect(snapshotEvents).toBe(seqsOf(log.dataDir) - newest.seq + older.seq)
  }
  writeFileSync(older.path, '')
  const { digests, warnings, snapshotEvents } = recovered(log.dataDir)
  expect(digests).toEqual(full.digests)
  expect(warnings).toHaveLength(2)
  expect(snapshotEvents).toBe(seqsOf(log.dataDir) - newest.seq)

  // The next snapshots are made of what is good, and the bad ones are out of the way.
  snapshots(log.dataDir)
  expect(recovered(log.dataDir).warnings).toEqual([])
  expect(recovered(log.dataDir).digests).toEqual(full.digests)
  expect(readdirSync(dirname(newest.path)).filter((name) => name.endsWith('.damaged'))).toHaveLength(2)
})

function seqsOf(dataDir: string): number {
  return SHARDS.reduce((sum, shard) => sum + (listSnapshots(dataDir, shard)[0]?.seq ?? 0), 0)
}

test('a changed counter under a right check sum is told from the replayed state', async () => {
  const log = await logWithSnapshots(2)
  const [file] = listSnapshots(log.dataDir, 1) as [SnapshotFile]
  const { states } = recovered(log.dataDir, true)
  const { state, head } = readSnapshot(file, deployment)
  expect(head.seq).toBe(file.seq)
  expect(differenceFrom(file, deployment, state)).toBeNull()
  expect(differenceFrom(file, deployment, states.get(1) as typeof state)).toBe('main')
  expect(sectionsOf(file)).toEqual([
    'main',
    'stacks',
    'definitions',
    'campaignRules',
    'jobs',
    'codes',
    'coupons',
    'users',
    'orders',
    'holdsOfUser',
    'open',
    'branches',
    'claims',
    'closed',
    'reversals',
    'keys',
    'operations',
    'holds',
    'campaigns',
    'bulk',
    'days',
    'end',
  ])
  const { coupons } = state.tables
  coupons.uses.set(0, coupons.uses.get(0) + 1)
  expect(differenceFrom(file, deployment, state)).toBe('coupons')
  coupons.uses.set(0, coupons.uses.get(0) - 1)
  state.outbox.set(77, [5])
  expect(differenceFrom(file, deployment, state)).toBe('stacks')
})

/** By the layout of the file, read here anew. */
function sectionsOf({ path }: SnapshotFile): string[] {
  const bytes = readFileSync(path)
  const names: string[] = []
  let number = 0
  for (let at = 192; at < bytes.length; ) {
    const name = bytes.toString('ascii', at, at + 16).replaceAll('\0', '')
    const length = bytes.readUInt32LE(at + 20)
    const sum = crc32(bytes.subarray(at + 32, at + 32 + length), crc32(bytes.subarray(at, at + 24)))
    expect(bytes.readUInt32LE(at + 16)).toBe(number++)
    expect(bytes.readUInt32LE(at + 24)).toBe(sum)
    if (names.at(-1) !== name) names.push(name)
    at += 32 + length
  }
  return names
}

test('a log that ends before its snapshots, or is another one, is refused', async () => {
  const log = await logWithSnapshots()
  const other = await logWithSnapshots()
  const [file] = listSnapshots(log.dataDir, 1) as [SnapshotFile]
  const aside = temporaryDirectory()
  copyFileSync(file.path, join(aside, 'snapshot'))
  const stranger = join(dirname(listSnapshots(other.dataDir, 1)[0]?.path ?? ''), file.path.split('/').at(-1) ?? '')
  mkdirSync(dirname(stranger), { recursive: true })
  rmSync(dirname(stranger), { recursive: true })
  mkdirSync(dirname(stranger))
  copyFileSync(join(aside, 'snapshot'), stranger)
  const error = errorOf(() => recovered(other.dataDir))
  expect(error.code).toBe('CHAIN_BROKEN')
  expect(error.message).toContain('which the log does not hold')
})

test('a snapshot of another deployment is passed over', async () => {
  const log = await logWithSnapshots(2)
  const [file] = listSnapshots(log.dataDir, 0) as [SnapshotFile]
  const other = { ...deployment, secret: new Uint8Array(32).fill(9) }
  let error: unknown
  try {
    readSnapshot(file, other)
  } catch (thrown) {
    error = thrown
  }
  expect(error).toBeInstanceOf(JournalError)
  expect((error as JournalError).code).toBe('DEPLOYMENT_MISMATCH')
})

test('two snapshots a shard are kept, and segments move to the archive only when both have them', async () => {
  const log = new LogOfShards(temporaryDirectory(), seededRandom(), 3)
  log.start(1)
  let archived = 0
  for (let generation = 0; generation < 5; generation++) {
    await log.commits(30)
    await log.roll()
    const made = snapshots(log.dataDir)
    archived += made.archived.segments
    for (const shard of log.sources.keys()) {
      expect(listSnapshots(log.dataDir, shard)).toHaveLength(Math.min(2, generation + 1))
    }
    const covered = new Map(
      [...log.sources.keys()].map((shard) => [shard, listSnapshots(log.dataDir, shard).at(-1)?.seq ?? 0]),
    )
    for (const { path } of listSegments(log.dataDir)) {
      if (!path.includes('/archive/')) continue
      expect(existsSync(path.replace('.mdb', '.sealed')) && existsSync(path.replace('.mdb', '.opened'))).toBe(true)
    }
    expect(covered.size).toBe(3)
  }
  expect(archived).toBeGreaterThan(2)
  expect(archived).toBeLessThan(listSegments(log.dataDir).length)
  await log.stop()
  expect(recovered(log.dataDir).digests).toEqual(recovered(log.dataDir, true).digests)
})

test('a run without anything new makes nothing', async () => {
  const log = await logWithSnapshots()
  snapshots(log.dataDir)
  const again = snapshots(log.dataDir)
  expect([again.shards, again.events, again.bytes, again.archived.segments]).toEqual([0, 0, 0, 0])
  expect(again.coveredEvents).toBe(recovered(log.dataDir, true).replayed)
})

test('every field of the state and every table is in a snapshot, or known to be none of it', () => {
  const state = emptyState(1, deployment)
  const fields = Object.keys(state)
  const known = new Set([...COVERED_FIELDS, ...TRANSIENT_FIELDS])
  expect(fields.filter((field) => !known.has(field))).toEqual([])
  expect([...known].filter((field) => !fields.includes(field))).toEqual([])
  const sections: string[] = []
  dumpState(state, { section: (name) => sections.push(name), word: () => {}, number: () => {}, raw: () => {} })
  expect(Object.keys(state.tables).filter((table) => !sections.includes(table))).toEqual([])
})

/** Head, `main`, `stacks`, `definitions`, `campaignRules`, `jobs`. */
const GOLDEN = `
  54454152 534e4150 c50112d3 01000000 02000000 03000000 10000000 01000000
  f19998b3 72e9c1fb e3267e04 0fcfe961 c8168fba 88093638 0dbf5a26 c834372f
  00010203 04050607 08090a0b 0c0d0e0f 10111213 14151617 18191a1b 1c1d1e1f
  01000000 00000000 000000cc 829c7942 00006ae4 829c7942 01000000 02000000
  09000000 1c000000 00000000 00000000 00000000 00000000 00000000 00000000
  00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000
  6d61696e 00000000 00000000 00000000 00000000 54000000 6b77ac41 00000000
  00000000 0000f03f 000000cc 829c7942 01000000 ffffffff ffffffff 00000000
  00000000 00000000 00000000 00000000 00000000 ffffffff 00000000 00000000
  01000000 000000cc 829c7942 00000000 0000f03f 73746163 6b730000 00000000
  00000000 01000000 0c000000 3bf05c30 00000000 00000000 00000000 00000000
  64656669 6e697469 6f6e7300 00000000 02000000 28000000 d31d2af5 00000000
  24000000 01065341 56453130 00000200 e8070000 00000000 00000000 00000000
  00000000 00000000 63616d70 6169676e 52756c65 73000000 03000000 04000000
  99fc805b 00000000 00000000 6a6f6273 00000000 00000000 00000000 04000000
  0c000000 21c67835 00000000 00000000 00000000 00000000
`

test('the bytes are those of docs/formats/snapshot.md, which another program made', () => {
  const dataDir = temporaryDirectory()
  const state = emptyState(3, deployment)
  const definition = couponWith('SAVE10')
  apply(state, { type: EVENT.COUPON_CREATED, by: null, ordinal: 0, definition, imported: null }, 1_760_000_000_000)
  const hash = Uint8Array.from({ length: 32 }, (_, index) => index)
  const where = { lane: 1, segment: 2, record: 9, offset: 28 }
  writeSnapshot(dataDir, deployment, state, { seq: 1, timeMs: 1_760_000_000_000, hash, where }, 1_760_000_100_000)
  const [file] = listSnapshots(dataDir, 3) as [SnapshotFile]
  const bytes = readFileSync(file.path)
  const golden = Buffer.from(GOLDEN.replaceAll(/\s/g, ''), 'hex')
  expect(bytes.subarray(0, golden.length)).toEqual(golden)
  const end = '656e6400 00000000 00000000 00000000 15000000 00000000'.replaceAll(' ', '')
  expect(bytes.subarray(-32, -8).toString('hex')).toBe(end)
  const { state: loaded, head } = readSnapshot(file, deployment)
  expect(digestsOf(loaded)).toEqual(digestsOf(state))
  expect(head).toMatchObject({ shard: 3, seq: 1, hash, where, madeAtMs: 1_760_000_100_000, layout: 2 })
})
