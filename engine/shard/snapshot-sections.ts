/**
 * What a snapshot holds of a shard's state: everything that `apply` changes, and nothing else. This is the one list; a test
 * walks ShardState and its tables and fails when a field is missing here.
 *
 *     main         seq, time, number of coupons, roots of heaps, horizons, minutes
 *     stacks       transactions over several shards: undecided, open reservations, messages not delivered
 *     definitions  what each coupon says, by ordinal
 *     campaign…    what each campaign says, by index
 *     jobs         jobs, which of them made which codes, and codes that were changed one by one
 *     codes …      the tables, each as it dumps itself
 *
 * Whoever changes what a section holds raises STATE_LAYOUT (`snapshot-state.ts`).
 */
import { ByteReader, ByteWriter } from '../../protocol/bytes.ts'
import { readCampaign, writeCampaign } from '../../protocol/campaign.ts'
import { readDefinition, writeDefinition } from '../../protocol/coupon.ts'
import { JOB_ENDS, readJobErrors, readPlan, writeJobErrors, writePlan } from '../../protocol/jobs.ts'
import type { Job } from '../domain/jobs.ts'
import { Key, type PendingDays, type ShardState, txnKey } from '../domain/state.ts'
import type { StateTables } from '../domain/tables.ts'
import { DAYS_KEPT_MS } from './limits.ts'
import type { BulkTable } from './tables/bulk-table.ts'
import type { CodeTable } from './tables/code-table.ts'
import type { CounterTable } from './tables/counter-table.ts'
import type { DefinitionTable } from './tables/definition-table.ts'
import type { DumpReader, DumpWriter } from './tables/dump.ts'
import type { HoldIndex } from './tables/hold-index.ts'
import type { OrderTable } from './tables/order-table.ts'
import type { RowPool } from './tables/row-pool.ts'

/** Both directions of one section. `dump` must not depend on how the state came about. */
interface Section {
  readonly name: string
  readonly dump: (state: ShardState, writer: DumpWriter) => void
  readonly load: (state: ShardState, reader: DumpReader) => void
}

/** Fields of the state that are no part of it: who it is, what is in hand, what is covered by a section of its own. */
export const TRANSIENT_FIELDS: ReadonlySet<string> = new Set([
  'shard',
  'hash',
  'tables',
  'userKey',
  'orderKey',
  'number',
  'numberView',
  'codeBuffer',
  'saltOf',
  'saltOrdinal',
  'saltSinceSeq',
  'around',
  'openJobs',
])

/** Fields that the sections `main`, `stacks` and `definitions` hold. */
export const COVERED_FIELDS: ReadonlySet<string> = new Set([
  'seq',
  'timeMs',
  'couponCount',
  'expiries',
  'edges',
  'rememberedFromSeq',
  'keysRememberedFromSeq',
  'lastKeySeq',
  'minutes',
  'undecided',
  'stacks',
  'outbox',
  'campaignEdges',
  'batchEdgeMs',
  'campaigns',
  'jobs',
  'ranges',
  'changedCodes',
])

/** Below that sequence the records of a table count as gone. */
const fromOrders = (state: ShardState): number => state.rememberedFromSeq
const fromKeys = (state: ShardState): number => state.keysRememberedFromSeq
const fromBeginning = (): number => 0
/** Days have their end where others have a sequence. */
const fromDays = (state: ShardState): number => state.timeMs - DAYS_KEPT_MS

/** Every table has its section; the compiler says when one is missing. */
const TABLES: Readonly<Record<Exclude<keyof StateTables, 'definitions'>, Section>> = {
  codes: table('codes', ({ codes }) => codes as CodeTable),
  coupons: table('coupons', ({ coupons }) => coupons.rows as RowPool),
  users: table('users', ({ users }) => users as CounterTable),
  orders: records('orders', ({ orders }) => orders as OrderTable, fromOrders),
  holdsOfUser: table('holdsOfUser', ({ holdsOfUser }) => holdsOfUser as HoldIndex),
  open: table('open', ({ open }) => open as HoldIndex),
  branches: table('branches', ({ branches }) => branches as HoldIndex),
  claims: table('claims', ({ claims }) => claims as HoldIndex),
  closed: records('closed', ({ closed }) => closed as OrderTable, fromOrders),
  reversals: records('reversals', ({ reversals }) => reversals as OrderTable, fromBeginning),
  keys: records('keys', ({ keys }) => keys as OrderTable, fromKeys),
  operations: records('operations', ({ operations }) => operations as OrderTable, fromKeys),
  holds: table('holds', ({ holds }) => holds.rows as RowPool),
  campaigns: table('campaigns', ({ campaigns }) => campaigns.rows as RowPool),
  bulk: table('bulk', ({ bulk }) => bulk as BulkTable),
  days: records('days', ({ days }) => days as OrderTable, fromDays),
}

