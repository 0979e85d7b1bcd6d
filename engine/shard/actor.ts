/**
 * The actor of one shard: decide, apply, append. One thread, no locks, no waiting.
 *
 *     command ──▶ decide ──▶ events ──▶ apply (memory) ──▶ append (open entry) ──▶ answer
 *                                                             │
 *                                          sealed by the lane into the next group commit
 *
 * An event is in memory before it is on disk, so that commands of one group see each other. That no answer leaves before
 * the disk has it is the lane's business; the actor tells it by `openEntry` and `lastGroup`.
 */
import { randomBytes } from 'node:crypto'
import { assert } from '../../protocol/assert.ts'
import { ByteReader, type Bytes, ByteWriter, noBytes } from '../../protocol/bytes.ts'
import { ColumnReader } from '../../protocol/columns.ts'
import { readCommand } from '../../protocol/command-codec.ts'
import { type CheckoutCommand, COMMAND, type Command, type RedeemColumns } from '../../protocol/commands.ts'
import { currencyName } from '../../protocol/currency.ts'
import { EVENT, type Event, type Redeemed } from '../../protocol/events.ts'
import { type Message, MESSAGE } from '../../protocol/messages.ts'
import { campaignOrdinal } from '../../protocol/ordinals.ts'
import { writeOutcome, writePosition } from '../../protocol/outcome-codec.ts'
import { type IdText, type Outcome, OUTCOME, type Position } from '../../protocol/outcomes.ts'
import { totalOf } from '../../protocol/price.ts'
import { REFUSALS } from '../../protocol/refusals.ts'
import { apply, applyRedeemed } from '../domain/apply.ts'
import { rowOfBranch } from '../domain/branches.ts'
import { cartOfTotal } from '../domain/cart.ts'
import { decide } from '../domain/decide.ts'
import { decideSweep, sweepIsDue } from '../domain/decide-sweep.ts'
import { answered, type Decision, HAND_OVER, isOrderInDoubt, LAST_EVENT, refused, resolve } from '../domain/decision.ts'
import { DirectRows } from '../domain/direct-rows.ts'
import { decideCodes, randomBytesFor } from '../domain/decide-job.ts'
import { jobInTurn } from '../domain/jobs.ts'
import { KEY_MEMORY_MS } from '../domain/limits.ts'
import { redemptionAt } from '../domain/retry.ts'
import { ROWS_FETCHED, RowKeys } from '../domain/row-keys.ts'
import { showCampaign, showClaim, showCodes, showJob, showOpenJobs } from '../domain/show-campaign.ts'
import { showCoupon, showNewRedemption, showRedemption, showReservation } from '../domain/show.ts'
import type { ShardState } from '../domain/state.ts'
import { ClaimsInHand } from './claims-in-hand.ts'
import { SETTLED, type Settled } from '../transport/port.ts'
import { Arena } from './arena.ts'
import { Coordinator } from './coordinator.ts'
import { Deliveries } from './deliveries.ts'
import { Entry } from './entry.ts'
import { failPoint } from './fail-points.ts'
import { EntryHistory, type StoredEntries } from './history.ts'
import { DAYS_KEPT_MS, FORGET_SLOTS_MAX, SWEEP_EVENTS_MAX } from './limits.ts'
import { endingOf, Participant } from './participant.ts'
import { WaitingRoom } from './waiting-room.ts'

/** `outcomes` of a column: 0 and 1 are no refusals. */
const ROW_REDEEMED = 0
const ROW_REPLAYED = 1

const NO_ANSWER = new Uint8Array(0)

/** Events that decide a transaction, or part of one. */
const SETTLES: ReadonlySet<number> = new Set([
  EVENT.BRANCH_ABORTED,
  EVENT.BRANCH_RESERVED,
  EVENT.BRANCH_REDEEMED,
  EVENT.BRANCH_RELEASED,
])

