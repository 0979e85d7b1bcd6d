/**
 * Asks the past: many requests, each with the position its answer carried, in one walk through the log. Requests about coupons
 * of several shards take two more: the other shards are asked what they said, and then the coordinator what it made of it.
 *
 *     walk 1   every request at its position            answers, and questions to other shards
 *     walk 2   the other shards at their positions      quotes
 *     walk 3   the coordinators again, with the quotes  answers
 *
 * The position of an answer counts the answer's own events. So a success is looked for where the last k events of the position
 * are exactly what the request would have logged k events earlier in the same millisecond; a refusal or a read logs nothing
 * and is judged at the position itself. One request that came twice in a millisecond has both: `again` is what the later
 * one was told.
 */
import { decideQuotes } from '../../engine/domain/decide-branch.ts'
import { COMMAND } from '../../protocol/commands.ts'
import { MESSAGE } from '../../protocol/messages.ts'
import type { Position, Quote } from '../../protocol/outcomes.ts'
import type { DataDirectory } from '../rebuild/data-directory.ts'
import { type AnswerPosition, UsageFault } from '../rebuild/positions.ts'
import type { LogProgress } from '../rebuild/read-log.ts'
import { eventName } from '../replay/life.ts'
import { acceptedStack } from './accepted-stack.ts'
import { codesOfStack, type ExplainedCoupon, type Explanation, explain, explainPart } from './explain.ts'
import { answerAside, areTheSame, type Judgement, PastJudge, type Told } from './judge-past.ts'
import type { PastRequest } from './past-request.ts'
import { type Aside, asideKey, type PastShard, type StackedCall } from './past-transport.ts'
import { type Stop, walkTo } from './walk.ts'

export interface AskedPast {
  readonly request: PastRequest
  readonly positions: readonly AnswerPosition[]
}

export interface PastAnswer {
  /** What the request was told; null: it was accepted as something new. */
  readonly told: Told | null
  /** Where it was accepted: the names of the events it logged. */
  readonly logged: readonly string[]
  /** Where it was accepted: what the same request is told once more at this position. */
  readonly again: Told | null
  readonly explanation: Explanation
}

/** Answers in the order asked. Throws UsageFault for a position that the log does not have or that fits no such request. */
export function askPast(
  directory: DataDirectory,
  asked: readonly AskedPast[],
  onProgress?: LogProgress,
): readonly PastAnswer[] {
  const judge = new PastJudge(directory.deployment)
  const questions = asked.map(({ request, positions }) => new Question(judge, request, positions))
  walkTo(
    directory,
    questions.flatMap((question) => question.stops()),
    onProgress,
  )
  const open = questions.filter((question) => question.isOpen)
  if (open.length > 0) {
    walkTo(
      directory,
      open.flatMap((question) => question.stopsAtOthers()),
      onProgress,
    )
    walkTo(
      directory,
      open.flatMap((question) => question.stopsAtCoordinator()),
      onProgress,
    )
  }
  return questions.map((question) => question.answer())
}

/** Refusals name every shard that judged, successes the coordinator alone. */
const WAS_NO_REFUSAL =
  'a call over several shards whose answer names one position was not refused; what it was told is in the log of that shard'

/** A call over several shards, with what was learnt of it. */
interface Stacked {
  readonly call: StackedCall
  readonly at: AnswerPosition
  readonly quotes: (Quote | null)[]
  readonly positions: Position[]
  /** In the order of the call. */
  readonly coupons: (ExplainedCoupon | null)[]
}

/** A read that went on to another shard. */
interface AskedAside {
  readonly at: AnswerPosition
  readonly asides: readonly Aside[]
  readonly answers: Map<string, Uint8Array>
}

class Question {
  private readonly judge: PastJudge
  private readonly request: PastRequest
  private readonly positions: readonly AnswerPosition[]
  private accepted: PastAnswer | null = null
  private last: PastAnswer | null = null
  private stacked: Stacked | null = null
  private aside: AskedAside | null = null
  private elsewhere: readonly number[] = []

  constructor(judge: PastJudge, request: PastRequest, positions: readonly AnswerPosition[]) {
    this.judge = judge
    this.request = request
    this.positions = positions
  }

  /** Other shards have to be asked. */
  get isOpen(): boolean {
    return this.stacked !== null || this.aside !== null
  }

  stops(): Stop[] {
    return this.positions.map((position) => ({ position, look: (past, ahead) => this.look(past, ahead, position) }))
  }

  /** Throws UsageFault where a shard that the coordinator asked is not among the positions. */
  stopsAtOthers(): Stop[] {
    const { stacked, aside } = this
    if (aside !== null) return this.stopsForAsides(aside)
    if (stacked === null) return []
    const { parts, user, order, cart, checks } = stacked.call.question
    return parts.map((part) => {
      const position = this.positions.find(({ shard }) => shard === part.shard)
      if (position === undefined) {
        throw new UsageFault(`the call asked shard ${part.shard}, too: give all positions of its answer, with commas`)
      }
      const look = (past: PastShard, ahead: Uint8Array): boolean => {
        if (ahead.length > 0) return false
        const { shard, nowMs } = { shard: part.shard, nowMs: past.nowMs }
        const envelope = { from: stacked.at.shard, to: shard, atMs: nowMs, call: 0, waits: false }
        const ask = {
          ...envelope,
          type: MESSAGE.ASK_QUOTES,
          coupons: part.coupons,
          user,
          order,
          cart,
          checks,
          before: [],
          days: [],
        } as const
        const { quotes } = decideQuotes(past.state, ask, nowMs, past.history)
        const explained = explainPart(past, part.coupons, stacked.call)
        for (const [i, place] of part.places.entries()) {
          stacked.quotes[place] = quotes[i] ?? null
          stacked.coupons[place] = explained[i] ?? null
        }
        stacked.positions.push({ shard, seq: position.seq, timeMs: nowMs })
        return true
      }
      return { position, look }
    })
  }