/** In the order of the file. */
export const SECTIONS: readonly Section[] = [
  { name: 'main', dump: dumpMain, load: loadMain },
  { name: 'stacks', dump: dumpStacks, load: loadStacks },
  { name: 'definitions', dump: dumpDefinitions, load: loadDefinitions },
  { name: 'campaignRules', dump: dumpCampaigns, load: loadCampaigns },
  { name: 'jobs', dump: dumpJobs, load: loadJobs },
  ...Object.values(TABLES),
]

/** A table that dumps all of itself. */
function table(
  name: string,
  of: (tables: StateTables) => { dumpTo(writer: DumpWriter): void; loadFrom(reader: DumpReader): void },
): Section {
  return {
    name,
    dump: ({ tables }, writer) => of(tables).dumpTo(writer),
    load: ({ tables }, reader) => of(tables).loadFrom(reader),
  }
}

/** A table of sequences, of which those below a horizon count as gone. */
function records(
  name: string,
  of: (tables: StateTables) => OrderTable,
  fromSeq: (state: ShardState) => number,
): Section {
  return {
    name,
    dump: (state, writer) => of(state.tables).dumpTo(writer, fromSeq(state)),
    load: ({ tables }, reader) => of(tables).loadFrom(reader),
  }
}

function dumpMain(state: ShardState, writer: DumpWriter): void {
  writer.number(state.seq)
  writer.number(state.timeMs)
  writer.word(state.couponCount)
  writer.word(state.expiries)
  writer.word(state.edges)
  writer.number(state.rememberedFromSeq)
  writer.number(state.keysRememberedFromSeq)
  writer.number(state.lastKeySeq)
  writer.word(state.campaignEdges)
  writer.number(state.batchEdgeMs)
  writer.word(state.minutes.length)
  for (const { timeMs, seq } of state.minutes) {
    writer.number(timeMs)
    writer.number(seq)
  }
}

function loadMain(state: ShardState, reader: DumpReader): void {
  state.seq = reader.number()
  state.timeMs = reader.number()
  state.couponCount = reader.word()
  state.expiries = reader.word()
  state.edges = reader.word()
  state.rememberedFromSeq = reader.number()
  state.keysRememberedFromSeq = reader.number()
  state.lastKeySeq = reader.number()
  state.campaignEdges = reader.word()
  state.batchEdgeMs = reader.number()
  const minutes = reader.word()
  for (let index = 0; index < minutes; index++) {
    const timeMs = reader.number()
    state.minutes.push({ timeMs, seq: reader.number() })
  }
}

function dumpStacks(state: ShardState, writer: DumpWriter): void {
  writer.word(state.undecided.size)
  for (const { txn, head, shards, days } of state.undecided.values()) {
    writer.word(txn.shard)
    writer.number(txn.seq)
    writer.word(head)
    dumpShards(shards, writer)
    dumpPendingDays(days, writer)
  }
  writer.word(state.stacks.size)
  for (const [seq, { txnSeq, shards }] of state.stacks) {
    writer.number(seq)
    writer.number(txnSeq)
    dumpShards(shards, writer)
  }
  writer.word(state.outbox.size)
  for (const [seq, shards] of state.outbox) {
    writer.number(seq)
    dumpShards(shards, writer)
  }
}

function loadStacks(state: ShardState, reader: DumpReader): void {
  for (let count = reader.word(); count > 0; count--) {
    const txn = { shard: reader.word(), seq: reader.number() }
    const head = reader.word()
    const shards = loadShards(reader)
    state.undecided.set(txnKey(txn), { txn, head, shards, days: loadPendingDays(reader) })
  }
  for (let count = reader.word(); count > 0; count--) {
    const seq = reader.number()
    const txnSeq = reader.number()
    state.stacks.set(seq, { txnSeq, shards: loadShards(reader) })
  }
  for (let count = reader.word(); count > 0; count--) {
    const seq = reader.number()
    state.outbox.set(seq, loadShards(reader))
  }
}

function dumpPendingDays(days: PendingDays | null, writer: DumpWriter): void {
  writer.word(days === null ? 0 : days.takes.length)
  if (days === null) return
  const { user, takes } = days
  for (const word of [user.k0, user.k1, user.k2, user.k3]) writer.word(word)
  for (const { limit, dayStartMs, dayEndMs, count } of takes) {
    writer.word(limit)
    writer.number(dayStartMs)
    writer.number(dayEndMs)
    writer.word(count)
  }
}

