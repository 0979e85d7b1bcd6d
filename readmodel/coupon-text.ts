/**
 * A coupon as lists and searches show it, from its rows: JSON, and the status that the clock and its uses give it at this moment.
 */
import { campaignNumber } from './campaign-members.ts'
import { campaignOf } from './campaign-rows.ts'
import { CAMPAIGN_TYPE, definitionOf } from './coupon-rows.ts'
import type { Database, Sql, SqlRow } from './database.ts'
import { shardOf, withinShard } from './list-keys.ts'
import { statusWithin } from '../gateway/coupons/coupon-of-campaign.ts'
import { couponText } from '../gateway/coupons/render-coupon.ts'
import { type CouponOutcome, type CouponStatus, OUTCOME } from '../protocol/outcomes.ts'

/** What is selected of a coupon `c`; the only question mark is the present moment. */
export const TEXT_COLUMNS = `c.id, c.created_at, c.updated_at, c.version, c.disabled, c.max_uses, c.valid_from, c.valid_until,
  ifnull(u.uses, 0), (SELECT count(*) FROM hold h WHERE h.coupon = c.id AND h.expires_at > ?), d.bytes, c.type`
export const TEXT_JOINS = 'LEFT JOIN coupon_uses u ON u.id = c.id JOIN coupon_definition d ON d.id = c.id'

/** Counters and rules that a status follows from. */
interface CouponStanding {
  readonly isDisabled: boolean
  readonly maxUses: number | null
  readonly validFromMs: number | null
  readonly validUntilMs: number | null
  readonly uses: number
  readonly reserved: number
}

/** The first that holds, in the order of the contract. */
function statusOf(standing: CouponStanding, nowMs: number): CouponStatus {
  const { maxUses, validFromMs, validUntilMs } = standing
  if (standing.isDisabled) return 'DISABLED'
  if (validUntilMs !== null && nowMs >= validUntilMs) return 'EXPIRED'
  if (maxUses !== null && standing.uses >= maxUses) return maxUses === 1 ? 'REDEEMED' : 'EXHAUSTED'
  if (validFromMs !== null && nowMs < validFromMs) return 'SCHEDULED'
  return maxUses === 1 && standing.reserved > 0 ? 'LOCKED' : 'ACTIVE'
}

/** Of a row of `TEXT_COLUMNS`. */
export function statusOfRow(row: SqlRow, nowMs: number): CouponStatus {
  return statusOf(standingOf(row), nowMs)
}

function standingOf(row: SqlRow): CouponStanding {
  const [disabled, maxUses, validFromMs, validUntilMs, uses, reserved] = row.slice(4, 10) as [
    number,
    number | null,
    number | null,
    number | null,
    number,
    number,
  ]
  return { isDisabled: disabled === 1, maxUses, validFromMs, validUntilMs, uses, reserved }
}

/** Whether a row's coupon has its offer, and so its status, from a campaign: then only its shard can show it. */
export function isBoundRow(row: SqlRow): boolean {
  return row[11] === CAMPAIGN_TYPE
}

export interface ShownCoupon {
  readonly text: string
  readonly isListed: boolean
}

export class CouponTexts {
  private readonly lock: Sql
  private readonly ofIds: Sql
  private readonly campaign: Sql

  constructor(database: Database) {
    this.lock = database.query(
      'SELECT user, until_at FROM hold WHERE coupon = ? AND expires_at > ? ORDER BY expires_at, owner LIMIT 1',
    )
    this.campaign = database.query('SELECT disabled, bytes FROM campaign WHERE id = ?')
    this.ofIds = database.query(
      `SELECT ${TEXT_COLUMNS} FROM json_each(?) j JOIN coupon c ON c.id = j.value ${TEXT_JOINS}`,
    )
  }

  /** Rows of `TEXT_COLUMNS` by id. */
  rows(ids: readonly number[], nowMs: number): ReadonlyMap<number, SqlRow> {
    const rows = this.ofIds.all(nowMs, JSON.stringify(ids))
    return new Map(rows.map((row) => [row[0] as number, row]))
  }

  /** Of a row of `TEXT_COLUMNS`. */
  shown(row: SqlRow, nowMs: number): ShownCoupon {
    const [id, createdAtMs, updatedAtMs, version] = row as number[] as [number, number, number, number]
    const { maxUses, uses, reserved } = standingOf(row)
    const definition = definitionOf(row[10] as Uint8Array)
    const outcome = this.withCampaign(nowMs, {
      type: OUTCOME.COUPON,
      ordinal: withinShard(id),
      status: statusOfRow(row, nowMs),
      uses,
      reserved,
      version,
      createdAtMs,
      updatedAtMs,
      lock: maxUses === 1 && reserved > 0 ? this.lockOf(id, nowMs) : null,
      definition,
    })
    return { text: couponText(shardOf(id), outcome), isListed: definition.listed }
  }

  /** What its campaign has, shown as its own. */
  private withCampaign(nowMs: number, coupon: CouponOutcome): CouponOutcome {
    const { definition, status } = coupon
    const row = definition.campaign === null ? null : this.campaign.first(campaignNumber(definition.campaign))
    if (row === null) return coupon
    const campaign = campaignOf(row[1] as Uint8Array)
    return {
      ...coupon,
      status: statusWithin(status, row[0] === 1, campaign, nowMs),
      definition: { ...definition, offer: campaign.offer },
    }
  }

  private lockOf(id: number, nowMs: number): CouponOutcome['lock'] {
    const [user, untilMs] = this.lock.first(id, nowMs) ?? ['', 0]
    return untilMs === 0 ? null : { userId: user as string, expiresAtMs: untilMs as number }
  }
}
