/**
 * decide, for jobs: begin, cancel, report, and the next slice of one that makes codes.
 *
 * Codes are drawn from bytes that the shell brings (a CSPRNG): five bits a letter of an alphabet of 32, so no letter is likelier
 * than another. The last two letters are drawn among those that bring the code to this shard (engine/routing.ts), so that a
 * campaign's codes live beside its limits.
 */
import { assert } from '../../protocol/assert.ts'
import { Bytes, bytesOf } from '../../protocol/bytes.ts'
import { CODE_ALPHABET, codeFault } from '../../protocol/codes.ts'
import type { EndJob, ProgressJob, StartJob } from '../../protocol/commands.ts'
import { type CodesMade, EVENT, type Event } from '../../protocol/events.ts'
import type { CodesPlan } from '../../protocol/jobs.ts'
import { BULK_ORDINALS } from '../../protocol/ordinals.ts'
import { OUTCOME } from '../../protocol/outcomes.ts'
import { answered, decided, type Decision, LAST_EVENT, refused } from './decision.ts'
import type { Job } from './jobs.ts'
import { CODES_AT_ONCE_MAX, OPEN_JOBS_MAX } from './limits.ts'
import type { ShardState } from './state.ts'
import type { CodeEndings } from './surroundings.ts'

const NOT_FOUND: Decision = refused('JOB_NOT_FOUND', 'there is no such job')
const LETTERS = CODE_ALPHABET.length
const ENDING_LETTERS = 2
const CODE_LETTERS_MAX = 64
const NAMES_LETTERS_MAX = 8
/** Bytes of randomness a code: one a letter, and two for its ending. */
const ENDING_BYTES = 2

export function decideStartJob(state: ShardState, { by, plan }: StartJob): Decision {
  if (state.openJobs.size >= OPEN_JOBS_MAX) {
    return refused('STORAGE_UNAVAILABLE', 'too many jobs wait on this shard; nothing was done')
  }
  if (plan.kind !== 'IMPORT') {
    const { campaign } = plan.definition
    if (campaign !== null && (campaign.shard !== state.shard || campaign.index >= state.campaigns.length)) {
      return refused('CAMPAIGN_NOT_FOUND', 'there is no such campaign')
    }
    const room = spaceOf(plan, state.around.shards)
    if ((plannedLike(state, plan) + plan.count) * 2 > room) {
      return refused(
        'CODE_SPACE_TOO_SMALL',
        `codes of ${plan.length} letters with this prefix are ${room} on the campaign's shard, and more than half of them would be taken; ask for longer ones`,
      )
    }
  }
  return decided([{ type: EVENT.JOB_STARTED, by, plan }], { type: OUTCOME.JOB, seq: LAST_EVENT })
}

/** This shard's share of all codes of a form. */
function spaceOf({ length, prefix }: CodesPlan, shards: number): number {
  return LETTERS ** (length - prefix.length) / shards
}

function plannedLike(state: ShardState, { length, prefix }: CodesPlan): number {
  let count = 0
  for (const { plan, processed, end } of state.jobs.values()) {
    if (plan.kind === 'IMPORT' || plan.length !== length || plan.prefix !== prefix) continue
    count += end === null ? plan.count : processed
  }
  return count
}

export function decideGetJob(state: ShardState, seq: number): Decision {
  return state.jobs.has(seq) ? answered({ type: OUTCOME.JOB, seq }) : NOT_FOUND
}

export function decideProgressJob(state: ShardState, command: ProgressJob): Decision {
  const job = state.jobs.get(command.jobSeq)
  if (job === undefined) return NOT_FOUND
  const shown = { type: OUTCOME.JOB, seq: job.seq } as const
  // Said twice, after it was cancelled, or of a job that nobody outside works off.
  if (job.end !== null || job.plan.kind !== 'IMPORT' || command.place < job.place) return answered(shown)
  const { jobSeq, processed, failed, total, place, errors } = command
  return decided([{ type: EVENT.JOB_PROGRESSED, jobSeq, processed, failed, total, place, errors }], shown)
}