  stopsAtCoordinator(): Stop[] {
    const { stacked, aside } = this
    if (aside !== null) return [{ position: aside.at, look: (past, ahead) => this.lookAgain(past, ahead, aside) }]
    if (stacked === null) return []
    const { at, quotes, positions } = stacked
    const look = (past: PastShard, ahead: Uint8Array): boolean => {
      const judgement = this.judge.judge(this.request, past, { quotes, positions })
      if (ahead.length > 0) {
        if (judgement.events.length > 0 && areTheSame(judgement.events, ahead)) {
          this.accepted = this.stackedAnswer(judgement, past, stacked)
        }
        return false
      }
      if (judgement.told !== null) this.last = this.stackedAnswer(judgement, past, stacked)
      const logged = acceptedStack(past, stacked.call.command)
      if (logged !== null)
        this.accepted = { ...this.stackedAnswer(judgement, past, stacked), told: null, logged: [logged] }
      return true
    }
    return [{ position: at, look }]
  }

  answer(): PastAnswer {
    const { accepted, last } = this
    if (accepted !== null) return { ...accepted, again: last?.told ?? null }
    if (last !== null) return last
    const where = this.elsewhere.length === 0 ? 'another moment' : `shard ${this.elsewhere.join(', ')}`
    throw new UsageFault(`the answer to this request is of ${where}: is the position of the same call?`)
  }

  private look(past: PastShard, ahead: Uint8Array, at: AnswerPosition): boolean {
    const judgement = this.judge.judge(this.request, past)
    const { stacked, events, told } = judgement
    if (stacked !== null) {
      // Handed over a moment too early, and answered by this shard alone at the moment itself.
      if (ahead.length > 0 && this.positions.length === 1) return false
      const logged = ahead.length > 0 ? null : acceptedStack(past, stacked.command)
      if (this.positions.length === 1) {
        const answer = answerOf(judgement, { coupons: [], remarks: [WAS_NO_REFUSAL] })
        if (logged === null) this.last = { ...answer, told: { status: 200, code: null, body: null } }
        else this.accepted = { ...answer, logged: [logged] }
        return true
      }
      const { count } = stacked.question
      const nothing = Array.from({ length: count }, () => null)
      this.stacked = { call: stacked, at, quotes: [...nothing], positions: [], coupons: [...nothing] }
      return false
    }
    if (judgement.elsewhere.length > 0) this.elsewhere = judgement.elsewhere
    if (this.canBeAnswered(judgement)) {
      if (ahead.length === 0) this.aside = { at, asides: judgement.asides, answers: new Map() }
      return false
    }
    if (ahead.length === 0) {
      if (told === null || judgement.elsewhere.length > 0) return false
      this.last = answerOf(judgement, explain(past, judgement.judged))
      // The order is known to this shard by now, so it answers alone what it had to ask others about.
      const command = judgement.judged.find((each) => each.command.type === COMMAND.REDEEM_RESERVATION)?.command
      const logged = command?.type === COMMAND.REDEEM_RESERVATION ? acceptedStack(past, command) : null
      if (logged !== null) this.accepted = { ...this.last, told: null, logged: [logged] }
    } else if (events.length > 0 && areTheSame(events, ahead)) {
      this.accepted = answerOf(judgement, explain(past, judgement.judged))
    }
    return false
  }

  /** It went on from here, and every shard that was asked on the way has a position of its own. */
  private canBeAnswered({ judged, asides }: Judgement): boolean {
    if (judged.length === 0 || asides.length === 0) return false
    return asides.every((aside) => this.positions.some(({ shard }) => shard === aside.shard))
  }

  private stopsForAsides({ asides, answers }: AskedAside): Stop[] {
    return this.positions.map((position) => ({
      position,
      look: (past, ahead) => {
        if (ahead.length > 0) return false
        for (const aside of asides) {
          if (aside.shard !== position.shard) continue
          const answer = answerAside(aside, this.judge.shards, past)
          if (answer !== null) answers.set(asideKey(aside), answer)
        }
        return true
      },
    }))
  }

  private lookAgain(past: PastShard, ahead: Uint8Array, { answers }: AskedAside): boolean {
    if (ahead.length > 0) return false
    const judgement = this.judge.judge(this.request, past, null, answers)
    if (judgement.told !== null) this.last = answerOf(judgement, explain(past, judgement.judged))
    return true
  }

  private stackedAnswer(judgement: Judgement, past: PastShard, { call, coupons }: Stacked): PastAnswer {
    const { remarks } = explain(past, judgement.judged)
    const own = codesOfStack(past, call)
    const all = coupons.map((coupon, place) => coupon ?? own[place] ?? null).filter((coupon) => coupon !== null)
    return answerOf(judgement, { coupons: all, remarks })
  }
}

function answerOf({ told, events }: Judgement, explanation: Explanation): PastAnswer {
  return { told, logged: events.map(eventName), again: null, explanation }
}
