/**
 * Outcomes about campaigns, codes and jobs as bytes, behind the type byte (see `outcome-codec.ts`).
 */
import type { ByteReader, ByteWriter } from './bytes.ts'
import { readCampaign, writeCampaign } from './campaign.ts'
import { named } from './fields.ts'
import { JOB_KINDS, JOB_STATES, readJobErrors, writeJobErrors } from './jobs.ts'
import {
  CAMPAIGN_STATUSES,
  type CampaignOutcome,
  type CodesOutcome,
  COUPON_STATUSES,
  type JobOutcome,
  type JobsOutcome,
  type ListedCode,
  OUTCOME,
  type PutOutcome,
} from './outcomes.ts'

const PUTS = ['CREATED', 'CHANGED', 'UNCHANGED', 'DUPLICATE'] as const

export type CampaignSideOutcome = CampaignOutcome | JobOutcome | CodesOutcome | JobsOutcome | PutOutcome

export function writeCampaignOutcome(w: ByteWriter, outcome: CampaignSideOutcome): void {
  switch (outcome.type) {
    case OUTCOME.CAMPAIGN:
      w.varint(outcome.index)
      w.u8(CAMPAIGN_STATUSES.indexOf(outcome.status))
      w.varint(outcome.codes)
      w.varint(outcome.poolSize)
      w.varint(outcome.uses)
      w.varint(outcome.reserved)
      w.varint(outcome.discountTotalMinor)
      w.varint(outcome.version)
      w.varint(outcome.createdAtMs)
      w.varint(outcome.updatedAtMs)
      writeCampaign(w, outcome.definition)
      return
    case OUTCOME.JOB:
      writeJob(w, outcome)
      return
    case OUTCOME.JOBS:
      w.varint(outcome.jobs.length)
      for (const job of outcome.jobs) writeJob(w, job)
      return
    case OUTCOME.CODES:
      w.varint(outcome.codes.length)
      for (const listed of outcome.codes) writeListed(w, listed)
      w.varint(outcome.nextOrdinal)
      return
    case OUTCOME.PUT:
      w.u8(PUTS.indexOf(outcome.did))
      w.varint(outcome.ordinal)
      w.varint(outcome.firstLine)
      return
  }
}

export function readCampaignOutcome(r: ByteReader, type: CampaignSideOutcome['type']): CampaignSideOutcome {
  switch (type) {
    case OUTCOME.CAMPAIGN:
      return {
        type,
        index: r.varint(),
        status: named(CAMPAIGN_STATUSES, r.u8()),
        codes: r.varint(),
        poolSize: r.varint(),
        uses: r.varint(),
        reserved: r.varint(),
        discountTotalMinor: r.varint(),
        version: r.varint(),
        createdAtMs: r.varint(),
        updatedAtMs: r.varint(),
        definition: readCampaign(r),
      }
    case OUTCOME.JOB:
      return readJob(r)
    case OUTCOME.JOBS:
      return { type, jobs: Array.from({ length: r.varint() }, () => readJob(r)) }
    case OUTCOME.CODES:
      return { type, codes: Array.from({ length: r.varint() }, () => readListed(r)), nextOrdinal: r.varint() }
    case OUTCOME.PUT:
      return { type, did: named(PUTS, r.u8()), ordinal: r.varint(), firstLine: r.varint() }
  }
}

function writeJob(w: ByteWriter, job: JobOutcome): void {
  w.varint(job.jobSeq)
  w.u8(JOB_KINDS.indexOf(job.kind))
  w.u8(JOB_STATES.indexOf(job.state))
  w.varint(job.processed)
  w.varint(job.total)
  w.varint(job.failed)
  w.varint(job.begunAtMs)
  w.varint(job.endedAtMs)
  writeJobErrors(w, job.errors)
  w.varint(job.place)
  w.maybeText(job.file)
  w.varint(job.bytes)
}

function readJob(r: ByteReader): JobOutcome {
  return {
    type: OUTCOME.JOB,
    jobSeq: r.varint(),
    kind: named(JOB_KINDS, r.u8()),
    state: named(JOB_STATES, r.u8()),
    processed: r.varint(),
    total: r.varint(),
    failed: r.varint(),
    begunAtMs: r.varint(),
    endedAtMs: r.varint(),
    errors: readJobErrors(r),
    place: r.varint(),
    file: r.maybeText(),
    bytes: r.varint(),
  }
}

function writeListed(w: ByteWriter, listed: ListedCode): void {
  w.varint(listed.ordinal)
  w.text(listed.code)
  w.u8(COUPON_STATUSES.indexOf(listed.status))
  w.maybeText(listed.holder)
  w.varint(listed.createdAtMs)
  w.varint(listed.lockedUntilMs)
  w.varint(listed.redeemedAtMs)
}

function readListed(r: ByteReader): ListedCode {
  return {
    ordinal: r.varint(),
    code: r.text(),
    status: named(COUPON_STATUSES, r.u8()),
    holder: r.maybeText(),
    createdAtMs: r.varint(),
    lockedUntilMs: r.varint(),
    redeemedAtMs: r.varint(),
  }
}
