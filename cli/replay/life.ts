/**
 * The life of a coupon, a code made in bulk or a campaign in sentences, one for each event that concerns it, with its position
 * and time. Of a campaign its own events and those of its jobs: what happened to its codes is the life of each code.
 */
import { textOf } from '../../protocol/bytes.ts'
import type { CampaignDefinition } from '../../protocol/campaign.ts'
import type { CouponDefinition } from '../../protocol/coupon.ts'
import { currencyName } from '../../protocol/currency.ts'
import type { DailyLimit } from '../../protocol/daily-limit.ts'
import { type CodesMade, EVENT, type Event, type ReleaseCause, type TxnId } from '../../protocol/events.ts'
import { formatId } from '../../protocol/ids.ts'
import type { CodesPlan } from '../../protocol/jobs.ts'
import { campaignOrdinal } from '../../protocol/ordinals.ts'
import type { Offer } from '../../engine/domain/offer.ts'
import { shownTime } from '../rebuild/positions.ts'
import type { StoredEvent } from '../rebuild/stored-events.ts'

export interface LifeLine {
  readonly position: string
  readonly at: string
  readonly type: string
  readonly sentence: string
}

const EVENT_NAMES: ReadonlyMap<number, string> = new Map(Object.entries(EVENT).map(([name, type]) => [type, name]))

/** `COUPON_CREATED`. */
export function eventName(event: Event): string {
  return EVENT_NAMES.get(event.type) ?? `EVENT_${event.type}`
}

export class CouponLife {
  readonly lines: LifeLine[] = []
  private readonly shard: number
  private readonly isIt: (ordinal: number, code: string) => boolean
  private readonly plans = new Map<number, CodesPlan>()
  private ordinal = -1
  /** The job that made it; 0: none did. */
  private jobSeq = 0
  /** Its reservations and transactions, whose later events do not name the coupon. */
  private readonly reservations = new Set<number>()
  private readonly transactions = new Set<string>()

  /** `isIt` is asked of every coupon, code and campaign that is created on the shard; a campaign has no code (''). */
  constructor(shard: number, isIt: (ordinal: number, code: string) => boolean) {
    this.shard = shard
    this.isIt = isIt
  }

  get isFound(): boolean {
    return this.ordinal >= 0
  }

  book({ event, seq, atMs }: StoredEvent): void {
    const sentence = this.sentenceOf(event, seq)
    if (sentence === null) return
    this.lines.push({
      position: `${this.shard}:${seq}`,
      at: shownTime(atMs),
      type: eventName(event),
      sentence,
    })
  }

