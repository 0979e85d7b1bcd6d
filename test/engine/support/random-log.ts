/**
 * Random logs of shards with everything in them that a state can hold: codes of both kinds, holds that come and go, orders
 * and keys that are forgotten, limits per user, campaigns with codes in bulk, transactions over several shards at every stage.
 * Calls are decided by the real `decide`; what needs other shards is appended as these would have it.
 */
import { ByteReader, type Bytes, ByteWriter, bytesOf } from '../../../protocol/bytes.ts'
import { readCommand, writeCommand } from '../../../protocol/command-codec.ts'
import { COMMAND } from '../../../protocol/commands.ts'
import { EVENT, type Event, type TxnId } from '../../../protocol/events.ts'
import { campaignOrdinal, isCampaign } from '../../../protocol/ordinals.ts'
import { OUTCOME } from '../../../protocol/outcomes.ts'
import type { Deployment } from '../../../persistence/deployment.ts'
import type { EntryDraft } from '../../../persistence/record.ts'
import { apply } from '../../../engine/domain/apply.ts'
import { decide } from '../../../engine/domain/decide.ts'
import { decideSweep } from '../../../engine/domain/decide-sweep.ts'
import { type Decision, LAST_EVENT } from '../../../engine/domain/decision.ts'
import type { ShardState } from '../../../engine/domain/state.ts'
import { Entry } from '../../../engine/shard/entry.ts'
import { EntryHistory, type StoredBytes } from '../../../engine/shard/history.ts'
import { DAYS_KEPT_MS } from '../../../engine/shard/limits.ts'
import { emptyState } from '../../../engine/shard/snapshot-state.ts'
import { RandomCampaigns } from './random-campaigns.ts'
import { type AnyCommand, byCode, checkout, couponWith, create, total } from './samples.ts'

const BEGIN_MS = 1_760_000_000_000
const HOUR_MS = 3_600_000
/** What a branch gives, where a campaign's budget has a part in it. */
const BRANCH_AMOUNT = 10
const LETTERS = 'ABCDEFGHJKLMNPQRSTUVWXYZ23456789'

/** What a transaction over several shards has taken here. */
interface Branch {
  readonly ordinals: readonly number[]
  readonly user: Bytes
  readonly order: Bytes
  readonly amounts: readonly number[]
  readonly heldSeq: number
}

export class RandomShard {
  readonly state: ShardState
  /** What was handed out. */
  readonly entries: StoredBytes[] = []
  /** Types of the events in it. */
  readonly met = new Set<number>()
  private readonly openEntry = new Entry()
  private readonly history: EntryHistory
  private readonly command = new ByteWriter()
  private readonly shard: number
  private readonly random: (below: number) => number
  private readonly codes: string[] = []
  private readonly reservations: number[] = []
  private readonly redemptions: number[] = []
  private readonly keys: { key: string; claimSeq: number }[] = []
  private readonly undecided: { txn: TxnId; branch: Branch }[] = []
  private readonly reserved: TxnId[] = []
  private readonly branchesRedeemed: { redemption: TxnId; branch: Branch }[] = []
  private readonly campaigns: RandomCampaigns
  private nowMs = BEGIN_MS
  private count = 0

  constructor(shard: number, deployment: Deployment, random: (below: number) => number) {
    this.shard = shard
    this.random = random
    this.state = emptyState(shard, deployment)
    const { state, openEntry, entries } = this
    const holds = (seq: number) => (entry: StoredBytes) =>
      seq >= entry.firstSeq && seq < entry.firstSeq + entry.eventCount
    const stored = { entryOf: (_: number, seq: number) => entries.find(holds(seq)) ?? null }
    this.history = new EntryHistory({ state, openEntry, flushing: new Entry() }, stored)
    const hand = {
      shard,
      state,
      nowMs: () => this.nowMs,
      user: () => this.user(),
      send: (command: AnyCommand) => this.send(command),
      append: (event: Event) => this.append(event),
    }
    this.campaigns = new RandomCampaigns(hand, random)
  }

  /** The last events, as one commit has them; null when nothing happened. */
  nextDraft(steps: number): EntryDraft | null {
    for (let step = 0; step < steps; step++) this.step()
    const { openEntry, shard } = this
    if (openEntry.isEmpty) return null
    const { firstSeq, eventCount, timeMs, length } = openEntry
    const events = openEntry.events.slice(0, length)
    openEntry.begin(0, 0)
    this.entries.push({ firstSeq, eventCount, timeMs, events, start: 0, end: length })
    return { shard, firstSeq, eventCount, timeMs, events, length }
  }

  private step(): void {
    const { random } = this
    this.nowMs += random(150) === 0 ? 9 * HOUR_MS : ([0, 0, 0, 1, 700, 61_000][random(6)] ?? 0)
    const what = random(100)
    if (this.codes.length < 3 || what < 5) this.create()
    else if (what < 28) this.redeem()
    else if (what < 40) this.reserve()
    else if (what < 48) this.redeemReservation()
    else if (what < 53) this.release()
    else if (what < 58) this.reverse()
    else if (what < 63) this.sweep()
    else if (what < 69) this.key()
    else if (what < 76) this.branch()
    else this.campaigns.step()
  }

