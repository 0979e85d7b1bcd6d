/**
 * Random events, commands and outcomes about campaigns, jobs, codes made in bulk and days, every field of every kind.
 */
import fc from 'fast-check'
import { COMMAND } from '../../protocol/commands.ts'
import { EVENT } from '../../protocol/events.ts'
import { DISTRIBUTIONS, IMPORT_FORMATS, JOB_ENDS, JOB_KINDS, JOB_STATES } from '../../protocol/jobs.ts'
import { CAMPAIGN_STATUSES, COUPON_STATUSES, OUTCOME } from '../../protocol/outcomes.ts'
import { bytes, constant, dailyLimit, definition, maybe, offer, text, txn, uint } from './random-fields.ts'

const by = maybe(text)
const index = fc.nat({ max: 2 ** 29 - 1 })
const edge = fc.constantFrom('STARTED', 'ENDED')
const onOrOff = fc.constantFrom('ENABLED', 'DISABLED')
/** A sequence: the first of a shard is 1. */
const seq = fc.integer({ min: 1, max: 2 ** 53 - 1 })

const campaign = fc.record({
  name: text,
  offer,
  merchantId: maybe(text),
  listed: fc.boolean(),
  validFromMs: maybe(uint),
  validUntilMs: maybe(uint),
  timezone: text,
  maxUses: maybe(uint),
  maxUsesPerUser: maybe(uint),
  budgetMinor: maybe(uint),
  dailyLimit: maybe(dailyLimit),
  lockSeconds: uint,
  lowStockPpm: fc.nat({ max: 1_000_000 }),
})

const codesPlan = fc.record({
  kind: fc.constantFrom('CODES', 'COUPONS'),
  count: uint,
  length: fc.nat({ max: 64 }),
  prefix: text,
  distribution: fc.constantFrom(...DISTRIBUTIONS),
  definition,
  userIds: fc.array(text, { maxLength: 5 }),
})
const importPlan = fc.record({
  kind: fc.constantFrom('IMPORT'),
  format: fc.constantFrom(...IMPORT_FORMATS),
  file: text,
  bytes: uint,
})
const plan = fc.oneof(codesPlan, importPlan)

const jobErrors = fc.array(fc.record({ line: uint, code: text, detail: text }), { maxLength: 4 })
const progress = { jobSeq: seq, processed: uint, failed: uint, total: uint, place: uint, errors: jobErrors }
const end = { jobSeq: seq, end: fc.constantFrom(...JOB_ENDS), reason: maybe(text) }

export const importedRow = fc.record({
  job: fc.record({ shard: txn.map((one) => one.shard), seq }),
  line: uint,
  uses: uint,
})

export const campaignEvent = fc.oneof(
  fc.record({
    type: fc.constantFrom(EVENT.CAMPAIGN_CREATED, EVENT.CAMPAIGN_CHANGED),
    index,
    by,
    definition: campaign,
  }),
  fc.record({ type: constant(EVENT.CAMPAIGN_SWITCHED), index, by, change: onOrOff }),
  fc.record({ type: constant(EVENT.CAMPAIGN_WINDOW_PASSED), index, edge }),
  fc.record({ type: constant(EVENT.JOB_STARTED), by, plan }),
  fc.record({ type: constant(EVENT.CODES_MADE), jobSeq: seq, firstOrdinal: uint, count: uint, letters: bytes }),
  fc.record({ type: constant(EVENT.JOB_PROGRESSED), ...progress }),
  fc.record({ type: constant(EVENT.JOB_ENDED), ...end }),
  fc.record({
    type: constant(EVENT.DAY_COUNTED),
    user: bytes,
    limit: fc.integer({ min: -1, max: 2 ** 30 - 1 }),
    dayStartMs: uint,
    dayEndMs: uint,
    count: uint,
  }),
  fc.record({ type: constant(EVENT.BATCH_WINDOW_PASSED), jobSeq: seq, edge }),
)

export const campaignCommand = fc.oneof(
  fc.record({ type: constant(COMMAND.GET_CAMPAIGN), index }),
  fc.record({ type: constant(COMMAND.CREATE_CAMPAIGN), by, definition: campaign }),
  fc.record({ type: constant(COMMAND.CHANGE_CAMPAIGN), index, by, ifVersion: uint, definition: campaign }),
  fc.record({ type: constant(COMMAND.SWITCH_CAMPAIGN), index, by, change: onOrOff }),
  fc.record({ type: constant(COMMAND.CLAIM), index, user: bytes }),
  fc.record({ type: constant(COMMAND.START_JOB), by, plan }),
  fc.record({ type: constant(COMMAND.GET_JOB), jobSeq: seq }),
  fc.record({ type: constant(COMMAND.PROGRESS_JOB), ...progress }),
  fc.record({ type: constant(COMMAND.END_JOB), ...end }),
  fc.record({
    type: constant(COMMAND.LIST_CODES),
    campaignIndex: fc.oneof(constant(-1), index),
    jobSeq: uint,
    fromOrdinal: uint,
    limit: uint,
  }),
  fc.record({ type: constant(COMMAND.LIST_JOBS) }),
  fc.record({ type: constant(COMMAND.PUT_COUPON), by, row: importedRow, definition }),
)

const job = fc.record({
  type: constant(OUTCOME.JOB),
  jobSeq: seq,
  kind: fc.constantFrom(...JOB_KINDS),
  state: fc.constantFrom(...JOB_STATES),
  processed: uint,
  total: uint,
  failed: uint,
  begunAtMs: uint,
  endedAtMs: uint,
  errors: jobErrors,
  place: uint,
  file: maybe(text),
  bytes: uint,
})
const listed = fc.record({
  ordinal: uint,
  code: text,
  status: fc.constantFrom(...COUPON_STATUSES),
  holder: maybe(text),
  createdAtMs: uint,
  lockedUntilMs: uint,
  redeemedAtMs: uint,
})

export const campaignOutcome = fc.oneof(
  fc.record({
    type: constant(OUTCOME.CAMPAIGN),
    index,
    status: fc.constantFrom(...CAMPAIGN_STATUSES),
    codes: uint,
    poolSize: uint,
    uses: uint,
    reserved: uint,
    discountTotalMinor: uint,
    version: uint,
    createdAtMs: uint,
    updatedAtMs: uint,
    definition: campaign,
  }),
  job,
  fc.record({
    type: constant(OUTCOME.CLAIMED),
    again: fc.boolean(),
    seq,
    expiresAtMs: uint,
    ordinal: uint,
    status: fc.constantFrom(...COUPON_STATUSES),
    uses: uint,
    reserved: uint,
    version: uint,
    createdAtMs: uint,
    updatedAtMs: uint,
    code: text,
    rules: definition,
    offer: maybe(offer),
  }),
  fc.record({ type: constant(OUTCOME.CODES), codes: fc.array(listed, { maxLength: 5 }), nextOrdinal: uint }),
  fc.record({ type: constant(OUTCOME.JOBS), jobs: fc.array(job, { maxLength: 3 }) }),
  fc.record({
    type: constant(OUTCOME.PUT),
    did: fc.constantFrom('CREATED', 'CHANGED', 'UNCHANGED', 'DUPLICATE'),
    ordinal: uint,
    firstLine: uint,
  }),
)