export function decideEndJob(state: ShardState, { jobSeq, end, reason }: EndJob): Decision {
  const job = state.jobs.get(jobSeq)
  if (job === undefined) return NOT_FOUND
  const shown = { type: OUTCOME.JOB, seq: jobSeq } as const
  return job.end !== null ? answered(shown) : decided([{ type: EVENT.JOB_ENDED, jobSeq, end, reason }], shown)
}

/** Bytes of randomness that a slice of this job takes at most. */
export function randomBytesFor({ plan, processed }: Job): number {
  assert(plan.kind !== 'IMPORT', 'an import draws no codes')
  return Math.min(CODES_AT_ONCE_MAX, plan.count - processed) * (drawnLetters(plan) + ENDING_BYTES)
}

/**
 * The next slice: as many codes as the bytes give, fewer where some are taken already. The event that ends the job comes with
 * its last code.
 */
export function decideCodes(state: ShardState, job: Job, random: Uint8Array): Event[] {
  const { plan, seq: jobSeq } = job
  assert(plan.kind !== 'IMPORT', 'an import draws no codes')
  const wanted = plan.count - job.processed
  const made = wanted === 0 ? null : drawCodes(state, plan, jobSeq, random)
  const events: Event[] = made === null ? [] : [made]
  if (wanted === (made?.count ?? 0)) events.push({ type: EVENT.JOB_ENDED, jobSeq, end: 'SUCCEEDED', reason: null })
  return events
}

function drawnLetters({ length, prefix }: CodesPlan): number {
  return length - prefix.length
}

function drawCodes(state: ShardState, plan: CodesPlan, jobSeq: number, random: Uint8Array): CodesMade | null {
  const drawn = drawnLetters(plan)
  const atOnce = Math.floor(random.length / (drawn + ENDING_BYTES))
  const letters = new Uint8Array(atOnce * drawn)
  const code = new Uint8Array(CODE_LETTERS_MAX)
  const prefix = bytesOf(plan.prefix)
  code.set(prefix.buf.subarray(prefix.start, prefix.end))
  const inSlice = new Set<string>()
  // Short enough to spell one of the names that no coupon may have.
  const isShort = plan.length <= NAMES_LETTERS_MAX
  const { codes, bulk } = state.tables
  let count = 0
  for (let i = 0; i < atOnce; i++) {
    const from = i * (drawn + ENDING_BYTES)
    drawOne(code, plan.prefix.length, drawn, random, from, state.around.endings)
    if (codes.get(code, 0, plan.length) >= 0) continue
    const text = String.fromCharCode(...code.subarray(plan.prefix.length, plan.length))
    if (inSlice.has(text) || (isShort && codeFault(plan.prefix + text) !== null)) continue
    inSlice.add(text)
    letters.set(code.subarray(plan.prefix.length, plan.length), count * drawn)
    count++
  }
  if (count === 0) return null
  return {
    type: EVENT.CODES_MADE,
    jobSeq,
    firstOrdinal: BULK_ORDINALS + bulk.size,
    count,
    letters: new Bytes(letters, 0, count * drawn),
  }
}

/** Writes one code behind its prefix: every letter but the last two as drawn, these so that the code comes to this shard. */
function drawOne(
  code: Uint8Array,
  prefixLength: number,
  drawn: number,
  random: Uint8Array,
  from: number,
  endings: CodeEndings,
): void {
  const heads = drawn - ENDING_LETTERS
  for (let at = 0; at < heads; at++) {
    code[prefixLength + at] = CODE_ALPHABET.charCodeAt((random[from + at] as number) % LETTERS)
  }
  // A power of two divides 65,536, so no ending is likelier than another.
  const pick = ((random[from + drawn] as number) * 256 + (random[from + drawn + 1] as number)) % endings.count
  const ending = endings.ending(code, prefixLength + heads, pick)
  code[prefixLength + heads] = CODE_ALPHABET.charCodeAt(ending >>> 5)
  code[prefixLength + heads + 1] = CODE_ALPHABET.charCodeAt(ending & 31)
}