function isStacked(event: Event): boolean {
  if (event.type !== EVENT.REDEEMED && event.type !== EVENT.RESERVED) return false
  return event.stack !== null || event.dayTxnSeq !== undefined
}

/** Redemptions in columns, some of whose rows are decided with other shards. */
interface OpenColumns {
  readonly request: number
  readonly outcomes: Uint8Array
  readonly discounts: Float64Array
  /** Rows that are under way, and one while the rows are gone through. */
  open: number
}

/** What an actor sends: messages to other shards, and answers that were not ready when their call was handled. */
export interface Post {
  send(from: ShardActor, message: Message): void
  reply(from: ShardActor, request: number, kind: Settled, answer: Uint8Array, start: number, end: number): void
}

export class ShardActor {
  readonly state: ShardState
  /** Events that no flush covers yet; the lane swaps it with `flushing` when a flush begins. */
  openEntry = new Entry()
  /** Events that the flush under way covers; empty between flushes. */
  flushing = new Entry()
  /** The group commit that holds this shard's last event. */
  lastGroup = 0
  /** The group commit for which it has made codes last. */
  workedInGroup = 0
  /** Bytes of the open entry that the lane has counted. */
  notedBytes = 0
  private readonly history: EntryHistory
  private readonly position: Position
  private readonly claims = new ClaimsInHand()
  private readonly rows = new DirectRows()
  private readonly keys = new RowKeys()
  private readonly users = new ColumnReader()
  private readonly orders = new ColumnReader()
  private readonly totals = new ColumnReader()
  private readonly user: Bytes = noBytes()
  private readonly order: Bytes = noBytes()

  private readonly random: (bytes: number) => Uint8Array
  private readonly post: Post
  private readonly waitingRoom = new WaitingRoom()
  private readonly arena = new Arena()
  private readonly later = new ByteWriter(4096)
  private readonly coordinator: Coordinator
  private readonly participant: Participant
  private readonly deliveries: Deliveries
  /** Events of the call in hand that other shards have to act on. */
  private readonly told: number[] = []
  /** Rows that are decided with other shards, under names below 0, which no request has. */
  private readonly openRows = new Map<number, { readonly columns: OpenColumns; readonly row: number }>()
  private rowCalls = 0
  /** A transaction was decided since those who wait looked last. */
  private hasSettled = false

  /** `random` gives so many bytes that nobody can foresee. */
  constructor(
    state: ShardState,
    stored: StoredEntries,
    post: Post,
    random: (bytes: number) => Uint8Array = randomBytes,
  ) {
    this.random = random
    this.state = state
    this.post = post
    this.history = new EntryHistory(this, stored)
    this.position = { shard: state.shard, seq: 0, timeMs: 0 }
    const { history, waitingRoom } = this
    const ports = {
      state,
      history,
      waitingRoom,
      random,
      append: (event: Event, nowMs: number) => this.append(event, nowMs),
      post: (message: Message) => post.send(this, message),
      conclude: (request: number, decision: Decision, positions: readonly Position[], nowMs: number) =>
        this.conclude(request, decision, positions, nowMs),
      giveUp: (request: number) => this.giveUp(request),
    }
    this.coordinator = new Coordinator(ports)
    this.participant = new Participant(ports)
    this.deliveries = new Deliveries(state, history, ports.post)
  }

