/**
 * NamingCall: a call on a coupon or reservation that the client named by its id. A refusal of it names codes and says of each
 * what `/validate` would say, as every refused checkout call does; a shard's verdicts hold no codes, so these are asked for.
 *
 *     command ──▶ refused, with verdicts ──▶ question ──▶ codes ──▶ refusal with `coupon` and `coupons`
 *
 * Only refusals take this way, and each once. Must never happen here: another refusal than the first, whatever becomes of
 * the question.
 */
import type { Problem } from '../problem.ts'
import { type ShardsOfCodes, verdictsText } from '../checkout/render-checkout.ts'
import { ShardCall } from './shard-call.ts'
import { type ReplyHandler, SETTLED, type Settled } from '../../engine/transport/port.ts'
import type { ByteReader } from '../../protocol/bytes.ts'
import type { Command } from '../../protocol/commands.ts'
import { OUTCOME, type Outcome, type Refused } from '../../protocol/outcomes.ts'

interface Unnamed {
  readonly found: Problem
  readonly outcome: Refused
  readonly position: string
}

export abstract class NamingCall extends ShardCall implements ReplyHandler {
  /** The refusal whose codes are being asked for. */
  private unnamed: Unnamed | null = null

  override settled(kind: Settled, reply: ByteReader): void {
    if (this.unnamed !== null && kind !== SETTLED.ANSWERED) this.refuseAs(this.unnamed, this.unnamed.found)
    else super.settled(kind, reply)
  }

  protected override concluded(shard: number, outcome: Outcome): void {
    if (this.unnamed === null) this.decided(shard, outcome)
    else this.refuseAs(this.unnamed, named(shardsOf(shard, outcome), this.unnamed, codesOf(outcome)))
  }

  /** `concluded`, for the outcome of the call itself. */
  protected abstract decided(shard: number, outcome: Outcome): void

  /** Refuses with the verdicts of the outcome; `question` is a command on the shard whose outcome holds the codes. */
  protected refuseNaming(
    shard: number,
    outcome: Refused,
    found: Problem,
    codes: readonly string[] | null,
    question: Command<string>,
  ): void {
    const unnamed = { found, outcome, position: this.position }
    if (outcome.verdicts === null) this.refuse(found)
    else if (codes !== null) this.refuse(named(shard, unnamed, codes))
    else {
      this.unnamed = unnamed
      this.send(shard, question)
    }
  }

  private refuseAs({ position }: Unnamed, found: Problem): void {
    this.position = position
    this.refuse(found)
  }
}

function codesOf(outcome: Outcome): readonly string[] | null {
  if (outcome.type === OUTCOME.COUPON) return [outcome.definition.code]
  return outcome.type === OUTCOME.RESERVATION ? outcome.coupons.map(({ code }) => code) : null
}

function shardsOf(shard: number, outcome: Outcome): ShardsOfCodes {
  return outcome.type === OUTCOME.RESERVATION ? outcome.coupons.map((coupon) => coupon.shard) : shard
}

function named(shards: ShardsOfCodes, { found, outcome }: Unnamed, codes: readonly string[] | null): Problem {
  const { verdicts, couponIndex } = outcome
  if (codes === null || verdicts === null || verdicts.length !== codes.length) return found
  return { ...found, coupon: codes[couponIndex] ?? null, couponsJson: verdictsText(shards, codes, verdicts) }
}