function loadPendingDays(reader: DumpReader): PendingDays | null {
  const count = reader.word()
  if (count === 0) return null
  const user = new Key()
  user.set(reader.word(), reader.word(), reader.word(), reader.word())
  const takes = Array.from({ length: count }, () => ({
    limit: reader.word(),
    dayStartMs: reader.number(),
    dayEndMs: reader.number(),
    count: reader.word(),
  }))
  return { user, takes }
}

function dumpShards(shards: readonly number[], writer: DumpWriter): void {
  writer.word(shards.length)
  for (const shard of shards) writer.word(shard)
}

function loadShards(reader: DumpReader): number[] {
  return Array.from({ length: reader.word() }, () => reader.word())
}

function dumpDefinitions({ couponCount, tables }: ShardState, writer: DumpWriter): void {
  const definitions = tables.definitions as DefinitionTable
  for (let ordinal = 0; ordinal < couponCount; ordinal++) {
    const packed = definitions.packed(ordinal)
    writer.word(packed.length)
    writer.raw(packed)
  }
}

function loadDefinitions({ couponCount, tables }: ShardState, reader: DumpReader): void {
  const definitions = tables.definitions as DefinitionTable
  let bytes = new Uint8Array(1024)
  for (let ordinal = 0; ordinal < couponCount; ordinal++) {
    const length = reader.word()
    if (length > bytes.length) bytes = new Uint8Array(length * 2)
    reader.rawInto(bytes.subarray(0, length))
    definitions.setPacked(ordinal, bytes.subarray(0, length))
  }
}

function dumpCampaigns(state: ShardState, writer: DumpWriter): void {
  const bytes = new ByteWriter()
  writer.word(state.campaigns.length)
  for (const campaign of state.campaigns) {
    bytes.clear()
    writeCampaign(bytes, campaign)
    dumpBytes(bytes, writer)
  }
}

function loadCampaigns(state: ShardState, reader: DumpReader): void {
  for (let count = reader.word(); count > 0; count--) state.campaigns.push(readCampaign(loadBytes(reader)))
}

function dumpJobs(state: ShardState, writer: DumpWriter): void {
  const bytes = new ByteWriter()
  writer.word(state.jobs.size)
  for (const job of state.jobs.values()) {
    bytes.clear()
    writePlan(bytes, job.plan)
    writeJobErrors(bytes, job.errors)
    dumpBytes(bytes, writer)
    for (const field of JOB_NUMBERS) writer.number(job[field])
    writer.word(job.end === null ? -1 : JOB_ENDS.indexOf(job.end))
  }
  writer.word(state.ranges.all.length)
  for (const { firstOrdinal, jobSeq, seq, atMs } of state.ranges.all) {
    writer.word(firstOrdinal)
    writer.number(jobSeq)
    writer.number(seq)
    writer.number(atMs)
  }
  writer.word(state.changedCodes.size)
  for (const [ordinal, definition] of state.changedCodes) {
    writer.word(ordinal)
    bytes.clear()
    writeDefinition(bytes, definition)
    dumpBytes(bytes, writer)
  }
}

/** All but the plan, the end and the errors. */
const JOB_NUMBERS = [
  'seq',
  'processed',
  'failed',
  'total',
  'place',
  'begunAtMs',
  'endedAtMs',
  'firstOrdinal',
  'edgeAtMs',
] as const

function loadJobs(state: ShardState, reader: DumpReader): void {
  for (let count = reader.word(); count > 0; count--) {
    const bytes = loadBytes(reader)
    const plan = readPlan(bytes)
    const errors = readJobErrors(bytes)
    const numbers = JOB_NUMBERS.map((field) => [field, reader.number()] as const)
    const end = JOB_ENDS[reader.word()] ?? null
    const job = { plan, errors, end, ...Object.fromEntries(numbers) } as Job
    state.jobs.set(job.seq, job)
    if (end === null) state.openJobs.set(job.seq, job)
  }
  for (let count = reader.word(); count > 0; count--) {
    const firstOrdinal = reader.word()
    const jobSeq = reader.number()
    const seq = reader.number()
    state.ranges.add({ firstOrdinal, jobSeq, seq, atMs: reader.number() })
  }
  for (let count = reader.word(); count > 0; count--) {
    const ordinal = reader.word()
    state.changedCodes.set(ordinal, readDefinition(loadBytes(reader)))
  }
}

function dumpBytes(bytes: ByteWriter, writer: DumpWriter): void {
  writer.word(bytes.pos)
  writer.raw(bytes.buf.subarray(0, bytes.pos))
}

function loadBytes(reader: DumpReader): ByteReader {
  const bytes = new Uint8Array(reader.word())
  reader.rawInto(bytes)
  return new ByteReader(bytes, 0, bytes.length)
}
