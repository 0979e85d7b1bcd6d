/**
 * The coordinator: calls over several shards, one conversation each, on the lowest of their shards.
 *
 *     ask ──▶ quotes ──▶ decide ──▶ answer                        refusals, replays, reads
 *     coupons, then campaigns of theirs that live elsewhere, then the user's day
 *      ▲                    └─────▶ prepare here, then the others in ascending order ──▶ decision ──▶ answer
 *      └── stale, or no room any more ◀──────────┘                                        (once delivered)
 *
 * Conversations are memory only: after a crash the log shows a transaction that was prepared and not decided, and it is
 * aborted. What must never happen here: a decision before every shard has said that it prepared.
 */
import { assert } from '../../protocol/assert.ts'
import { COMMAND, type Command } from '../../protocol/commands.ts'
import { EVENT, type Event } from '../../protocol/events.ts'
import { type Message, MESSAGE, type Prepared, type Quoted } from '../../protocol/messages.ts'
import { OUTCOME, type Position, type Quote } from '../../protocol/outcomes.ts'
import type { Bytes } from '../../protocol/bytes.ts'
import { decide } from '../domain/decide.ts'
import { asOperation } from '../domain/decide-key.ts'
import { type Decision, HAND_OVER, isOrderInDoubt } from '../domain/decision.ts'
import { decideClaimOfDay } from '../domain/decide-pool.ts'
import { decideStack } from '../domain/decide-stack.ts'
import { decideExtendStack, decideRedeemStack } from '../domain/decide-stacked-reservation.ts'
import {
  concludeStack,
  daysFor,
  isPlan,
  partOfPlan,
  prepareOwn,
  shardsOf,
  type StackPlan,
} from '../domain/stack-plan.ts'
import type { AwayCampaign } from '../domain/stack-quotes.ts'
import { standingOf } from '../domain/standing.ts'
import { type History, type ShardState, txnKey } from '../domain/state.ts'
import { failPoint } from './fail-points.ts'
import {
  asStack,
  isStackedCommand,
  nextParts,
  type Part,
  type Question,
  questionOf,
  type Round,
  ROUNDS,
  type StackedCommand,
} from './stack-questions.ts'
import { STACK_CALL_MS, STACK_TRIES_MAX } from './limits.ts'
import type { WaitingRoom } from './waiting-room.ts'

/** What a coordinator needs of the actor around it. */
export interface CoordinatorPorts {
  readonly state: ShardState
  readonly history: History
  readonly waitingRoom: WaitingRoom
  /** So many bytes that nobody can foresee. */
  readonly random: (bytes: number) => Uint8Array
  readonly append: (event: Event, nowMs: number) => void
  readonly post: (message: Message) => void
  /** Appends what a decision says and answers the request, once other shards have logged what concerns them. */
  readonly conclude: (request: number, decision: Decision, positions: readonly Position[], nowMs: number) => void
  /** Nothing was done for the request, and trying again is safe. */
  readonly giveUp: (request: number) => void
}

/** Calls are numbers of at most 53 bits: 32 name the life. */
const CALLS_OF_A_LIFE = 2 ** 21

class Conversation {
  /** Names it in messages: a new one for every round, so that a late answer to an earlier one finds nobody. */
  call = 0
  readonly request: number
  readonly command: StackedCommand
  /** Of an `Idempotency-Key`; null: none. */
  readonly operation: Bytes | null
  readonly begunAtMs: number
  tries = 0
  round: Round = ROUNDS.COUPONS
  told: { coupons: (Quote | null)[]; campaigns: (Quote | null)[]; fullDays: boolean[] } = {
    coupons: [],
    campaigns: [],
    fullDays: [],
  }
  away: readonly (AwayCampaign | null)[] = []
  positions: Position[] = []
  question: Question | null = null
  /** What shards have not answered. */
  open: Part[] = []
  plan: StackPlan | null = null
  txnSeq = 0
  /** The shards of the plan, this one first, and what each of those that have prepared said. */
  shards: readonly number[] = []
  heldSeqs: number[] = []

