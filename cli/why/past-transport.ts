/**
 * A transport to the past: commands reach a shard as it stood at one position, `decide` judges them, and nothing changes.
 *
 * A read or a refusal is answered as it was then. A decision that would have logged something ends the call here, because its
 * answer shows what only the applied events make; the decision itself is what is asked for.
 *
 * A call over several shards needs what the others said. Until that is known it ends here, too, and leaves the question; with
 * the quotes at hand the coordinator's own rules make the answer of them.
 */
import { decide } from '../../engine/domain/decide.ts'
import { decideStack } from '../../engine/domain/decide-stack.ts'
import { decideExtendStack, decideRedeemStack } from '../../engine/domain/decide-stacked-reservation.ts'
import { isPlan } from '../../engine/domain/stack-plan.ts'
import type { Told } from '../../engine/domain/stack-quotes.ts'
import { type Decision, HAND_OVER } from '../../engine/domain/decision.ts'
import { showCampaign, showClaim, showCodes, showJob, showOpenJobs } from '../../engine/domain/show-campaign.ts'
import { showCoupon, showRedemption, showReservation } from '../../engine/domain/show.ts'
import type { History, ShardState } from '../../engine/domain/state.ts'
import { type Question, questionOf, type StackedCommand } from '../../engine/shard/stack-questions.ts'
import { type ReplyHandler, SETTLED, type ShardTransport } from '../../engine/transport/port.ts'
import { ByteReader, ByteWriter } from '../../protocol/bytes.ts'
import { readCommand } from '../../protocol/command-codec.ts'
import { COMMAND, type Command } from '../../protocol/commands.ts'
import { writeOutcome, writePosition } from '../../protocol/outcome-codec.ts'
import { type IdText, type Outcome, OUTCOME, type Position, type Quote } from '../../protocol/outcomes.ts'
import { UsageFault } from '../rebuild/positions.ts'

/** One shard at one moment. */
export interface PastShard {
  readonly state: ShardState
  readonly history: History
  readonly nowMs: number
}

export interface JudgedCommand {
  readonly command: Command
  readonly decision: Decision
}

/** What the other shards of a call had said. */
export interface Quotes {
  /** One a coupon of the call; null where the coordinator judges itself. */
  readonly quotes: readonly (Quote | null)[]
  readonly positions: readonly Position[]
}

/** A call over several shards as its coordinator met it. */
export interface StackedCall {
  readonly command: StackedCommand
  readonly question: Question
}

/** What another shard is asked on the way, without a part in a transaction: a campaign's rules for a coupon of another shard. */
export interface Aside {
  readonly shard: number
  readonly command: Uint8Array
}

/** Answers to asides, by `asideKey`. */
export type Asides = ReadonlyMap<string, Uint8Array>

export function asideKey({ shard, command }: Aside): string {
  return `${shard} ${Buffer.from(command).toString('hex')}`
}

const NO_ASIDES: Asides = new Map()

export class PastTransport implements ShardTransport {
  readonly shards: number
  readonly inFlight = 0
  /** What reached the shard, in order. */
  readonly judged: JudgedCommand[] = []
  /** Shards that were called and are not the one at hand. */
  readonly elsewhere: number[] = []
  /** What they were asked, where nobody has answered. */
  readonly asides: Aside[] = []
  /** Set where the call is over several shards and this one coordinates. */
  stacked: StackedCall | null = null
  /** The coordinator would have gone ahead and asked the others to prepare. */
  isPlanned = false
  private readonly past: PastShard
  private readonly known: Quotes | null
  private readonly answers: Asides

  constructor(shards: number, past: PastShard, known: Quotes | null, answers: Asides = NO_ASIDES) {
    this.shards = shards
    this.past = past
    this.known = known
    this.answers = answers
  }

