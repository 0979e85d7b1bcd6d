/** A scene with campaigns: a shard of a real deployment, whose codes come from a generator of its own. */
import type { CampaignDefinition } from '../../../protocol/campaign.ts'
import { COMMAND } from '../../../protocol/commands.ts'
import type { CouponDefinition } from '../../../protocol/coupon.ts'
import type { CodesPlan } from '../../../protocol/jobs.ts'
import {
  type CampaignOutcome,
  type JobOutcome,
  type ListedCode,
  OUTCOME,
  type Outcome,
} from '../../../protocol/outcomes.ts'
import type { Offer } from '../../../engine/domain/offer.ts'
import { Router } from '../../../engine/routing.ts'
import { surroundingsOf } from '../../../engine/surroundings.ts'
import { SeededRandom } from '../../support/seeded-random.ts'
import { LiveShard, SECRET, SHARD } from './live-shard.ts'
import { couponWith, offerWith } from './samples.ts'
import { brief, Scene } from './scene.ts'

const SHARDS = 16

export const router = new Router(SHARDS, SECRET)

export type CampaignTerms = Partial<Omit<CampaignDefinition, 'offer'>> & { readonly offer?: Partial<Offer> }

/** 10 % off everything for everybody, for ever. */
export function campaignWith({ offer, ...fields }: CampaignTerms = {}): CampaignDefinition {
  return {
    name: 'Sale',
    offer: offerWith(offer ?? {}),
    merchantId: null,
    listed: false,
    validFromMs: null,
    validUntilMs: null,
    timezone: 'UTC',
    maxUses: null,
    maxUsesPerUser: null,
    budgetMinor: null,
    dailyLimit: null,
    lockSeconds: 300,
    lowStockPpm: 100_000,
    ...fields,
  }
}

/** A coupon of a campaign: no offer of its own, one use. */
export function couponOf(
  campaignIndex: number,
  code: string,
  fields: Partial<Omit<CouponDefinition, 'code' | 'offer'>> = {},
): CouponDefinition {
  return {
    ...couponWith(code, { campaign: { shard: SHARD, index: campaignIndex }, maxUses: 1, ...fields }),
    offer: null,
  }
}

export function codesPlan(campaignIndex: number, count: number, fields: Partial<CodesPlan> = {}): CodesPlan {
  return {
    kind: 'CODES',
    count,
    length: 10,
    prefix: '',
    distribution: 'POOL',
    definition: couponOf(campaignIndex, ''),
    userIds: [],
    ...fields,
  }
}

export function liveShard(seed = 1, shard = SHARD): LiveShard {
  const random = new SeededRandom(seed)
  return new LiveShard(shard, {
    around: surroundingsOf(shard, router),
    random: (bytes) => Uint8Array.from({ length: bytes }, () => random.below(256)),
  })
}

export interface Claimed {
  readonly seq: number
  readonly again: boolean
  readonly code: string
  readonly expiresAtMs: number
}

export class CampaignScene extends Scene {
  constructor(seed = 1) {
    super(liveShard(seed))
  }

  /** Makes a campaign; its index. */
  campaign(terms: CampaignTerms = {}): number {
    const outcome = this.say({ type: COMMAND.CREATE_CAMPAIGN, by: null, definition: campaignWith(terms) })
    if (outcome.type !== OUTCOME.CAMPAIGN) throw new Error(`answered ${told(outcome)}`)
    return outcome.index
  }

  sees(index: number): CampaignOutcome {
    const outcome = this.say({ type: COMMAND.GET_CAMPAIGN, index })
    if (outcome.type !== OUTCOME.CAMPAIGN) throw new Error(`there is no campaign ${index}`)
    return outcome
  }

  /** A coupon of a campaign under a chosen code. */
  joins(index: number, code: string, fields: Parameters<typeof couponOf>[2] = {}): this {
    const outcome = this.say({ type: COMMAND.CREATE_COUPON, by: null, definition: couponOf(index, code, fields) })
    if (outcome.type !== OUTCOME.COUPON) throw new Error(`answered ${told(outcome)}`)
    return this
  }