  constructor(request: number, command: StackedCommand, operation: Bytes | null, nowMs: number) {
    this.request = request
    this.command = command
    this.operation = operation
    this.begunAtMs = nowMs
  }
}

export class Coordinator {
  private readonly ports: CoordinatorPorts
  private readonly conversations = new Map<number, Conversation>()
  /** The first is where no life of this shard before has been: a late answer to one of its calls finds nobody. 0: none yet. */
  private calls = 0
  /** Transactions that a conversation is about. */
  private readonly inHand = new Set<number>()

  constructor(ports: CoordinatorPorts) {
    this.ports = ports
  }

  /** `request` names the answer that somebody waits for; the bytes of `handed` are its own. */
  begin(request: number, handed: Command, nowMs: number): void {
    const isKeyed = handed.type === COMMAND.KEYED
    const command = isKeyed ? handed.inner : handed
    assert(isStackedCommand(command), 'no other call is handed over')
    const operation = isKeyed ? handed.operation : null
    this.ask(new Conversation(request, command, operation, nowMs), nowMs)
  }

  private ask(conversation: Conversation, nowMs: number): void {
    conversation.tries++
    const { state, history } = this.ports
    const question = questionOf(state.shard, conversation.command, history, state)
    conversation.question = question
    const nobody = Array.from({ length: question.count }, () => null)
    conversation.told = { coupons: nobody, campaigns: Array.from(nobody), fullDays: [] }
    conversation.away = []
    conversation.positions = []
    conversation.round = ROUNDS.COUPONS
    this.askParts(conversation, question.parts, nowMs)
  }

  private askParts(conversation: Conversation, parts: readonly Part[], nowMs: number): void {
    if (this.calls === 0) this.calls = this.nameOfLife() * CALLS_OF_A_LIFE
    const call = ++this.calls
    this.conversations.delete(conversation.call)
    conversation.call = call
    this.conversations.set(call, conversation)
    conversation.open = Array.from(parts)
    if (parts.length === 0) {
      this.goOn(conversation, nowMs)
      return
    }
    const { user, order, cart, checks, waits } = conversation.question as Question
    for (const { shard: to, coupons, campaigns, before, days } of parts) {
      this.ports.post({
        type: MESSAGE.ASK_QUOTES,
        from: this.ports.state.shard,
        to,
        atMs: nowMs,
        call,
        coupons: campaigns.length === 0 ? coupons : [...coupons, ...campaigns],
        user,
        order,
        cart,
        checks,
        waits,
        before: campaigns.length === 0 ? before : [...coupons.map(() => 0), ...before],
        days,
      })
    }
  }

  private nameOfLife(): number {
    const bytes = Uint8Array.from(this.ports.random(4))
    return new DataView(bytes.buffer).getUint32(0)
  }

  quoted(message: Quoted, nowMs: number): void {
    const conversation = this.conversations.get(message.call)
    const at = conversation?.open.findIndex(({ shard }) => shard === message.from) ?? -1
    if (conversation === undefined || at < 0 || conversation.plan !== null) return
    const [part] = conversation.open.splice(at, 1)
    assert(part !== undefined, 'a shard that was not asked has answered')
    const { told } = conversation
    let next = 0
    for (const place of part.places) told.coupons[place] = message.quotes[next++] as Quote
    for (const place of part.campaignPlaces) told.campaigns[place] = message.quotes[next++] as Quote
    for (const place of part.dayPlaces) told.fullDays[place] = message.quotes[next++]?.refusal !== null
    const position = { shard: message.from, seq: message.seq, timeMs: message.atMs }
    conversation.positions = conversation.positions.filter(({ shard }) => shard !== message.from)
    conversation.positions.push(position)
    if (conversation.open.length === 0) this.goOn(conversation, nowMs)
  }