  call(shard: number, bytes: Uint8Array, length: number, handler: ReplyHandler): void {
    const { state, history, nowMs } = this.past
    if (shard !== state.shard) {
      const aside = { shard, command: bytes.slice(0, length) }
      const answer = this.answers.get(asideKey(aside))
      if (answer !== undefined) {
        handler.settled(SETTLED.ANSWERED, new ByteReader(answer, 0, answer.length))
        return
      }
      this.elsewhere.push(shard)
      this.asides.push(aside)
      return
    }
    const command = readCommand(new ByteReader(bytes.slice(0, length)))
    const decision = command.type === COMMAND.STACK ? null : decide(state, command, nowMs, history)
    if (decision !== null && decision.answer.type !== HAND_OVER) {
      this.conclude(command, decision, handler, null)
      return
    }
    const stacked = stackedCommand(command)
    this.stacked = { command: stacked, question: questionOf(shard, stacked, history, state) }
    if (this.known === null) return
    const made = this.decideStacked(stacked, this.known)
    if (made === null) this.isPlanned = true
    else this.conclude(command, made, handler, this.known.positions)
  }

  /** null: nothing stood in the way. */
  private decideStacked(command: StackedCommand, { quotes: coupons }: Quotes): Decision | null {
    const { state, history, nowMs } = this.past
    const quotes: Told = { coupons, campaigns: coupons.map(() => null), fullDays: [] }
    switch (command.type) {
      case COMMAND.STACK: {
        const made = decideStack(state, command, quotes, nowMs, history)
        return isPlan(made) ? null : made
      }
      case COMMAND.REDEEM_RESERVATION: {
        const made = decideRedeemStack(state, command, quotes, nowMs, history)
        return isPlan(made) ? null : made
      }
      case COMMAND.EXTEND_RESERVATION:
        return decideExtendStack(state, command, quotes, nowMs, history)
      default:
        return null
    }
  }

  private conclude(
    command: Command,
    decision: Decision,
    handler: ReplyHandler,
    positions: readonly Position[] | null,
  ): void {
    const { state, nowMs } = this.past
    this.judged.push({ command, decision })
    if (decision.events.length > 0) return
    const outcome = this.outcomeOf(decision.answer)
    const reply = new ByteWriter(256)
    writePosition(reply, { shard: state.shard, seq: state.seq, timeMs: nowMs })
    writeOutcome(reply, positions === null ? outcome : { type: OUTCOME.ACROSS, positions, outcome })
    handler.settled(SETTLED.ANSWERED, new ByteReader(reply.buf, 0, reply.pos))
  }

  private outcomeOf(answer: Decision['answer']): Outcome<IdText> {
    const { state, history, nowMs } = this.past
    switch (answer.type) {
      case OUTCOME.COUPON:
        return showCoupon(state, history, answer.ordinal, nowMs)
      case OUTCOME.RESERVATION:
        return showReservation(state, history, answer.seq, answer.again, nowMs)
      case OUTCOME.REDEMPTION:
        return showRedemption(state, history, answer.seq, answer.replayed)
      case OUTCOME.CAMPAIGN:
        return showCampaign(state, answer.index, nowMs)
      case OUTCOME.CLAIMED:
        return showClaim(state, answer.seq, answer.again, nowMs)
      case OUTCOME.JOB:
        return showJob(state, answer.seq)
      case OUTCOME.JOBS:
        return showOpenJobs(state)
      case OUTCOME.CODES:
        return showCodes(state, history, answer.command, nowMs)
      case OUTCOME.DONE_BEFORE:
      case HAND_OVER:
        throw new RangeError('a decision that no request of the past leads to')
      default:
        return answer
    }
  }
}

function stackedCommand(command: Command): StackedCommand {
  switch (command.type) {
    case COMMAND.STACK:
    case COMMAND.REDEEM_RESERVATION:
    case COMMAND.EXTEND_RESERVATION:
      return command
    default:
      throw new UsageFault(
        'this call took a part of another shard, of a campaign that lives there or of a day that is counted there; such a call is not explained',
      )
  }
}