  /**
   * Handles one command. True: position and outcome stand in `answer`. False: the answer comes later, by the port; other
   * shards have a part in it. `sinceMs`: when the call first came, if it has waited.
   */
  handle(request: number, reader: ByteReader, nowMs: number, answer: ByteWriter, sinceMs = nowMs): boolean {
    const { buf, pos: start, end } = reader
    const command = readCommand(reader)
    if (command.type === COMMAND.REDEEM_COLUMNS) return this.handleColumns(request, command, nowMs, answer)
    this.told.length = 0
    const decision = this.minded(command, this.decideAndApply(command, nowMs), nowMs)
    if (decision.answer.type === HAND_OVER) {
      const kept = this.arena.copy(buf, start, end)
      this.coordinator.begin(request, readCommand(new ByteReader(kept.buf, kept.start, kept.end)), nowMs)
      return false
    }
    if (decision.hangs && this.waits(request, buf, start, end, sinceMs, nowMs)) return false
    if (isOrderInDoubt(decision)) {
      this.post.reply(this, request, SETTLED.NOT_DONE_UNAVAILABLE, NO_ANSWER, 0, 0)
      return false
    }
    this.writePosition(nowMs, answer)
    writeOutcome(answer, this.outcomeOf(decision, nowMs))
    return !this.holdsBack(request, answer, nowMs)
  }

  /** Handles what another shard says, or this one to itself. Ranges in the message stay valid. */
  receive(message: Message, nowMs: number): void {
    this.told.length = 0
    switch (message.type) {
      case MESSAGE.ASK_QUOTES:
        this.participant.askQuotes(message, nowMs, nowMs)
        break
      case MESSAGE.QUOTED:
        this.coordinator.quoted(message, nowMs)
        break
      case MESSAGE.PREPARE:
        this.participant.prepare(message, nowMs)
        break
      case MESSAGE.PREPARED:
        this.coordinator.prepared(message, nowMs)
        break
      case MESSAGE.DELIVERED:
        this.deliveries.delivered(message)
        break
      case MESSAGE.IN_DOUBT:
        if (!this.coordinator.isPending(message.txnSeq)) {
          this.deliveries.answerDoubt(message.txnSeq, message.from, nowMs)
        }
        break
      case MESSAGE.ENDING: {
        const head = rowOfBranch(this.state, { shard: this.state.shard, seq: message.txnSeq })
        const event = endingOf(this.state, head, message.endsAtMs, nowMs)
        if (event !== null) this.append(event, nowMs)
        break
      }
      default:
        this.participant.settle(message, nowMs)
    }
    this.wake(nowMs)
  }

  /** Whoever waits for transactions to be decided looks again, if one was. */
  wake(nowMs: number): void {
    if (!this.hasSettled) return
    this.hasSettled = false
    this.waitingRoom.wakeAll(nowMs)
  }

  /** The call waits for an undecided transaction; its bytes are copied. False: it takes the refusal. */
  private waits(request: number, buf: Uint8Array, start: number, end: number, sinceMs: number, nowMs: number): boolean {
    const bytes = buf.slice(start, end)
    return this.waitingRoom.enter(sinceMs, nowMs, (since, later) => {
      const answer = new ByteWriter()
      if (this.handle(request, new ByteReader(bytes), later, answer, since)) {
        this.post.reply(this, request, SETTLED.ANSWERED, answer.buf, 0, answer.pos)
      }
    })
  }

  /** Holds an answer back until other shards have logged what this call has decided for them. */
  private holdsBack(request: number, answer: ByteWriter, nowMs: number): boolean {
    const { told } = this
    if (told.length === 0) return false
    const { buf, start, end } = this.arena.copy(answer.buf, 0, answer.pos)
    this.deliveries.hold(told, nowMs, () => this.post.reply(this, request, SETTLED.ANSWERED, buf, start, end))
    return true
  }

  private conclude(request: number, decision: Decision, positions: readonly Position[], nowMs: number): void {
    this.told.length = 0
    for (const event of decision.events) this.append(event, nowMs)
    const open = this.openRows.get(request)
    if (open !== undefined) {
      this.sayRow(decision, open.row, open.columns)
      if (this.told.length === 0) this.endRow(request, nowMs)
      else this.deliveries.hold(this.told, nowMs, () => this.endRow(request, this.state.timeMs))
      return
    }
    assert(request >= 0, 'a row is answered twice')
    const answer = this.later
    answer.clear()
    this.writePosition(nowMs, answer)
    writeOutcome(answer, { type: OUTCOME.ACROSS, positions, outcome: this.outcomeOf(decision, nowMs) })
    if (this.holdsBack(request, answer, nowMs)) return
    this.post.reply(this, request, SETTLED.ANSWERED, answer.buf, 0, answer.pos)
  }