  /** Everybody has answered: the next round, or the decision. */
  private goOn(conversation: Conversation, nowMs: number): void {
    const { state } = this.ports
    while (conversation.round < ROUNDS.DONE) {
      conversation.round = (conversation.round + 1) as Round
      const parts = conversation.round === ROUNDS.DONE ? [] : nextParts(state, conversation, nowMs)
      if (parts.length === 0) continue
      this.askParts(conversation, parts, nowMs)
      return
    }
    this.decide(conversation, nowMs)
  }

  private decide(conversation: Conversation, nowMs: number): void {
    const { state, history, waitingRoom } = this.ports
    if (this.hasRunOut(conversation, nowMs)) {
      this.ask(conversation, nowMs)
      return
    }
    const made = decideFor(state, conversation, nowMs, history)
    if (isPlan(made)) {
      this.prepare(conversation, made, nowMs)
      return
    }
    // Meanwhile it may have been given up, and its caller told so.
    const again = (_sinceMs: number, laterMs: number): void => {
      if (this.conversations.get(conversation.call) === conversation) this.ask(conversation, laterMs)
    }
    if (made.hangs && waitingRoom.enter(conversation.begunAtMs, nowMs, again)) return
    if (isOrderInDoubt(made)) this.giveUp(conversation)
    else this.conclude(conversation, made, nowMs)
  }

  /**
   * Whether the reservation that is to be made final has run out while the other shards were asked: its release is logged,
   * and they are asked again, for it takes capacity anew.
   */
  private hasRunOut({ command, question }: Conversation, nowMs: number): boolean {
    if (command.type !== COMMAND.REDEEM_RESERVATION || question?.checks !== 'NONE') return false
    const { state, history } = this.ports
    const { answer, events } = decide(state, command, nowMs, history)
    if (answer.type !== HAND_OVER) return false
    for (const event of events) this.ports.append(event, nowMs)
    return !state.stacks.has(command.reservationSeq)
  }

  private conclude(conversation: Conversation, decision: Decision, nowMs: number): void {
    const { call, request, operation } = conversation
    this.conversations.delete(call)
    const positions = conversation.positions.sort((a, b) => a.shard - b.shard)
    const whole = operation === null ? decision : asOperation(this.ports.state, operation, decision)
    this.ports.conclude(request, whole, positions, nowMs)
  }

  private prepare(conversation: Conversation, plan: StackPlan, nowMs: number): void {
    const { state } = this.ports
    for (const event of prepareOwn(state, plan, nowMs)) this.ports.append(event, nowMs)
    failPoint('stack.prepared')
    conversation.plan = plan
    conversation.txnSeq = state.seq
    conversation.shards = shardsOf(plan)
    conversation.heldSeqs = [state.seq]
    this.inHand.add(state.seq)
    this.prepareNext(conversation, plan, nowMs)
  }

  private prepareNext(conversation: Conversation, plan: StackPlan, nowMs: number): void {
    const to = conversation.shards[conversation.heldSeqs.length]
    if (to === undefined) {
      this.commit(conversation, plan, nowMs)
      return
    }
    const { ordinals, versions, amounts } = partOfPlan(plan, to)
    this.ports.post({
      type: MESSAGE.PREPARE,
      from: this.ports.state.shard,
      to,
      atMs: nowMs,
      call: conversation.call,
      txnSeq: conversation.txnSeq,
      quotedSeq: conversation.positions.find(({ shard }) => shard === to)?.seq ?? 0,
      reservationTxnSeq: plan.reservationTxnSeq,
      late: plan.late,
      ordinals,
      versions,
      amounts,
      user: plan.user,
      order: plan.order,
      days: daysFor(plan, to),
    })
  }

