/**
 * `POST /coupons/generate`: many coupons of one set of rules, by a job on one shard: the campaign's, or any.
 *
 *     START_JOB ──▶ up to 1,000: until it has ended ──▶ pages of its codes ──▶ each coupon ──▶ 201 {data}
 *         └──────▶ more, or it takes long, or they are long together ────────────────────────▶ 202 {jobId}
 *
 * A small job is usually done by the time its beginning is on disk: both are in the same group commit. Where longer jobs stand
 * before it, the call waits for a bounded time.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { codeCountAt, codeFormOf, type CodeForm } from './codes-fields.ts'
import { decodeDefinition } from '../coupons/coupon-json.ts'
import { BadField, objectAt } from '../json/decode-fields.ts'
import { begunJob } from './job-calls.ts'
import {
  GENERATE_BYTES_MAX,
  GENERATE_PAUSE_FIRST_MS,
  GENERATE_PAUSE_MS_MAX,
  GENERATE_WAIT_MS_MAX,
  GENERATED_AT_ONCE_MAX,
} from '../limits.ts'
import type { AnswerSink, Operation, OperationPorts } from '../operations/operations.ts'
import { problem } from '../problem.ts'
import { couponText } from '../coupons/render-coupon.ts'
import { answerOf } from '../operations/shard-call.ts'
import { askShard, Refusal, type ShardReply } from '../operations/shard-question.ts'
import { COMMAND } from '../../protocol/commands.ts'
import type { CouponDefinition } from '../../protocol/coupon.ts'
import { type JobOutcome, OUTCOME } from '../../protocol/outcomes.ts'

interface GenerateRequest extends CodeForm {
  readonly count: number
  readonly definition: CouponDefinition
}

export const generateCoupons: Operation = {
  name: 'generateCoupons',
  roles: ['marketing'],
  start(ports, input, sink) {
    let request: GenerateRequest
    try {
      request = decodeGenerate(input.body)
      refuseForeignShard(ports, request.definition)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      sink.refused(error.found, '')
      return
    }
    generate(ports, request, input.caller.name, sink).catch((error: unknown) => {
      if (error instanceof Refusal) {
        sink.refused(error.found, error.position)
        return
      }
      sink.refused(problem('OUTCOME_UNKNOWN', 'it may have been done, but the answer could not be made'), '')
      ports.failed(error)
    })
  },
}

function decodeGenerate(body: unknown): GenerateRequest {
  const { count, length, prefix, ...rules } = objectAt(body, '')
  if (rules['code'] !== undefined) throw new BadField('/code', 'is drawn by the engine; say how it begins with prefix')
  return {
    count: count === undefined ? 1 : codeCountAt(count, '/count'),
    definition: { ...decodeDefinition(rules, () => ''), code: '' },
    ...codeFormOf({ length, prefix }),
  }
}

function refuseForeignShard({ router }: OperationPorts, { campaign }: CouponDefinition): void {
  if (campaign === null || campaign.shard < router.shards) return
  throw new Refusal(problem('CAMPAIGN_NOT_FOUND', 'there is no such campaign'))
}

async function generate(
  ports: OperationPorts,
  request: GenerateRequest,
  by: string | null,
  sink: AnswerSink,
): Promise<void> {
  const { definition, count } = request
  const { campaign } = definition
  const shard = campaign === null ? anyShard(ports) : campaign.shard
  const begun = await askShard(ports, shard, {
    type: COMMAND.START_JOB,
    by,
    plan: { kind: 'COUPONS', distribution: 'EXPORTED', userIds: [], ...request },
  })
  const { jobSeq } = jobOf(begun)
  const reading = { ...ports, transport: ports.plainTransport ?? ports.transport }
  const made = count > GENERATED_AT_ONCE_MAX ? null : await madeCoupons(reading, shard, jobSeq)
  const answer = made === null ? begunJob(shard, jobSeq) : answerOf(201, `{"data":[${made.texts.join(',')}]}`)
  answer.position = made?.position ?? begun.position
  sink.answered(answer)
}

/** The number of shards is a power of two up to 1,024, so none is likelier than another. */
function anyShard({ random, router }: OperationPorts): number {
  const [high, low] = random(2) as unknown as [number, number]
  return (high * 256 + low) % router.shards
}

interface Made {
  /** JSON texts of coupons. */
  readonly texts: readonly string[]
  readonly position: string
}

/** null: the job has not ended in time, or not well, or its coupons are too long for one answer. */
async function madeCoupons(ports: OperationPorts, shard: number, jobSeq: number): Promise<Made | null> {
  if (!(await isDoneInTime(ports, shard, jobSeq))) return null
  const texts: string[] = []
  let bytes = 0
  let position = ''
  for (let fromOrdinal = 0; ; ) {
    const page = await askShard(ports, shard, {
      type: COMMAND.LIST_CODES,
      campaignIndex: -1,
      jobSeq,
      fromOrdinal,
      limit: GENERATED_AT_ONCE_MAX,
    })
    if (page.outcome.type !== OUTCOME.CODES) throw new Error(`an outcome of type ${page.outcome.type} lists no codes`)
    const { codes, nextOrdinal } = page.outcome
    const coupons = await Promise.all(
      codes.map(({ ordinal }) => askShard(ports, shard, { type: COMMAND.GET_COUPON, coupon: { code: null, ordinal } })),
    )
    for (const coupon of coupons) {
      const text = shownCoupon(shard, coupon)
      bytes += text.length
      if (bytes > GENERATE_BYTES_MAX) return null
      texts.push(text)
      position = coupon.position
    }
    if (nextOrdinal === 0) return { texts, position }
    fromOrdinal = nextOrdinal
  }
}

async function isDoneInTime(ports: OperationPorts, shard: number, jobSeq: number): Promise<boolean> {
  let pauseMs = GENERATE_PAUSE_FIRST_MS
  for (let waitedMs = 0; ; waitedMs += pauseMs, pauseMs = Math.min(2 * pauseMs, GENERATE_PAUSE_MS_MAX)) {
    const { state } = jobOf(await askShard(ports, shard, { type: COMMAND.GET_JOB, jobSeq }))
    if (state === 'SUCCEEDED') return true
    if (state === 'FAILED' || state === 'CANCELLED' || waitedMs >= GENERATE_WAIT_MS_MAX) return false
    await pause(pauseMs)
  }
}

function jobOf({ outcome }: ShardReply): JobOutcome {
  if (outcome.type !== OUTCOME.JOB) throw new Error(`an outcome of type ${outcome.type} shows no job`)
  return outcome
}

function shownCoupon(shard: number, { outcome }: ShardReply): string {
  if (outcome.type !== OUTCOME.COUPON) throw new Error(`an outcome of type ${outcome.type} shows no coupon`)
  return couponText(shard, outcome)
}