  private giveUp(request: number): void {
    const open = this.openRows.get(request)
    if (open === undefined) {
      this.post.reply(this, request, SETTLED.NOT_DONE_UNAVAILABLE, NO_ANSWER, 0, 0)
      return
    }
    open.columns.outcomes[open.row] = REFUSALS.COUPON_LOCKED.number
    this.endRow(request, this.state.timeMs)
  }

  /** Refuses a command without looking at it: there is no room to log what it would do. */
  refuseForSpace(nowMs: number, answer: ByteWriter): void {
    this.writePosition(nowMs, answer)
    const refusal = refused(
      'STORAGE_UNAVAILABLE',
      'the disk is nearly full; reads go on, writes are refused until there is room',
    )
    writeOutcome(answer, refusal.answer as Outcome)
  }

  /** Logs what time has done, a slice at a time. */
  sweep(nowMs: number, forgetBeforeMs: number, forgetKeysBeforeMs = nowMs - KEY_MEMORY_MS): void {
    const { state } = this
    this.told.length = 0
    this.coordinator.tick(nowMs)
    this.participant.tick(nowMs)
    this.deliveries.tick(nowMs)
    this.waitingRoom.tick(nowMs)
    const confirmation = this.deliveries.confirmation()
    if (confirmation !== null) this.append(confirmation, nowMs)
    if (sweepIsDue(state, nowMs, forgetBeforeMs, forgetKeysBeforeMs)) {
      const events = decideSweep(state, nowMs, forgetBeforeMs, forgetKeysBeforeMs, SWEEP_EVENTS_MAX)
      for (const event of events) this.append(event, nowMs)
      if (events.length > 0) failPoint('sweep.logged')
    }
    if (state.rememberedFromSeq > 0) {
      state.tables.orders.evictBelow(state.rememberedFromSeq, FORGET_SLOTS_MAX)
      state.tables.closed.evictBelow(state.rememberedFromSeq, FORGET_SLOTS_MAX)
    }
    state.tables.days.evictBelow(nowMs - DAYS_KEPT_MS, FORGET_SLOTS_MAX)
    if (state.keysRememberedFromSeq > 0) {
      state.tables.keys.evictBelow(state.keysRememberedFromSeq, FORGET_SLOTS_MAX)
      state.tables.operations.evictBelow(state.keysRememberedFromSeq, FORGET_SLOTS_MAX)
    }
    this.wake(nowMs)
  }

  /** Whether there are codes to be made. */
  get hasWork(): boolean {
    return jobInTurn(this.state) !== null
  }

  /** Makes a slice of the codes that a job wants. */
  work(nowMs: number): void {
    const job = jobInTurn(this.state)
    if (job === null) return
    this.told.length = 0
    const random = this.random(randomBytesFor(job))
    for (const event of decideCodes(this.state, job, random)) this.append(event, nowMs)
    failPoint('job.codes-made')
  }

  /** Applies and appends an event that was decided elsewhere. */
  append(event: Event, nowMs: number): void {
    const { state, openEntry } = this
    if (openEntry.isEmpty) openEntry.begin(state.seq + 1, nowMs)
    apply(state, event, nowMs)
    openEntry.append(event, nowMs)
    this.follow(event, nowMs)
  }

  /** What an event means for others: shards that have to act on it, calls that wait for it. */
  private follow(event: Event, nowMs: number): void {
    const { state } = this
    if (state.outbox.size > 0 && state.outbox.has(state.seq)) {
      this.told.push(state.seq)
      this.deliveries.tell(event, state.seq, nowMs)
    }
    if (SETTLES.has(event.type) || isStacked(event)) this.hasSettled = true
    if (event.type === EVENT.COUPON_CHANGED) this.participant.limitChanged(event.ordinal, nowMs)
    else if (event.type === EVENT.CAMPAIGN_CHANGED) this.participant.limitChanged(campaignOrdinal(event.index), nowMs)
  }

