/**
 * Codes made in bulk as a recount knows them: which job made a code, for which campaign, and whether it may be claimed.
 */
import type { CouponDefinition } from '../../protocol/coupon.ts'
import { isBulk } from '../../protocol/ordinals.ts'
import type { CodesPlan } from '../../protocol/jobs.ts'

/** What was made of a code by changes of its own. */
export interface ChangedCode {
  readonly definition: CouponDefinition
  /** It was given to a user, or to everybody; null: it is whose its job says. */
  readonly isOwned: boolean | null
}

interface Batch {
  readonly plan: CodesPlan
  made: number
}

/** Neighbouring codes of one job. */
interface Stretch {
  readonly firstOrdinal: number
  /** How many codes of its job come before it. */
  readonly before: number
  readonly batch: Batch
  endOrdinal: number
}

export class Batches {
  /** All codes made in bulk. */
  size = 0
  private readonly shard: number
  private readonly batches = new Map<number, Batch>()
  private readonly stretches: Stretch[] = []
  /** Codes that claims may hand out as their jobs made them, by campaign, used and held ones included. */
  private readonly poolable = new Map<number, number>()

  constructor(shard: number) {
    this.shard = shard
  }

  start(jobSeq: number, plan: CodesPlan): void {
    this.batches.set(jobSeq, { plan, made: 0 })
  }

  add(jobSeq: number, firstOrdinal: number, count: number): void {
    const batch = this.batches.get(jobSeq)
    if (batch === undefined) throw new RangeError(`codes are made for job ${jobSeq}, which never began`)
    const last = this.stretches.at(-1)
    const ownedLeft = Math.max(0, Math.min(count, batch.plan.userIds.length - batch.made))
    const campaign = this.campaignOfPlan(batch.plan)
    if (campaign >= 0 && isPool(batch.plan) && isForAnybody(batch.plan.definition)) {
      this.poolable.set(campaign, (this.poolable.get(campaign) ?? 0) + count - ownedLeft)
    }
    if (last?.batch === batch) last.endOrdinal = firstOrdinal + count
    else this.stretches.push({ firstOrdinal, before: batch.made, batch, endOrdinal: firstOrdinal + count })
    batch.made += count
    this.size += count
  }

  /** Codes that a job has made; null: it makes none. */
  madeBy(jobSeq: number): number | null {
    return this.batches.get(jobSeq)?.made ?? null
  }

  get jobs(): IterableIterator<number> {
    return this.batches.keys()
  }

  campaignOf(ordinal: number): number {
    return this.campaignOfPlan(this.stretchOf(ordinal).batch.plan)
  }

  /** Its job says that a user may have only so many of it. */
  isLimited(ordinal: number): boolean {
    return this.stretchOf(ordinal).batch.plan.definition.maxUsesPerUser !== null
  }

  /** Whether claims may hand a code out while it is free. `changed`: what was made of it; null: nothing. */
  isPoolable(ordinal: number, changed: ChangedCode | null): boolean {
    if (!isBulk(ordinal)) return false
    const { batch, before, firstOrdinal } = this.stretchOf(ordinal)
    const { plan } = batch
    if (!isPool(plan) || this.campaignOfPlan(plan) < 0) return false
    const isOwned = changed?.isOwned ?? before + (ordinal - firstOrdinal) < plan.userIds.length
    return !isOwned && isForAnybody(changed?.definition ?? plan.definition)
  }

  poolableOf(campaign: number): number {
    return this.poolable.get(campaign) ?? 0
  }

  private campaignOfPlan({ definition: { campaign } }: CodesPlan): number {
    return campaign !== null && campaign.shard === this.shard ? campaign.index : -1
  }

  private stretchOf(ordinal: number): Stretch {
    const { stretches } = this
    let low = 0
    let high = stretches.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((stretches[middle] as Stretch).firstOrdinal <= ordinal) low = middle + 1
      else high = middle
    }
    const found = stretches[low - 1]
    if (found === undefined || ordinal >= found.endOrdinal) {
      throw new RangeError(`an event names code ${ordinal}, which was never made`)
    }
    return found
  }
}

function isPool({ distribution }: CodesPlan): boolean {
  return distribution === 'POOL'
}

/** For no user in particular, and in no window of its own. */
function isForAnybody({ userId, validFromMs, validUntilMs }: CouponDefinition): boolean {
  return userId === null && validFromMs === null && validUntilMs === null
}