  prepared(message: Prepared, nowMs: number): void {
    const conversation = this.conversations.get(message.call)
    const plan = conversation?.plan ?? null
    if (conversation === undefined || plan === null || conversation.txnSeq !== message.txnSeq) return
    if (conversation.shards[conversation.heldSeqs.length] !== message.from) return
    if (message.result !== 'PREPARED') {
      this.abort(conversation, nowMs)
      if (conversation.tries < STACK_TRIES_MAX) this.ask(conversation, nowMs)
      else this.giveUp(conversation)
      return
    }
    conversation.heldSeqs.push(message.heldSeq)
    this.prepareNext(conversation, plan, nowMs)
  }

  /** Everybody has prepared: this is the decision. */
  private commit(conversation: Conversation, plan: StackPlan, nowMs: number): void {
    const { state, history } = this.ports
    if (plan.late && standingOf(state, plan.reservationSeq, nowMs, history)?.status !== 'EXPIRED') {
      // Another order has redeemed it meanwhile: nothing of a reservation that has run out keeps a second one away.
      this.abort(conversation, nowMs)
      this.ask(conversation, nowMs)
      return
    }
    this.inHand.delete(conversation.txnSeq)
    const event = concludeStack(state, plan, conversation.txnSeq, conversation.shards, conversation.heldSeqs)
    failPoint('stack.decided')
    const answer =
      event.type === EVENT.REDEEMED
        ? ({ type: OUTCOME.REDEMPTION, seq: 0, replayed: false } as const)
        : conversation.command.type === COMMAND.CLAIM
          ? ({ type: OUTCOME.CLAIMED, seq: 0, again: false } as const)
          : ({ type: OUTCOME.RESERVATION, seq: 0, again: false } as const)
    this.conclude(conversation, { events: [event], answer, hangs: false }, nowMs)
  }

  private abort(conversation: Conversation, nowMs: number): void {
    const { state } = this.ports
    this.inHand.delete(conversation.txnSeq)
    conversation.plan = null
    this.ports.append({ type: EVENT.BRANCH_ABORTED, txn: { shard: state.shard, seq: conversation.txnSeq } }, nowMs)
    failPoint('stack.aborted')
  }

  private giveUp(conversation: Conversation): void {
    this.conversations.delete(conversation.call)
    this.ports.giveUp(conversation.request)
  }

  /** Gives up calls that other shards do not answer, and aborts what no conversation is about any more: a crash ended it. */
  tick(nowMs: number): void {
    const { state } = this.ports
    for (const conversation of this.conversations.values()) {
      if (conversation.begunAtMs + STACK_CALL_MS > nowMs) continue
      if (conversation.plan !== null) this.abort(conversation, nowMs)
      this.giveUp(conversation)
    }
    for (const { txn } of state.undecided.values()) {
      if (txn.shard !== state.shard || this.inHand.has(txn.seq)) continue
      this.ports.append({ type: EVENT.BRANCH_ABORTED, txn }, nowMs)
      failPoint('stack.aborted')
    }
  }

  /** Whether a transaction of this shard is still undecided. */
  isPending(txnSeq: number): boolean {
    const { state } = this.ports
    return state.undecided.has(txnKey({ shard: state.shard, seq: txnSeq }))
  }
}

function decideFor(state: ShardState, { command, told }: Conversation, nowMs: number, history: History) {
  if (command.type !== COMMAND.STACK) {
    // The reservation may have ended while the other shards were asked: then there is nothing to hand over any more.
    const alone = decide(state, command, nowMs, history)
    if (alone.answer.type !== HAND_OVER) return alone
  }
  switch (command.type) {
    case COMMAND.REDEEM_RESERVATION:
      return decideRedeemStack(state, command, told, nowMs, history)
    case COMMAND.EXTEND_RESERVATION:
      return decideExtendStack(state, command, told, nowMs, history)
    case COMMAND.CLAIM:
      return decideClaimOfDay(state, command, told.fullDays[0] === true, nowMs)
    default:
      return decideStack(state, asStack(state, command), told, nowMs, history)
  }
}