  private appendRedeemed(event: Redeemed, nowMs: number): void {
    const { state, openEntry } = this
    if (openEntry.isEmpty) openEntry.begin(state.seq + 1, nowMs)
    applyRedeemed(state, event, nowMs)
    openEntry.append(event, nowMs)
  }

  private decideAndApply(command: Command, nowMs: number): Decision {
    const decision = decide(this.state, command, nowMs, this.history)
    const { events } = decision
    for (let i = 0; i < events.length; i++) this.append(events[i] as Event, nowMs)
    return decision
  }

  /** The one thing about keys that no log knows: whether somebody works on a claim right now. */
  private minded(command: Command, decision: Decision, nowMs: number): Decision {
    if (command.type === COMMAND.ANSWER_KEY || command.type === COMMAND.LET_GO_KEY) this.claims.letGo(command.claimSeq)
    const { answer } = decision
    if (answer.type !== OUTCOME.KEY_CLAIMED || this.claims.take(answer.claimSeq, nowMs)) return decision
    return answered({ type: OUTCOME.KEY_BUSY })
  }

  private outcomeOf({ answer, events }: Decision, nowMs: number): Outcome<IdText> {
    const { state, history } = this
    if (answer.type === OUTCOME.DONE_BEFORE) {
      return { type: OUTCOME.DONE_BEFORE, outcome: this.outcomeOf(answered(answer.shown), nowMs) }
    }
    assert(answer.type !== HAND_OVER, 'a call that was handed over is answered')
    if (answer.type === OUTCOME.COUPON) return showCoupon(state, history, answer.ordinal, nowMs)
    if (answer.type === OUTCOME.CAMPAIGN) return showCampaign(state, answer.index, nowMs)
    if (answer.type === OUTCOME.JOB) return showJob(state, this.sequence(answer.seq))
    if (answer.type === OUTCOME.JOBS) return showOpenJobs(state)
    if (answer.type === OUTCOME.CODES) return showCodes(state, history, answer.command, nowMs)
    if (answer.type === OUTCOME.CLAIMED) return showClaim(state, this.sequence(answer.seq), answer.again, nowMs)
    if (answer.type === OUTCOME.RESERVATION) {
      return showReservation(state, history, this.sequence(answer.seq), answer.again, nowMs)
    }
    if (answer.type === OUTCOME.REDEMPTION) {
      const last = events[events.length - 1]
      if (last?.type === EVENT.REDEEMED) return showNewRedemption(state, last, nowMs)
      return showRedemption(state, history, this.sequence(answer.seq), answer.replayed)
    }
    return answer
  }

  private sequence(seq: number): number {
    return seq === LAST_EVENT ? this.state.seq : seq
  }

  private writePosition(nowMs: number, answer: ByteWriter): void {
    const { position } = this
    position.seq = this.state.seq
    position.timeMs = nowMs
    writePosition(answer, position)
  }

