/**
 * apply, for campaigns, the codes that jobs make, and days.
 */
import { assert } from '../../protocol/assert.ts'
import { type CampaignEvent, type CodesMade, EVENT, type JobStarted } from '../../protocol/events.ts'
import { bytesOf } from '../../protocol/bytes.ts'
import type { CodesPlan } from '../../protocol/jobs.ts'
import { campaignOrdinal } from '../../protocol/ordinals.ts'
import { countDay } from './days-taken.ts'
import { type Job, jobAt } from './jobs.ts'
import { JOB_ERRORS_KEPT_MAX } from './limits.ts'
import { settlePool } from './pool.ts'
import { Key, type Limits, type ShardState } from './state.ts'

const NO_CODE = -1
const CODE_LETTERS_MAX = 64

const key = new Key()
const code = new Uint8Array(CODE_LETTERS_MAX)

export function applyCampaignEvent(state: ShardState, event: CampaignEvent, seq: number, timeMs: number): void {
  switch (event.type) {
    case EVENT.CAMPAIGN_CREATED:
      createCampaign(state, event.index, seq, timeMs)
      state.campaigns.push(event.definition)
      setCampaignEdge(state, event.index, timeMs)
      return
    case EVENT.CAMPAIGN_CHANGED: {
      const ordinal = campaignOrdinal(event.index)
      const hadLimit = state.campaign(ordinal).maxUsesPerUser !== null
      state.campaigns[event.index] = event.definition
      if (!hadLimit && event.definition.maxUsesPerUser !== null) {
        const { coupons } = state.tables
        coupons.userLimitSinceSeq.set(ordinal, seq)
        state.setSalt(coupons.userSalt, ordinal, seq)
      }
      touchCampaign(state, ordinal, timeMs)
      setCampaignEdge(state, event.index, timeMs)
      return
    }
    case EVENT.CAMPAIGN_SWITCHED:
      state.tables.coupons.disabled.set(campaignOrdinal(event.index), event.change === 'ENABLED' ? 0 : 1)
      touchCampaign(state, campaignOrdinal(event.index), timeMs)
      return
    case EVENT.CAMPAIGN_WINDOW_PASSED:
      setCampaignEdge(state, event.index, state.tables.coupons.edgeAtMs.get(campaignOrdinal(event.index)))
      return
    case EVENT.JOB_STARTED:
      startJob(state, event, seq)
      return
    case EVENT.CODES_MADE:
      makeCodes(state, event, seq, timeMs)
      return
    case EVENT.JOB_PROGRESSED: {
      const job = jobAt(state, event.jobSeq)
      if (job.begunAtMs === 0) job.begunAtMs = timeMs
      job.processed = event.processed
      job.failed = event.failed
      job.total = event.total
      job.place = event.place
      for (const error of event.errors) if (job.errors.length < JOB_ERRORS_KEPT_MAX) job.errors.push(error)
      return
    }
    case EVENT.JOB_ENDED: {
      const job = jobAt(state, event.jobSeq)
      job.end = event.end
      job.endedAtMs = timeMs
      state.openJobs.delete(job.seq)
      return
    }
    case EVENT.DAY_COUNTED:
      state.hashUser(event.user, state.userKey)
      countDay(state, event)
      return
    case EVENT.BATCH_WINDOW_PASSED: {
      const job = jobAt(state, event.jobSeq)
      setBatchEdge(job, job.edgeAtMs)
      setNextBatchEdge(state)
      return
    }
  }
}

function createCampaign(state: ShardState, index: number, seq: number, timeMs: number): void {
  const { coupons, campaigns } = state.tables
  const row = campaigns.rows.alloc()
  assert(row === index && row === state.campaigns.length, 'indexes of campaigns are not dense')
  const ordinal = campaignOrdinal(index)
  coupons.uses.set(ordinal, 0)
  coupons.reserved.set(ordinal, 0)
  coupons.endless.set(ordinal, 0)
  coupons.version.set(ordinal, 1)
  coupons.disabled.set(ordinal, 0)
  coupons.createdAtMs.set(ordinal, timeMs)
  coupons.updatedAtMs.set(ordinal, timeMs)
  coupons.holds.set(ordinal, -1)
  coupons.edgeAtMs.set(ordinal, 0)
  state.setSalt(coupons.salt, ordinal, 0)
  coupons.userLimitSinceSeq.set(ordinal, seq)
  state.setSalt(coupons.userSalt, ordinal, seq)
  campaigns.discountTotal.set(index, 0)
  campaigns.discountHeld.set(index, 0)
  campaigns.codes.set(index, 0)
  campaigns.poolFirst.set(index, NO_CODE)
  campaigns.poolLast.set(index, NO_CODE)
  campaigns.poolSize.set(index, 0)
}

