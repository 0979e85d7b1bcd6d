/**
 * Judges answers: each was on the disk when it left, says what the log says, and says the same to everybody who asks again.
 */
import type { ShardAccounts } from '../../../cli/audit/audit-accounts.ts'
import { textOf } from '../../../protocol/bytes.ts'
import { COMMAND } from '../../../protocol/commands.ts'
import { OUTCOME, type RedemptionOutcome, type Refused, type ReservationOutcome } from '../../../protocol/outcomes.ts'
import type { LoggedEvent } from './logs.ts'
import type { Observed } from './observed.ts'

type Logs = readonly (readonly LoggedEvent[])[]

export class AnswerJudge {
  private readonly logs: Logs
  private readonly observed: readonly Observed[]
  private readonly fault: (sentence: string) => void
  /** Answers of shards by the sequence that they were made at. */
  private readonly reads = new Map<string, Observed[]>()

  constructor(logs: Logs, observed: readonly Observed[], fault: (sentence: string) => void) {
    this.logs = logs
    this.observed = observed
    this.fault = fault
  }

  /** What can be said of an answer and the log without any sums. */
  judgeAlone(): void {
    for (const one of this.observed) {
      const { position, outcome, durableSeq } = one
      if (position === null || outcome === null) continue
      const told = (what: string): void => this.fault(`step ${one.step} (${one.do}): ${what}`)
      if (position.seq > durableSeq) {
        told(`was answered at ${position.shard}:${position.seq} when ${durableSeq} was on the disk`)
      }
      const log = this.logs[position.shard] ?? []
      if (position.seq > log.length) told(`was answered at ${position.seq}, and the log ends at ${log.length}`)
      for (const { shard, seq } of one.others) {
        const length = this.logs[shard]?.length ?? 0
        if (seq > length) told(`was judged at ${shard}:${seq}, and that log ends at ${length}`)
      }
      if (outcome.type === OUTCOME.REDEMPTION) this.judgeRedemption(one, outcome, told)
      if (outcome.type === OUTCOME.RESERVATION) this.judgeReservation(one, outcome, told)
      const isSum = outcome.type === OUTCOME.COUPON || outcome.type === OUTCOME.CAMPAIGN
      if (isSum || outcome.type === OUTCOME.REFUSED) {
        const name = `${position.shard}:${position.seq}`
        const same = this.reads.get(name)
        if (same === undefined) this.reads.set(name, [one])
        else same.push(one)
      }
    }
    this.judgeOrders()
  }

  /** Counters that were read at this very place of the log. */
  judgeAt(shard: number, seq: number, books: ShardAccounts): void {
    for (const one of this.reads.get(`${shard}:${seq}`) ?? []) {
      const { step, outcome, position } = one
      if (outcome?.type === OUTCOME.REFUSED) this.judgeRefusal(one, outcome, books)
      if (outcome?.type !== OUTCOME.COUPON && outcome?.type !== OUTCOME.CAMPAIGN) continue
      const number = outcome.type === OUTCOME.COUPON ? outcome.ordinal : outcome.index
      const account = (outcome.type === OUTCOME.COUPON ? books.coupons : books.campaigns)[number]
      if (account === undefined) continue
      const says = `step ${step}: read at ${shard}:${seq}@${position?.timeMs}`
      if (outcome.uses !== account.uses) this.fault(`${says}, ${outcome.uses} uses, and the log has ${account.uses}`)
      // What has run out counts as free before its end is logged.
      if (outcome.reserved > account.reserved) {
        this.fault(`${says}, ${outcome.reserved} reserved, and the log has ${account.reserved}`)
      }
    }
  }

  /** A refusal of one coupon that stands alone, by its own shard: what it says of the uses is so. */
  private judgeRefusal({ step, command, others }: Observed, { refusal }: Refused, books: ShardAccounts): void {
    if (command.type !== COMMAND.RESERVE && command.type !== COMMAND.REDEEM) return
    const [only, another] = command.coupons
    if (only === undefined || another !== undefined || others.length > 0) return
    const coupon = books.coupons.find(({ code }) => code === asText(only.code))
    if (coupon === undefined || coupon.countedAs !== coupon.ordinal) return
    const isUsedUp = coupon.maxUses !== null && coupon.uses >= coupon.maxUses
    const isWrong = (refusal === 'COUPON_EXHAUSTED' && !isUsedUp) || (refusal === 'COUPON_LOCKED' && isUsedUp)
    if (isWrong) {
      const { code, uses, reserved, maxUses } = coupon
      this.fault(`step ${step}: ${refusal}, and ${code} has ${uses} uses and ${reserved} holds of ${maxUses}`)
    }
  }

  private judgeRedemption(one: Observed, outcome: RedemptionOutcome, told: (what: string) => void): void {
    const log = this.logs[one.position?.shard ?? 0] ?? []
    const event = log[outcome.seq - 1]?.event
    if (event?.kind !== 'redeemed') {
      told(`redemption ${outcome.seq} was acknowledged and is not in the log`)
      return
    }
    if (event.userId !== outcome.userId || event.orderId !== outcome.orderId) told('is another redemption in the log')
    if (event.price.amounts.join() !== outcome.price.amounts.join()) told('gives another discount in the log')
    const asked = one.command.type === COMMAND.STACK ? one.command.call : one.command
    if (asked.type === COMMAND.REDEEM || asked.type === COMMAND.REDEEM_RESERVATION) {
      if (asText(asked.order) !== outcome.orderId)
        told(`asked for order ${asText(asked.order)} and got ${outcome.orderId}`)
    }
    if (outcome.reversed !== null && !isReversed(log, outcome.seq))
      told('is told as reversed, and the log knows nothing of it')
  }

  private judgeReservation(one: Observed, outcome: ReservationOutcome, told: (what: string) => void): void {
    const log = this.logs[one.position?.shard ?? 0] ?? []
    const event = log[outcome.seq - 1]?.event
    if (event?.kind !== 'reserved') told(`reservation ${outcome.seq} was acknowledged and is not in the log`)
    else if (event.userId !== outcome.userId) told("is somebody else's reservation in the log")
  }

  /** The same order on the same coupons: one redemption, one answer. */
  private judgeOrders(): void {
    const first = new Map<string, Observed>()
    for (const one of this.observed) {
      const { outcome, position } = one
      if (outcome?.type !== OUTCOME.REDEMPTION || position === null) continue
      const set = outcome.coupons.map(({ code }) => code).sort()
      const name = `${outcome.orderId} ${set.join()}`
      const before = first.get(name)
      if (before === undefined) {
        first.set(name, one)
        continue
      }
      const was = before.outcome as RedemptionOutcome
      const isSame =
        was.seq === outcome.seq &&
        before.position?.shard === position.shard &&
        was.price.amounts.join() === outcome.price.amounts.join() &&
        was.userId === outcome.userId
      if (!isSame) this.fault(`steps ${before.step} and ${one.step}: ${name} was redeemed twice`)
    }
  }
}

function isReversed(log: readonly LoggedEvent[], redemption: number): boolean {
  return log.some(({ event }) => event.kind === 'reversed' && event.redemption === redemption)
}

function asText(text: Parameters<typeof textOf>[0] | string | null): string {
  if (text === null) return ''
  return typeof text === 'string' ? text : textOf(text)
}