  private sentenceOf(event: Event, seq: number): string | null {
    switch (event.type) {
      case EVENT.COUPON_CREATED: {
        if (this.isFound || !this.isIt(event.ordinal, event.definition.code)) return null
        this.ordinal = event.ordinal
        const { imported } = event
        const row =
          imported === null
            ? ''
            : `, line ${imported.line} of ${formatId('job_', imported.job.shard, imported.job.seq)}`
        const uses = imported === null || imported.uses === 0 ? '' : `, with ${imported.uses} uses from elsewhere`
        return `created${byText(event.by)}${row}${uses}: ${termsText(event.definition)}`
      }
      case EVENT.COUPON_CHANGED: {
        if (event.ordinal !== this.ordinal) return null
        const reason = event.reason === null ? '' : ` (${event.reason})`
        return `${event.change.toLowerCase()}${byText(event.by)}${reason}: ${termsText(event.definition)}`
      }
      case EVENT.COUPON_SWITCHED:
        return event.ordinal === this.ordinal ? `${event.change.toLowerCase()}${byText(event.by)}` : null
      case EVENT.COUPON_WINDOW_PASSED:
        if (event.ordinal !== this.ordinal) return null
        return event.edge === 'STARTED' ? 'its window began' : 'its window ended'
      case EVENT.RESERVED: {
        if (!event.ordinals.includes(this.ordinal)) return null
        this.reservations.add(seq)
        const order = event.order === null ? '' : `, order ${textOf(event.order)}`
        const stacked = event.stack === null ? '' : `, with ${othersText(event.stack.coupons.length)}`
        return `reserved for user ${textOf(event.user)}${order} until ${shownTime(event.expiresAtMs)}${stacked} (${formatId('rsv_', this.shard, seq)})`
      }
      case EVENT.RESERVATION_REPRICED:
        return this.ofReservation(event.reservationSeq, 'got the price of another cart')
      case EVENT.RESERVATION_RETIMED:
        return this.ofReservation(event.reservationSeq, `lasts until ${shownTime(event.expiresAtMs)} now`)
      case EVENT.RESERVATION_RELEASED:
        return this.ofReservation(event.reservationSeq, releaseText(event.cause))
      case EVENT.REDEEMED: {
        const place = event.ordinals.indexOf(this.ordinal)
        if (place < 0) return null
        const all = event.stack?.coupons
        const priced =
          all === undefined ? place : all.findIndex((c) => c.shard === this.shard && c.ordinal === this.ordinal)
        const amount = `${event.price.amounts[priced] ?? 0} minor units of ${currencyName(event.price.currency)}`
        const from = event.reservationSeq === 0 ? '' : ` from ${formatId('rsv_', this.shard, event.reservationSeq)}`
        const late = event.late ? ', after it had run out' : ''
        return `redeemed by user ${textOf(event.user)}, order ${textOf(event.order)}${from}${late}: ${amount} off (${formatId('rdm_', this.shard, seq)})`
      }
      case EVENT.REDEMPTION_REVERSED: {
        if (!event.ordinals.includes(this.ordinal)) return null
        return reversalText(formatId('rdm_', this.shard, event.redemptionSeq), event.reason, event.returnUse)
      }
      case EVENT.BRANCH_PREPARED: {
        if (!event.ordinals.includes(this.ordinal)) return null
        const txn = event.txn.seq === 0 ? { shard: event.txn.shard, seq } : event.txn
        this.transactions.add(txnText(txn))
        return `promised to user ${textOf(event.user)} in transaction ${txnText(txn)} over several shards`
      }
      case EVENT.BRANCH_ABORTED:
        return this.ofTransaction(event.txn, 'came to nothing; its capacity is free again')
      case EVENT.BRANCH_RESERVED:
        return this.ofTransaction(event.txn, `is a reservation until ${shownTime(event.expiresAtMs)}`)
      case EVENT.BRANCH_RETIMED:
        return this.ofTransaction(event.txn, `lasts until ${shownTime(event.expiresAtMs)} now`)
      case EVENT.BRANCH_RELEASED:
        return this.ofTransaction(event.txn, releaseText(event.cause))
      case EVENT.BRANCH_REDEEMED: {
        const place = event.ordinals.indexOf(this.ordinal)
        if (place < 0) return null
        const id = formatId('rdm_', event.txn.shard, event.redemptionSeq)
        return `redeemed by user ${textOf(event.user)}, order ${textOf(event.order)}, with coupons of other shards: ${event.amounts[place] ?? 0} off (${id})`
      }
      case EVENT.BRANCH_REVERSED: {
        if (!event.ordinals.includes(this.ordinal)) return null
        return reversalText(
          formatId('rdm_', event.redemption.shard, event.redemption.seq),
          event.reason,
          event.returnUse,
        )
      }
      case EVENT.CAMPAIGN_CREATED: {
        const ordinal = campaignOrdinal(event.index)
        if (this.isFound || !this.isIt(ordinal, '')) return null
        this.ordinal = ordinal
        return `created${byText(event.by)}: ${campaignText(event.definition)}`
      }
      case EVENT.CAMPAIGN_CHANGED:
        return this.ofCampaign(event.index, `patched${byText(event.by)}: ${campaignText(event.definition)}`)
      case EVENT.CAMPAIGN_SWITCHED:
        return this.ofCampaign(event.index, `${event.change.toLowerCase()}${byText(event.by)}`)
      case EVENT.CAMPAIGN_WINDOW_PASSED:
        return this.ofCampaign(event.index, event.edge === 'STARTED' ? 'its window began' : 'its window ended')
      case EVENT.JOB_STARTED: {
        const { plan } = event
        if (plan.kind === 'IMPORT') return null
        this.plans.set(seq, plan)
        return this.ofJob(seq, `${plan.count} codes (${plan.distribution}) are to be made${byText(event.by)}`)
      }
      case EVENT.CODES_MADE:
        return this.madeIn(event) ?? this.ofJob(event.jobSeq, `${event.count} codes were made`)
      case EVENT.JOB_ENDED:
        return this.ofJob(
          event.jobSeq,
          `${event.end.toLowerCase()}${event.reason === null ? '' : ` (${event.reason})`}`,
        )
      case EVENT.BATCH_WINDOW_PASSED: {
        const isOfJob = this.jobSeq === event.jobSeq
        if (!isOfJob) return null
        return event.edge === 'STARTED' ? 'its window began' : 'its window ended'
      }
      default:
        return null
    }
  }

