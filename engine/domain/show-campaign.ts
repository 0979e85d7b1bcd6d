/**
 * Showing campaigns, jobs and codes made in bulk as they stand.
 */
import { assert } from '../../protocol/assert.ts'
import { type Bytes, textOf } from '../../protocol/bytes.ts'
import type { ListCodes } from '../../protocol/commands.ts'
import { BULK_ORDINALS, campaignOrdinal, isBulk } from '../../protocol/ordinals.ts'
import {
  type CampaignOutcome,
  type CampaignStatus,
  type ClaimedOutcome,
  type CodesOutcome,
  type JobOutcome,
  type JobsOutcome,
  type ListedCode,
  OUTCOME,
} from '../../protocol/outcomes.ts'
import { reservedAt, rowOfReservation } from './holds.ts'
import { type Job, jobAt, stateOfJob } from './jobs.ts'
import { statusAt } from './judge.ts'
import { LISTED_CODES_SEEN_MAX } from './limits.ts'
import { ordinalsOf } from './open-reservation.ts'
import type { History, ShardState } from './state.ts'

export function showCampaign(state: ShardState, index: number, nowMs: number): CampaignOutcome {
  const ordinal = campaignOrdinal(index)
  const { coupons, campaigns } = state.tables
  return {
    type: OUTCOME.CAMPAIGN,
    index,
    status: statusAt(state, ordinal, nowMs) as CampaignStatus,
    codes: campaigns.codes.get(index),
    poolSize: campaigns.poolSize.get(index),
    uses: coupons.uses.get(ordinal),
    reserved: reservedAt(state, ordinal, nowMs),
    discountTotalMinor: campaigns.discountTotal.get(index),
    version: coupons.version.get(ordinal),
    createdAtMs: coupons.createdAtMs.get(ordinal),
    updatedAtMs: coupons.updatedAtMs.get(ordinal),
    definition: state.campaign(ordinal),
  }
}

/** A claimed coupon under the reservation that keeps it, which is open. */
export function showClaim(state: ShardState, seq: number, again: boolean, nowMs: number): ClaimedOutcome {
  const { coupons, holds } = state.tables
  const head = rowOfReservation(state, seq)
  const ordinal = head < 0 ? -1 : ordinalsOf(state, head)[0]
  assert(ordinal !== undefined && isBulk(ordinal), `no claim at ${seq}`)
  return {
    type: OUTCOME.CLAIMED,
    again,
    seq,
    expiresAtMs: holds.untilMs.get(head),
    ordinal,
    status: statusAt(state, ordinal, nowMs),
    uses: coupons.uses.get(ordinal),
    reserved: reservedAt(state, ordinal, nowMs),
    version: coupons.version.get(ordinal),
    createdAtMs: state.createdAtMs(ordinal),
    updatedAtMs: state.updatedAtMs(ordinal),
    code: state.code(ordinal),
    rules: state.definition(ordinal),
    offer: state.offer(ordinal),
  }
}

export function showJob(state: ShardState, seq: number): JobOutcome {
  return jobOutcome(jobAt(state, seq))
}

export function showOpenJobs(state: ShardState): JobsOutcome {
  return { type: OUTCOME.JOBS, jobs: [...state.openJobs.values()].map(jobOutcome) }
}

function jobOutcome(job: Job): JobOutcome {
  const { seq, plan, processed, total, failed, begunAtMs, endedAtMs, errors, place } = job
  return {
    type: OUTCOME.JOB,
    jobSeq: seq,
    kind: plan.kind,
    state: stateOfJob(job),
    processed,
    total,
    failed,
    begunAtMs,
    endedAtMs,
    errors,
    place,
    file: plan.kind === 'IMPORT' ? plan.file : null,
    bytes: plan.kind === 'IMPORT' ? plan.bytes : 0,
  }
}

/**
 * A page of codes, stretch by stretch as they were made: a stretch of another job or campaign is passed over as a whole. It looks
 * at a bounded number of codes and stretches, so a page may be short or empty and still go on.
 */
export function showCodes(state: ShardState, history: History, command: ListCodes, nowMs: number): CodesOutcome {
  const [first, end] = boundsOf(state, command.jobSeq)
  const codes: ListedCode[] = []
  let ordinal = Math.max(first, command.fromOrdinal)
  for (let seen = 0; ordinal < end && codes.length < command.limit && seen < LISTED_CODES_SEEN_MAX; seen++) {
    if (isWanted(state, ordinal, command.campaignIndex)) {
      codes.push(listedCode(state, history, ordinal, nowMs))
      ordinal++
    } else {
      ordinal = state.ranges.endOf(ordinal)
    }
  }
  return { type: OUTCOME.CODES, codes, nextOrdinal: ordinal < end ? ordinal : 0 }
}

/** The codes of a job stand together; 0: those of all jobs. */
function boundsOf(state: ShardState, jobSeq: number): readonly [number, number] {
  if (jobSeq === 0) return [BULK_ORDINALS, BULK_ORDINALS + state.tables.bulk.size]
  const job = state.jobs.get(jobSeq)
  if (job === undefined || job.plan.kind === 'IMPORT') return [0, 0]
  return [job.firstOrdinal, job.firstOrdinal + job.processed]
}

function isWanted(state: ShardState, ordinal: number, campaignIndex: number): boolean {
  if (campaignIndex < 0) return true
  const { campaign } = state.definition(ordinal)
  return campaign !== null && campaign.index === campaignIndex && campaign.shard === state.shard
}

function listedCode(state: ShardState, history: History, ordinal: number, nowMs: number): ListedCode {
  const status = statusAt(state, ordinal, nowMs)
  const { coupons, bulk } = state.tables
  const isUsed = coupons.uses.get(ordinal) > 0
  const isHeld = !isUsed && reservedAt(state, ordinal, nowMs) > 0
  const last = isUsed || isHeld ? history.at(bulk.lastSeq.get(ordinal)) : null
  return {
    ordinal,
    code: state.code(ordinal),
    status,
    holder: userOf(last?.event) ?? ownerOf(state, ordinal),
    createdAtMs: state.createdAtMs(ordinal),
    lockedUntilMs: isHeld ? heldUntilMs(state, ordinal) : 0,
    redeemedAtMs: isUsed ? (last?.atMs ?? 0) : 0,
  }
}

function userOf(event: { readonly type: number; readonly user?: Bytes } | undefined): string | null {
  return event?.user === undefined ? null : textOf(event.user)
}

/** The first hold of a code that has one use is the only one. */
function heldUntilMs(state: ShardState, ordinal: number): number {
  const { coupons, holds } = state.tables
  const row = coupons.holds.get(ordinal)
  return row < 0 ? 0 : holds.untilMs.get(holds.head.get(row))
}

/** The only user that a code made in bulk serves; null: everybody. */
export function ownerOf(state: ShardState, ordinal: number): string | null {
  const { userId } = state.definition(ordinal)
  if (userId !== null || !state.hasOwner(ordinal)) return userId
  const { plan, firstOrdinal } = jobAt(state, state.ranges.of(ordinal).jobSeq)
  return plan.kind === 'IMPORT' ? null : (plan.userIds[ordinal - firstOrdinal] ?? null)
}
