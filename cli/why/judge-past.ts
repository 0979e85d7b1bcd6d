/**
 * Decides a request again at the moment of its answer, with the gateway's operation in front and the domain's rules behind.
 *
 *     request ─▶ operation (decode, route) ─▶ past transport ─▶ decide at (shard, seq, time) ─▶ answer or refusal (render)
 */
import type { AnswerSink, Answer } from '../../gateway/operations/operations.ts'
import { type Problem, problemMembers } from '../../gateway/problem.ts'
import { startOperation } from '../../gateway/operations/start-operation.ts'
import { Router } from '../../engine/routing.ts'
import type { Deployment } from '../../persistence/deployment.ts'
import { type ByteReader, ByteWriter } from '../../protocol/bytes.ts'
import { writeEvent } from '../../protocol/event-codec.ts'
import type { Event } from '../../protocol/events.ts'
import type { PastRequest } from './past-request.ts'
import {
  type Aside,
  type Asides,
  type JudgedCommand,
  type PastShard,
  PastTransport,
  type Quotes,
  type StackedCall,
} from './past-transport.ts'

export interface Told {
  readonly status: number
  /** null: a success. */
  readonly code: string | null
  /** What the client was told, without the request id of a refusal. */
  readonly body: unknown
}

export interface Judgement {
  /** null: nothing was told yet, because the request would have logged something or asks other shards first. */
  readonly told: Told | null
  readonly events: readonly Event[]
  /** What was decided, in order. */
  readonly judged: readonly JudgedCommand[]
  /** Shards that the request goes to, other than the one at hand. */
  readonly elsewhere: readonly number[]
  /** What they are asked, where that is all: their answers let the request be judged again. */
  readonly asides: readonly Aside[]
  readonly stacked: StackedCall | null
  /** A call over several shards in whose way nothing stood. */
  readonly isPlanned: boolean
}

export class PastJudge {
  private readonly router: Router
  private readonly writer = new ByteWriter(4096)

  constructor({ shards, secret }: Pick<Deployment, 'shards' | 'secret'>) {
    this.router = new Router(shards, secret)
  }

  get shards(): number {
    return this.router.shards
  }

  judge({ operation, input }: PastRequest, past: PastShard, known: Quotes | null = null, answers?: Asides): Judgement {
    const transport = new PastTransport(this.router.shards, past, known, answers)
    const sink = new ToldSink()
    const faults: unknown[] = []
    const { router, writer } = this
    const failed = (error: unknown): void => void faults.push(error)
    startOperation(operation, { transport, router, writer, random: noRandomness, failed }, input, sink)
    if (faults.length > 0) throw faults[0]
    const { judged, elsewhere, asides, stacked, isPlanned } = transport
    const events = judged.at(-1)?.decision.events ?? []
    return { told: events.length > 0 ? null : sink.told, events, judged, elsewhere, asides, stacked, isPlanned }
  }
}

/** What a shard at its own moment answers to an aside of another; null: it would have changed something. */
export function answerAside({ shard, command }: Aside, shards: number, past: PastShard): Uint8Array | null {
  let answer: Uint8Array | null = null
  const handler = {
    settled(_: unknown, reply: ByteReader): void {
      answer = reply.buf.slice(reply.pos, reply.end)
    },
  }
  new PastTransport(shards, past, null).call(shard, command, command.length, handler)
  return answer
}

class ToldSink implements AnswerSink {
  told: Told | null = null

  answered({ status, body }: Answer): void {
    this.told = { status, code: null, body: body === '' ? null : JSON.parse(body) }
  }

  refused(problem: Problem): void {
    const { status, code } = problem
    this.told = { status, code, body: JSON.parse(`{"status":${status},${problemMembers(problem)}}`) }
  }
}

/** The past has no new codes: one that was generated is in the answer, and its creation cannot be asked for again. */
function noRandomness(length: number): Uint8Array {
  return new Uint8Array(length)
}

/** Whether events are, byte for byte, what the log holds there. */
export function areTheSame(events: readonly Event[], logged: Uint8Array): boolean {
  const writer = new ByteWriter(logged.length + 64)
  for (const event of events) writeEvent(writer, event)
  return Buffer.compare(writer.buf.subarray(0, writer.pos), logged) === 0
}
