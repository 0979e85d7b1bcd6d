/**
 * Jobs: work that takes longer than a call, logged on one shard so that it goes on after a restart where it was.
 *
 * Jobs that make codes are worked off by the shard itself, a slice at a time. Imports are read by somebody outside, who
 * logs how far he has got.
 */
import { assert } from './assert.ts'
import type { ByteReader, ByteWriter } from './bytes.ts'
import { type CouponDefinition, readDefinition, writeDefinition } from './coupon.ts'

export const DISTRIBUTIONS = ['POOL', 'EXPORTED'] as const
/** POOL: may be claimed. EXPORTED: handed out by whoever asked for them, never claimed. */
export type Distribution = (typeof DISTRIBUTIONS)[number]

export const JOB_KINDS = ['CODES', 'COUPONS', 'IMPORT'] as const
/** CODES of a campaign; COUPONS of one set of rules; IMPORT of a file. */
export type JobKind = (typeof JOB_KINDS)[number]

export interface CodesPlan {
  readonly kind: 'CODES' | 'COUPONS'
  readonly count: number
  /** Letters of a code, those of its prefix included. */
  readonly length: number
  readonly prefix: string
  readonly distribution: Distribution
  /** What all its codes have in common. Its `code` is empty. */
  readonly definition: CouponDefinition
  /** The users that the codes are for, one each, in order; empty: for everybody. */
  readonly userIds: readonly string[]
}

export const IMPORT_FORMATS = ['CSV', 'NDJSON'] as const
export type ImportFormat = (typeof IMPORT_FORMATS)[number]

export interface ImportPlan {
  readonly kind: 'IMPORT'
  readonly format: ImportFormat
  /** Names the uploaded file in the data directory. */
  readonly file: string
  readonly bytes: number
}

export type JobPlan = CodesPlan | ImportPlan

export const JOB_ENDS = ['SUCCEEDED', 'FAILED', 'CANCELLED'] as const
export type JobEnd = (typeof JOB_ENDS)[number]

export const JOB_STATES = ['QUEUED', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED'] as const
export type JobState = (typeof JOB_STATES)[number]

/** A row that did not land, and why. */
export interface JobError {
  /** Of the file, from 1. */
  readonly line: number
  /** As in problems: INVALID_REQUEST, CODE_TAKEN, … */
  readonly code: string
  readonly detail: string
}

export function writePlan(w: ByteWriter, plan: JobPlan): void {
  w.u8(JOB_KINDS.indexOf(plan.kind))
  if (plan.kind === 'IMPORT') {
    w.u8(IMPORT_FORMATS.indexOf(plan.format))
    w.text(plan.file)
    w.varint(plan.bytes)
    return
  }
  w.varint(plan.count)
  w.varint(plan.length)
  w.text(plan.prefix)
  w.u8(DISTRIBUTIONS.indexOf(plan.distribution))
  writeDefinition(w, plan.definition)
  w.texts(plan.userIds)
}

export function readPlan(r: ByteReader): JobPlan {
  const kind = JOB_KINDS[r.u8()]
  assert(kind !== undefined, 'a job of a kind that this program does not know')
  if (kind === 'IMPORT') {
    return { kind, format: IMPORT_FORMATS[r.u8()] ?? 'CSV', file: r.text(), bytes: r.varint() }
  }
  return {
    kind,
    count: r.varint(),
    length: r.varint(),
    prefix: r.text(),
    distribution: DISTRIBUTIONS[r.u8()] ?? 'EXPORTED',
    definition: readDefinition(r),
    userIds: r.texts(),
  }
}

export function writeJobErrors(w: ByteWriter, errors: readonly JobError[]): void {
  w.varint(errors.length)
  for (const { line, code, detail } of errors) {
    w.varint(line)
    w.text(code)
    w.text(detail)
  }
}

export function readJobErrors(r: ByteReader): JobError[] {
  return Array.from({ length: r.varint() }, () => ({ line: r.varint(), code: r.text(), detail: r.text() }))
}