  /** Where the code itself is among those made. */
  private madeIn({ jobSeq, firstOrdinal, count, letters }: CodesMade): string | null {
    const plan = this.plans.get(jobSeq)
    if (plan === undefined || this.isFound) return null
    const drawn = plan.length - plan.prefix.length
    const all = textOf(letters)
    for (let i = 0; i < count; i++) {
      if (!this.isIt(firstOrdinal + i, plan.prefix + all.slice(i * drawn, (i + 1) * drawn))) continue
      this.ordinal = firstOrdinal + i
      this.jobSeq = jobSeq
      return `made by ${formatId('job_', this.shard, jobSeq)} (${plan.distribution}): ${termsText(plan.definition)}`
    }
    return null
  }

  private ofCampaign(index: number, what: string): string | null {
    return campaignOrdinal(index) === this.ordinal ? what : null
  }

  /** Of a job that makes codes of the campaign. */
  private ofJob(seq: number, what: string): string | null {
    const campaign = this.plans.get(seq)?.definition.campaign ?? null
    if (campaign === null || campaign.shard !== this.shard) return null
    return this.ofCampaign(campaign.index, `${formatId('job_', this.shard, seq)}: ${what}`)
  }

  private ofReservation(seq: number, what: string): string | null {
    return this.reservations.has(seq) ? `reservation ${formatId('rsv_', this.shard, seq)} ${what}` : null
  }

  private ofTransaction(txn: TxnId, what: string): string | null {
    const named = txn.seq === 0 ? null : txnText(txn)
    return named !== null && this.transactions.has(named) ? `transaction ${named} ${what}` : null
  }
}

function txnText({ shard, seq }: TxnId): string {
  return `${shard}:${seq}`
}

function byText(by: string | null): string {
  return by === null ? '' : ` by ${by}`
}

function othersText(count: number): string {
  return count === 2 ? 'a coupon of another shard' : `${count - 1} coupons of other shards`
}

function releaseText(cause: ReleaseCause): string {
  switch (cause) {
    case 'RELEASED':
      return 'was given back'
    case 'EXPIRED':
      return 'ran out'
    case 'COUPON_EXPIRED':
      return 'ended with its coupon'
  }
}

function reversalText(id: string, reason: string, returnUse: boolean): string {
  return `redemption ${id} reversed (${reason}), its use ${returnUse ? 'given back' : 'kept'}`
}

/** `10 % off the order, at most 100 uses, 1 a user, from … until …`. */
function termsText(definition: CouponDefinition): string {
  const { offer, userId, campaign, dailyLimit } = definition
  const of = campaign === null ? '' : ` (${formatId('cmp_', campaign.shard, campaign.index)})`
  const terms = [limitsText(offer === null ? `the offer of its campaign${of}` : offerText(offer), definition)]
  if (userId !== null) terms.push(`for user ${userId} only`)
  if (dailyLimit !== null) terms.push(dailyText(dailyLimit, 'its campaign'))
  return terms.join(', ')
}

function limitsText(
  first: string,
  { maxUses, maxUsesPerUser, validFromMs, validUntilMs }: CouponDefinition | CampaignDefinition,
): string {
  const terms = [first]
  if (maxUses !== null) terms.push(`at most ${maxUses} use${maxUses === 1 ? '' : 's'}`)
  if (maxUsesPerUser !== null) terms.push(`${maxUsesPerUser} a user`)
  if (validFromMs !== null) terms.push(`from ${shownTime(validFromMs)}`)
  if (validUntilMs !== null) terms.push(`until ${shownTime(validUntilMs)}`)
  return terms.join(', ')
}

/** `Spring: 10 % off the order, at most 100 uses, 1 a user, a budget of 5000, …`. */
function campaignText(campaign: CampaignDefinition): string {
  const { name, offer, budgetMinor, dailyLimit, timezone } = campaign
  const terms = [limitsText(offerText(offer), campaign)]
  if (budgetMinor !== null) terms.push(`a budget of ${budgetMinor} ${offer.currency ?? ''}`.trimEnd())
  if (dailyLimit !== null) terms.push(dailyText(dailyLimit, timezone))
  return `${name}: ${terms.join(', ')}`
}

function dailyText({ perUser, scope }: DailyLimit, timezone: string): string {
  return `${perUser} a user and day of ${timezone}${scope === 'ALL' ? ' over everything' : ''}`
}

function offerText({ type, scope, percentBps, valueMinor, currency, stacking }: Offer): string {
  const combines = stacking === 'STACKABLE' ? ', stackable' : ''
  if (type === 'FREESHIP') return `free shipping${combines}`
  const what = type === 'PERCENT' ? `${percentBps / 100} %` : `${valueMinor} ${currency ?? ''}`.trimEnd()
  return `${what} off ${scope === 'ORDER' ? 'the order' : 'items'}${combines}`
}
