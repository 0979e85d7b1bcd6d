/**
 * A cart judged by quotes: each shard says what its coupons may do and hands out their rules, and the pure `combineQuotes`
 * makes one answer of it. Used where codes live on several shards, or where one of them cannot exist at all. A reservation or
 * redemption of such a set is judged in the same way, and refused in any case: for the first check that fails, or because
 * several shards cannot yet be redeemed in one call.
 *
 *     codes   A1  B7  A2  ??         quotes   0  1  2  3
 *     shard 4 ◀── A1, A2 ───────────────────  0     2
 *     shard 9 ◀────── B7 ──────────────────      1
 *     nobody          ?? ──────────────────            3  COUPON_NOT_FOUND
 *
 * The shards are asked at once. The first that cannot answer ends the call; answers that come later find nobody.
 */
import type { CheckoutInput } from './decode-checkout.ts'
import { positionText } from './json-text.ts'
import type { AnswerSink, OperationPorts } from './operations.ts'
import { invalid, type Problem, problem } from './problem.ts'
import { validatedText, verdictsText } from './render-checkout.ts'
import { answerOf, retryAfterSeconds, unsettledProblem } from './shard-call.ts'
import { combineQuotes, decisiveVerdict } from '../engine/domain/combine.ts'
import { type ReplyHandler, SETTLED, type Settled } from '../engine/transport/port.ts'
import type { ByteReader } from '../protocol/bytes.ts'
import { codeFault } from '../protocol/codes.ts'
import { writeCommand } from '../protocol/command-codec.ts'
import { COMMAND } from '../protocol/commands.ts'
import { readOutcome, readPosition } from '../protocol/outcome-codec.ts'
import { OUTCOME, type Quote, type Verdict } from '../protocol/outcomes.ts'

const NO_SUCH_COUPON = 'there is no such coupon'
const MALFORMED: Quote = {
  ordinal: -1,
  refusal: 'COUPON_NOT_FOUND',
  detail: NO_SUCH_COUPON,
  retryAfterMs: 0,
  version: 0,
  offer: null,
}

const ONE_SHARD_ONLY = invalid(
  '/codes',
  'these codes live on several shards; reserving and redeeming such a set in one call is not available yet',
)

/** The codes of one shard, and their places in the request. */
class QuotePart implements ReplyHandler {
  readonly shard: number
  readonly places: number[] = []
  private readonly call: QuotesCall

  constructor(call: QuotesCall, shard: number) {
    this.call = call
    this.shard = shard
  }

  settled(kind: Settled, reply: ByteReader): void {
    this.call.partSettled(this, kind, reply)
  }
}

class QuotesCall {
  private readonly ports: OperationPorts
  private readonly sink: AnswerSink
  private readonly input: CheckoutInput
  private readonly refuses: boolean
  private readonly quotes: Quote[]
  private readonly shards: number[]
  private readonly positions: string[] = []
  private open = 0
  private told = false

  constructor(ports: OperationPorts, sink: AnswerSink, input: CheckoutInput, refuses: boolean) {
    this.ports = ports
    this.sink = sink
    this.input = input
    this.refuses = refuses
    this.quotes = input.codes.map(() => MALFORMED)
    this.shards = input.codes.map((code) => (codeFault(code) === null ? ports.router.shardOfCode(code) : -1))
  }

  begin(): void {
    const parts = this.partsByShard()
    this.open = parts.length
    if (parts.length === 0) this.conclude()
    for (const part of parts) {
      // A part may have settled inside an earlier `call` and ended it all.
      if (this.told) return
      this.ask(part)
    }
  }

  private partsByShard(): QuotePart[] {
    const parts = new Map<number, QuotePart>()
    for (const [place, shard] of this.shards.entries()) {
      if (shard < 0) continue
      const part = parts.get(shard) ?? new QuotePart(this, shard)
      part.places.push(place)
      parts.set(shard, part)
    }
    return [...parts.values()]
  }

  private ask(part: QuotePart): void {
    const { writer, transport } = this.ports
    writer.clear()
    writeCommand(writer, {
      type: COMMAND.QUOTE,
      coupons: part.places.map((place) => ({ code: this.input.codes[place] as string, ordinal: -1 })),
      user: this.input.userId,
      order: null,
      cart: this.input.cart,
      ttlSeconds: 0,
    })
    transport.call(part.shard, writer.buf, writer.pos, part)
  }

  partSettled(part: QuotePart, kind: Settled, reply: ByteReader): void {
    if (this.told) return
    if (kind !== SETTLED.ANSWERED) {
      this.refuse(unsettledProblem(kind))
      return
    }
    try {
      const position = readPosition(reply)
      this.positions.push(positionText(position.shard, position.seq, position.timeMs))
      const outcome = readOutcome(reply)
      if (outcome.type !== OUTCOME.QUOTED) throw new Error(`an outcome of type ${outcome.type} answers no quote`)
      for (const [index, place] of part.places.entries()) this.quotes[place] = outcome.quotes[index] as Quote
      this.open--
      if (this.open === 0) this.conclude()
    } catch (error) {
      this.refuse(problem('INTERNAL_ERROR', 'the answer of a shard could not be read'))
      this.ports.failed(error)
    }
  }

  private conclude(): void {
    const { codes, cart } = this.input
    const { verdicts, price } = combineQuotes(this.quotes, cart)
    if (this.refuses) {
      this.refuse(this.refusalOf(verdicts))
      return
    }
    this.told = true
    const answer = answerOf(200, validatedText(this.shards, codes, verdicts, price))
    answer.position = this.positions.join(', ')
    this.sink.answered(answer)
  }

  /** The first failing check over all codes; where none failed, that the set cannot be taken in one call. */
  private refusalOf(verdicts: readonly Verdict[]): Problem {
    const place = decisiveVerdict(verdicts)
    const { refusal, detail } = verdicts[place] ?? { refusal: null, detail: '' }
    if (refusal === null) return ONE_SHARD_ONLY
    const { codes } = this.input
    return {
      ...problem(refusal, detail),
      coupon: codes[place] ?? null,
      couponsJson: verdictsText(this.shards, codes, verdicts),
      retryAfterSeconds: retryAfterSeconds(refusal, (this.quotes[place] as Quote).retryAfterMs),
    }
  }

  private refuse(found: Problem): void {
    if (this.told) return
    this.told = true
    this.sink.refused(found, this.positions.join(', '))
  }
}

/**
 * Judges a cart over all shards of its codes. `refuses`: the call is a reservation or redemption, which several shards, or a
 * code that cannot exist, do not allow; the quotes tell why, and what the other codes would have done.
 */
export function startQuotes(ports: OperationPorts, sink: AnswerSink, input: CheckoutInput, refuses: boolean): void {
  new QuotesCall(ports, sink, input, refuses).begin()
}