  patchCampaign(index: number, terms: CampaignTerms, ifVersion = this.sees(index).version): Outcome {
    return this.say({ type: COMMAND.CHANGE_CAMPAIGN, index, by: null, ifVersion, definition: campaignWith(terms) })
  }

  switchCampaign(index: number, change: 'ENABLED' | 'DISABLED'): Outcome {
    return this.say({ type: COMMAND.SWITCH_CAMPAIGN, index, by: null, change })
  }

  /** Replaces what a code of a campaign says of itself. */
  patchCode(index: number, code: string, fields: Parameters<typeof couponOf>[2]): Outcome {
    const rest = { by: null, reason: null, validUntilMs: 0, override: false }
    return this.say({
      type: COMMAND.CHANGE_COUPON,
      coupon: { code, ordinal: -1 },
      change: 'PATCHED',
      ifVersion: this.coupon(code).version,
      definition: couponOf(index, code, fields),
      ...rest,
    })
  }

  start(plan: CodesPlan): Outcome {
    return this.say({ type: COMMAND.START_JOB, by: null, plan })
  }

  /** Works until no job has anything to do. */
  work(): this {
    while (this.shard.actor.hasWork) this.shard.actor.work(this.nowMs)
    return this
  }

  job(jobSeq: number): JobOutcome {
    const outcome = this.say({ type: COMMAND.GET_JOB, jobSeq })
    if (outcome.type !== OUTCOME.JOB) throw new Error(`there is no job ${jobSeq}`)
    return outcome
  }

  /** Makes codes in bulk at once; the codes. */
  makes(index: number, count: number, fields: Partial<CodesPlan> = {}): string[] {
    const started = this.start(codesPlan(index, count, fields))
    if (started.type !== OUTCOME.JOB) throw new Error(`answered ${told(started)}`)
    this.work()
    return this.codes({ jobSeq: started.jobSeq }).map(({ code }) => code)
  }

  codes({ campaignIndex = -1, jobSeq = 0 }: { campaignIndex?: number; jobSeq?: number } = {}): ListedCode[] {
    const codes: ListedCode[] = []
    let fromOrdinal = 0
    do {
      const page = this.say({ type: COMMAND.LIST_CODES, campaignIndex, jobSeq, fromOrdinal, limit: 1_000 })
      if (page.type !== OUTCOME.CODES) throw new Error(`answered ${told(page)}`)
      codes.push(...page.codes)
      fromOrdinal = page.nextOrdinal
    } while (fromOrdinal !== 0)
    return codes
  }

  claim(index: number, user = 'ann'): Outcome {
    return this.say({ type: COMMAND.CLAIM, index, user })
  }

  /** A claim that has to succeed. */
  claims(index: number, user = 'ann'): Claimed {
    return claimedBy(this, this.claim(index, user))
  }
}

/** What a claim gave, as its reservation says. */
export function claimedBy(scene: Scene, outcome: Outcome): Claimed {
  if (!('again' in outcome) || !('seq' in outcome)) throw new Error(`answered ${told(outcome)}`)
  const reservation = scene.reservation(outcome.seq)
  if (reservation.type !== OUTCOME.RESERVATION) throw new Error(`there is no reservation ${outcome.seq}`)
  const { seq, expiresAtMs, coupons } = reservation
  return { seq, again: outcome.again, code: coupons[0]?.code ?? '', expiresAtMs }
}

/** An answer in a few words, those about campaigns and jobs included. */
export function told(outcome: Outcome): string {
  if (outcome.type === OUTCOME.CAMPAIGN) return outcome.status
  if (outcome.type === OUTCOME.JOB) return `${outcome.state} ${outcome.processed} of ${outcome.total}`
  if (outcome.type !== OUTCOME.REFUSED && 'again' in outcome) return outcome.again ? 'claimed again' : 'claimed'
  return brief(outcome)
}