  private send(command: AnyCommand): Decision['answer'] {
    const { command: bytes, state, nowMs, history } = this
    bytes.clear()
    writeCommand(bytes, command)
    const { events, answer } = decide(state, readCommand(new ByteReader(bytes.buf, 0, bytes.pos)), nowMs, history)
    for (const event of events) this.append(event)
    if (answer.type === OUTCOME.REDEMPTION) this.redemptions.push(this.sequence(answer.seq))
    else if ('seq' in answer && 'again' in answer) this.reservations.push(this.sequence(answer.seq))
    return answer
  }

  private append(event: Event): number {
    const { state, openEntry, nowMs } = this
    if (openEntry.isEmpty) openEntry.begin(state.seq + 1, nowMs)
    apply(state, event, nowMs)
    openEntry.append(event, nowMs)
    this.met.add(event.type)
    return state.seq
  }

  private sequence(seq: number): number {
    return seq === LAST_EVENT ? this.state.seq : seq
  }

  private create(): void {
    const { random } = this
    const length = 5 + random(8)
    const letters = Array.from({ length }, () => LETTERS[random(LETTERS.length)]).join('')
    const code = random(3) === 0 ? `${letters}-01_LONG-AND-WIDE` : letters
    const fields = {
      maxUses: random(3) === 0 ? 1 + random(30) : null,
      maxUsesPerUser: random(2) === 0 ? 1 + random(3) : null,
      validUntilMs: random(4) === 0 ? this.nowMs + random(200_000) : null,
      description: random(3) === 0 ? 'für Ü-Leute' : null,
    }
    const { type } = this.send(create(couponWith(code, fields)))
    if (type === OUTCOME.COUPON) this.codes.push(code)
  }

  private code(): string {
    const made = this.random(3) === 0 ? this.campaigns.madeCode() : null
    return made ?? this.plainCode()
  }

  private plainCode(): string {
    return this.codes[this.random(this.codes.length)] as string
  }

  private user(): string {
    return `user-${this.random(12)}`
  }

  private order(): string {
    return this.random(6) === 0 ? 'the-order' : `order-${this.shard}-${this.count++}`
  }

  private redeem(): void {
    const call = { user: this.user(), order: this.order(), cart: total(1_000) }
    this.send(checkout(COMMAND.REDEEM, this.code(), call))
  }

  private reserve(): void {
    const order = this.random(2) === 0 ? this.order() : null
    const call = {
      user: this.user(),
      order,
      cart: this.random(2) === 0 ? total(500) : null,
      ttlSeconds: 1 + this.random(400),
    }
    this.send(checkout(COMMAND.RESERVE, this.code(), call))
  }

  private redeemReservation(): void {
    const reservationSeq = this.oneOf(this.reservations)
    if (reservationSeq === undefined) return
    const rest = { order: this.order(), cart: total(700), allowLate: this.random(2) === 0 }
    this.send({ type: COMMAND.REDEEM_RESERVATION, reservationSeq, ...rest })
  }

  private release(): void {
    const reservationSeq = this.oneOf(this.reservations)
    if (reservationSeq !== undefined) this.send({ type: COMMAND.RELEASE, reservationSeq })
  }

  private reverse(): void {
    const redemptionSeq = this.oneOf(this.redemptions)
    if (redemptionSeq === undefined) return
    this.send({ type: COMMAND.REVERSE, redemptionSeq, reason: 'refund', returnUse: this.random(2) === 0 })
  }

  /** Time, and now and then a horizon: what is before it is forgotten. */
  private sweep(): void {
    const { random } = this
    const change = random(2) === 0 ? 'DISABLED' : 'ENABLED'
    if (random(4) === 0) this.send({ type: COMMAND.SWITCH_COUPON, coupon: byCode(this.code()), by: null, change })
    const { state, nowMs } = this
    for (const event of decideSweep(state, nowMs, 0, 0, 100)) this.append(event)
    const { seq, rememberedFromSeq, keysRememberedFromSeq } = state
    // As a sweep does: what counts as gone goes, in slices, and no dump may depend on how far that is.
    for (const table of [state.tables.orders, state.tables.closed]) table.evictBelow(rememberedFromSeq, 40)
    for (const table of [state.tables.keys, state.tables.operations]) table.evictBelow(keysRememberedFromSeq, 40)
    state.tables.days.evictBelow(state.timeMs - DAYS_KEPT_MS, 40)
    if (random(4) === 0) {
      this.append({ type: EVENT.ORDERS_FORGOTTEN, beforeSeq: rememberedFromSeq + random(seq - rememberedFromSeq + 1) })
    }
    if (random(6) === 0) {
      const more = random(seq - keysRememberedFromSeq + 1)
      this.append({ type: EVENT.KEYS_FORGOTTEN, beforeSeq: keysRememberedFromSeq + more })
    }
  }

