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
import { type ByteReader, type Bytes, type ByteWriter, noBytes } from '../../protocol/bytes.ts'
import { ColumnReader } from '../../protocol/columns.ts'
import { readCommand } from '../../protocol/command-codec.ts'
import { type CheckoutCommand, COMMAND, type Command, type RedeemColumns } from '../../protocol/commands.ts'
import { currencyName } from '../../protocol/currency.ts'
import { EVENT, type Event, type Redeemed } from '../../protocol/events.ts'
import { writeOutcome, writePosition } from '../../protocol/outcome-codec.ts'
import { type IdText, type Outcome, OUTCOME, type Position } from '../../protocol/outcomes.ts'
import { totalOf } from '../../protocol/price.ts'
import { REFUSALS } from '../../protocol/refusals.ts'
import { apply, applyRedeemed } from '../domain/apply.ts'
import { cartOfTotal } from '../domain/cart.ts'
import { decide } from '../domain/decide.ts'
import { decideSweep, sweepIsDue } from '../domain/decide-sweep.ts'
import { type Decision, LAST_EVENT, refused, resolve } from '../domain/decision.ts'
import { DirectRows } from '../domain/direct-rows.ts'
import { redemptionAt } from '../domain/retry.ts'
import { ROWS_FETCHED, RowKeys } from '../domain/row-keys.ts'
import { showCoupon, showNewRedemption, showRedemption, showReservation } from '../domain/show.ts'
import type { ShardState } from '../domain/state.ts'
import { Entry } from './entry.ts'
import { EntryHistory, type StoredEntries } from './history.ts'
import { FORGET_SLOTS_MAX, SWEEP_EVENTS_MAX } from './limits.ts'

/** `outcomes` of a column: 0 and 1 are no refusals. */
const ROW_REDEEMED = 0
const ROW_REPLAYED = 1

export class ShardActor {
  readonly state: ShardState
  /** Events that no flush covers yet; the lane swaps it with `flushing` when a flush begins. */
  openEntry = new Entry()
  /** Events that the flush under way covers; empty between flushes. */
  flushing = new Entry()
  /** The group commit that holds this shard's last event. */
  lastGroup = 0
  /** Bytes of the open entry that the lane has counted. */
  notedBytes = 0
  private readonly history: EntryHistory
  private readonly position: Position
  private readonly rows = new DirectRows()
  private readonly keys = new RowKeys()
  private readonly users = new ColumnReader()
  private readonly orders = new ColumnReader()
  private readonly totals = new ColumnReader()
  private readonly user: Bytes = noBytes()
  private readonly order: Bytes = noBytes()

  constructor(state: ShardState, stored: StoredEntries) {
    this.state = state
    this.history = new EntryHistory(this, stored)
    this.position = { shard: state.shard, seq: 0, timeMs: 0 }
  }

  /** Handles one command and writes position and outcome to `answer`. */
  handle(reader: ByteReader, nowMs: number, answer: ByteWriter): void {
    const command = readCommand(reader)
    if (command.type === COMMAND.REDEEM_COLUMNS) {
      this.handleColumns(command, nowMs, answer)
      return
    }
    const decision = this.decideAndApply(command, nowMs)
    this.writePosition(nowMs, answer)
    writeOutcome(answer, this.outcomeOf(decision, nowMs))
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
  sweep(nowMs: number, forgetBeforeMs: number): void {
    const { state } = this
    if (sweepIsDue(state, nowMs, forgetBeforeMs)) {
      for (const event of decideSweep(state, nowMs, forgetBeforeMs, SWEEP_EVENTS_MAX)) this.append(event, nowMs)
    }
    if (state.rememberedFromSeq > 0) {
      state.tables.orders.evictBelow(state.rememberedFromSeq, FORGET_SLOTS_MAX)
      state.tables.closed.evictBelow(state.rememberedFromSeq, FORGET_SLOTS_MAX)
    }
  }

  /** Applies and appends an event that was decided elsewhere. */
  append(event: Event, nowMs: number): void {
    const { state, openEntry } = this
    if (openEntry.isEmpty) openEntry.begin(state.seq + 1, nowMs)
    apply(state, event, nowMs)
    openEntry.append(event, nowMs)
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

  private outcomeOf({ answer, events }: Decision, nowMs: number): Outcome<IdText> {
    const { state, history } = this
    if (answer.type === OUTCOME.COUPON) return showCoupon(state, history, answer.ordinal, nowMs)
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
  private handleColumns(command: RedeemColumns, nowMs: number, answer: ByteWriter): void {
    const { state } = this
    const ordinal = resolve(state, command.coupon)
    if (ordinal < 0) {
      this.writePosition(nowMs, answer)
      writeOutcome(answer, refused('COUPON_NOT_FOUND', 'there is no such coupon').answer as Outcome)
      return
    }
    const { count, oneTotal, currency, users, orders } = command
    const { keys, user, order } = this
    this.users.reset(users)
    this.orders.reset(orders)
    this.totals.reset(command.totals)
    keys.read(state, this.users, this.orders, count)
    const outcomes = new Uint8Array(count)
    const discounts = new Float64Array(count)
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
        this.decideRow(ordinal, total, currency, nowMs, row, outcomes, discounts)
      }
    }
    this.writePosition(nowMs, answer)
    writeColumns(answer, outcomes, discounts)
  }

  private decideRow(
    ordinal: number,
    totalMinor: number,
    currency: number,
    nowMs: number,
    row: number,
    outcomes: Uint8Array,
    discounts: Float64Array,
  ): void {
    const command: CheckoutCommand = {
      type: COMMAND.REDEEM,
      coupons: [{ code: null, ordinal }],
      user: this.user,
      order: this.order,
      cart: cartOfTotal(totalMinor, currencyName(currency)),
      ttlSeconds: 0,
    }
    const { answer, events } = this.decideAndApply(command, nowMs)
    if (answer.type === OUTCOME.REFUSED) {
      outcomes[row] = REFUSALS[answer.refusal].number
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