  /** Row by row, in order; the answer is written when all are decided, because its position counts their events. */
  private handleColumns(request: number, command: RedeemColumns, nowMs: number, answer: ByteWriter): boolean {
    const { state } = this
    const ordinal = resolve(state, command.coupon)
    if (ordinal < 0) {
      this.writePosition(nowMs, answer)
      writeOutcome(answer, refused('COUPON_NOT_FOUND', 'there is no such coupon').answer as Outcome)
      return true
    }
    const { count, oneTotal, currency, users, orders } = command
    const { keys, user, order } = this
    this.users.reset(users)
    this.orders.reset(orders)
    this.totals.reset(command.totals)
    keys.read(state, this.users, this.orders, count)
    const outcomes = new Uint8Array(count)
    const discounts = new Float64Array(count)
    const columns = { request, outcomes, discounts, open: 1 }
    const fast = this.rows.begin(state, ordinal, currency, nowMs)
    const countsUsers = state.definition(ordinal).maxUsesPerUser !== null
    let total = oneTotal ? this.totals.nextUint() : 0
    for (let row = 0; row < count; row++) {
      if (row % ROWS_FETCHED === 0) keys.warm(state, ordinal, row, Math.min(row + ROWS_FETCHED, count), countsUsers)
      keys.hand(state, row, users.buf, user, orders.buf, order)
      if (!oneTotal) total = this.totals.nextUint()
      const event = fast ? this.rows.redeem(state, user, order, total) : null
      if (event !== null) {
        this.appendRedeemed(event, nowMs)
        discounts[row] = event.price.amounts[0] as number
      } else {
        this.decideRow(ordinal, total, currency, nowMs, row, columns)
      }
    }
    columns.open--
    if (columns.open > 0) return false
    this.writePosition(nowMs, answer)
    writeColumns(answer, outcomes, discounts)
    return true
  }

  /** The row is decided with other shards: it is answered with the others when the last of them is. */
  private handOverRow(command: CheckoutCommand, nowMs: number, row: number, columns: OpenColumns): void {
    const name = --this.rowCalls
    columns.open++
    this.openRows.set(name, { columns, row })
    const kept = (bytes: Bytes | null) => (bytes === null ? null : this.arena.copy(bytes.buf, bytes.start, bytes.end))
    this.coordinator.begin(name, { ...command, user: kept(command.user), order: kept(command.order) }, nowMs)
  }

  private endRow(name: number, nowMs: number): void {
    const open = this.openRows.get(name)
    assert(open !== undefined, 'a row is answered twice')
    this.openRows.delete(name)
    const { columns } = open
    columns.open--
    if (columns.open > 0) return
    const answer = this.later
    answer.clear()
    this.writePosition(nowMs, answer)
    writeColumns(answer, columns.outcomes, columns.discounts)
    this.post.reply(this, columns.request, SETTLED.ANSWERED, answer.buf, 0, answer.pos)
  }

  private decideRow(
    ordinal: number,
    totalMinor: number,
    currency: number,
    nowMs: number,
    row: number,
    columns: OpenColumns,
  ): void {
    const command: CheckoutCommand = {
      type: COMMAND.REDEEM,
      coupons: [{ code: null, ordinal }],
      user: this.user,
      order: this.order,
      cart: cartOfTotal(totalMinor, currencyName(currency)),
      ttlSeconds: 0,
    }
    const decision = this.decideAndApply(command, nowMs)
    if (decision.answer.type === HAND_OVER) this.handOverRow(command, nowMs, row, columns)
    else this.sayRow(decision, row, columns)
  }

  private sayRow(decision: Decision, row: number, { outcomes, discounts }: OpenColumns): void {
    const { answer, events } = decision
    if (answer.type === OUTCOME.REFUSED) {
      // A row does not wait; that the order has another call under way is no conflict yet.
      outcomes[row] = REFUSALS[isOrderInDoubt(decision) ? 'COUPON_LOCKED' : answer.refusal].number
      return
    }
    if (answer.type !== OUTCOME.REDEMPTION) return
    const last = events[events.length - 1]
    const isNew = last !== undefined && last.type === EVENT.REDEEMED
    outcomes[row] = isNew ? ROW_REDEEMED : ROW_REPLAYED
    discounts[row] = totalOf(isNew ? last.price : redemptionAt(this.history, answer.seq).price)
  }
}

function writeColumns(w: ByteWriter, outcomes: Uint8Array, discounts: Float64Array): void {
  w.u8(OUTCOME.COLUMNS)
  w.varint(outcomes.length)
  w.raw(outcomes, 0, outcomes.length)
  for (let i = 0; i < discounts.length; i++) w.varint(discounts[i] as number)
}