  private key(): void {
    const { random } = this
    const known = this.oneOf(this.keys)
    if (known === undefined || random(2) === 0) {
      const key = `key-${this.count++}`
      const digest = bytesOf('d'.repeat(32))
      const operation = bytesOf(`operation-${key}`)
      const claimSeq = this.append({ type: EVENT.KEY_CLAIMED, scope: null, key, digest, operation })
      this.keys.push({ key, claimSeq })
      if (random(2) === 0) {
        this.append({ type: EVENT.OPERATION_DONE, operation, shows: 'NOTHING', number: 0, again: false })
      }
    } else {
      this.append({ type: EVENT.KEY_ANSWERED, scope: null, ...known, answer: null })
    }
  }

  /** A part in a transaction that another shard coordinates: begun, ended one way or the other, or left as it is. */
  private branch(): void {
    const { random } = this
    const open = this.undecided.length > 0 && random(2) === 0 ? this.undecided.shift() : undefined
    if (open === undefined) {
      this.prepare()
    } else if (random(3) === 0) {
      this.append({ type: EVENT.BRANCH_ABORTED, txn: open.txn })
    } else if (random(2) === 0) {
      const expiresAtMs = this.nowMs + 100_000
      this.append({ type: EVENT.BRANCH_RESERVED, txn: open.txn, reservationSeq: open.txn.seq + 1, expiresAtMs })
      this.reserved.push(open.txn)
    } else {
      const { txn, branch } = open
      const { ordinals, user, order } = branch
      const redemption = { shard: txn.shard, seq: txn.seq + 1 }
      const rest = { ordinals, user, order, amounts: [BRANCH_AMOUNT] }
      this.append({ type: EVENT.BRANCH_REDEEMED, txn, redemptionSeq: redemption.seq, ...rest })
      this.branchesRedeemed.push({ redemption, branch })
    }
    const reserved = random(3) === 0 ? this.reserved.shift() : undefined
    if (reserved !== undefined) this.append({ type: EVENT.BRANCH_RELEASED, txn: reserved, cause: 'RELEASED' })
    if (random(4) === 0) this.reverseBranch()
  }

  private reverseBranch(): void {
    const redeemed = this.branchesRedeemed.shift()
    if (redeemed === undefined) return
    const { redemption, branch } = redeemed
    const { ordinals, user, amounts, heldSeq } = branch
    const rest = { ordinals, user, amounts, heldSeq, reason: 'refund', returnUse: this.random(2) === 0 }
    this.append({ type: EVENT.BRANCH_REVERSED, redemption, ...rest })
  }

  private prepare(): void {
    const { random, shard } = this
    const { couponCount, campaigns } = this.state
    const which = random(couponCount + campaigns.length)
    const ordinal = which < couponCount ? which : campaignOrdinal(which - couponCount)
    if (!this.hasRoom(ordinal)) return
    const amounts = this.campaignOf(ordinal) < 0 ? [] : [BRANCH_AMOUNT]
    const order = bytesOf(`stacked-${shard}-${this.count++}`)
    const call = { ordinals: [ordinal], user: bytesOf(this.user()), order, amounts }
    const mine = random(2) === 0
    const txn = mine ? { shard, seq: 0 } : { shard: shard + 1, seq: 10 * ++this.count }
    const shards = mine ? [shard + 1, shard + 2] : []
    const seq = this.append({ type: EVENT.BRANCH_PREPARED, txn, ...call, reservationTxnSeq: 0, shards })
    // What this shard coordinates can only be aborted here: it stays in the outbox then.
    if (!mine) this.undecided.push({ txn, branch: { ...call, heldSeq: seq } })
    else if (random(2) === 0) this.append({ type: EVENT.BRANCH_ABORTED, txn: { shard, seq } })
  }

  /** Whether one use more fits, overdue holds counted as if they were not. */
  private hasRoom(ordinal: number): boolean {
    const { state } = this
    const { coupons, campaigns } = state.tables
    const taken = coupons.uses.get(ordinal) + coupons.reserved.get(ordinal)
    if (taken >= (state.limits(ordinal).maxUses ?? Number.POSITIVE_INFINITY)) return false
    const campaign = this.campaignOf(ordinal)
    if (campaign < 0) return true
    if (campaign !== ordinal && !this.hasRoom(campaign)) return false
    const index = campaign - campaignOrdinal(0)
    const spent = campaigns.discountTotal.get(index) + campaigns.discountHeld.get(index)
    return spent + BRANCH_AMOUNT <= (state.campaign(campaign).budgetMinor ?? Number.POSITIVE_INFINITY)
  }

  /** The campaign itself, or that of a coupon; -1: none. */
  private campaignOf(ordinal: number): number {
    return isCampaign(ordinal) ? ordinal : this.state.campaignOf(ordinal)
  }

  private oneOf<Item>(items: readonly Item[]): Item | undefined {
    return items[this.random(items.length)]
  }
}