function touchCampaign(state: ShardState, ordinal: number, timeMs: number): void {
  const { version, updatedAtMs } = state.tables.coupons
  version.set(ordinal, version.get(ordinal) + 1)
  updatedAtMs.set(ordinal, timeMs)
}

function setCampaignEdge(state: ShardState, index: number, timeMs: number): void {
  const { campaignEdges, edgeAtMs } = state.tables.coupons
  const ordinal = campaignOrdinal(index)
  if (edgeAtMs.get(ordinal) !== 0) state.campaignEdges = campaignEdges.remove(state.campaignEdges, index)
  const next = nextEdgeMs(state.campaign(ordinal), timeMs)
  edgeAtMs.set(ordinal, next)
  if (next !== 0) state.campaignEdges = campaignEdges.insert(state.campaignEdges, index)
}

/** 0: none. */
export function nextEdgeMs({ validFromMs, validUntilMs }: Limits, timeMs: number): number {
  if (validFromMs !== null && validFromMs > timeMs) return validFromMs
  return validUntilMs !== null && validUntilMs > timeMs ? validUntilMs : 0
}

function startJob(state: ShardState, { plan }: JobStarted, seq: number): void {
  const job: Job = {
    seq,
    plan,
    processed: 0,
    failed: 0,
    total: plan.kind === 'IMPORT' ? 0 : plan.count,
    place: 0,
    begunAtMs: 0,
    endedAtMs: 0,
    end: null,
    errors: [],
    firstOrdinal: 0,
    edgeAtMs: 0,
  }
  state.jobs.set(seq, job)
  state.openJobs.set(seq, job)
}

function makeCodes(state: ShardState, event: CodesMade, seq: number, timeMs: number): void {
  const { codes, bulk } = state.tables
  const job = jobAt(state, event.jobSeq)
  const { plan } = job
  assert(plan.kind !== 'IMPORT', 'an import makes no codes of its own')
  if (job.begunAtMs === 0) beginBatch(state, job, plan, event.firstOrdinal, timeMs)
  state.ranges.add({ firstOrdinal: event.firstOrdinal, jobSeq: job.seq, seq, atMs: timeMs })
  const prefix = bytesOf(plan.prefix)
  code.set(prefix.buf.subarray(prefix.start, prefix.end))
  const drawn = plan.length - plan.prefix.length
  const { buf, start, end } = event.letters
  assert(end - start === drawn * event.count, 'the letters of codes made have another length than their number says')
  for (let i = 0; i < event.count; i++) {
    for (let at = 0; at < drawn; at++) code[plan.prefix.length + at] = buf[start + i * drawn + at] as number
    const ordinal = bulk.add(code, 0, plan.length)
    assert(ordinal === event.firstOrdinal + i, 'ordinals of codes made are not dense')
    codes.set(code, 0, plan.length, ordinal)
    const userId = plan.userIds[job.processed + i]
    if (userId !== undefined) setOwner(state, ordinal, userId)
    settlePool(state, ordinal)
  }
  job.processed += event.count
  const { campaign } = plan.definition
  if (campaign === null || campaign.shard !== state.shard) return
  const made = state.tables.campaigns.codes
  made.set(campaign.index, made.get(campaign.index) + event.count)
}

function beginBatch(state: ShardState, job: Job, plan: CodesPlan, firstOrdinal: number, timeMs: number): void {
  job.begunAtMs = timeMs
  job.firstOrdinal = firstOrdinal
  job.edgeAtMs = nextEdgeMs(plan.definition, timeMs)
  setNextBatchEdge(state)
}

/** The only user that a code made in bulk serves; null: everybody. */
export function setOwner(state: ShardState, ordinal: number, userId: string | null): void {
  const { owner } = state.tables.bulk
  if (userId === null) {
    for (const word of owner) word.set(ordinal, 0)
    return
  }
  state.hashUser(bytesOf(userId), key)
  owner[0].set(ordinal, key.k0)
  owner[1].set(ordinal, (key.k0 | key.k1) === 0 ? 1 : key.k1)
  owner[2].set(ordinal, key.k2)
  owner[3].set(ordinal, key.k3)
}

function setBatchEdge(job: Job, timeMs: number): void {
  assert(job.plan.kind !== 'IMPORT', 'an import has no window')
  job.edgeAtMs = nextEdgeMs(job.plan.definition, timeMs)
}

function setNextBatchEdge(state: ShardState): void {
  let next = 0
  for (const { edgeAtMs } of state.jobs.values()) {
    if (edgeAtMs !== 0 && (next === 0 || edgeAtMs < next)) next = edgeAtMs
  }
  state.batchEdgeMs = next
}
