/**
 * The coupon of the day: how many coupons a user may take in one local day, by claim, lock, reservation or redemption.
 */
import type { ByteReader, ByteWriter } from './bytes.ts'

export const DAILY_SCOPES = ['ALL', 'CAMPAIGN'] as const
/** ALL: counted over everything with scope ALL, on the user's shard. CAMPAIGN: on the campaign's own. */
export type DailyScope = (typeof DAILY_SCOPES)[number]

export interface DailyLimit {
  readonly perUser: number
  readonly scope: DailyScope
}

/** One coupon of a local day that counts over everything, as the shard of its rule asks the shard of its user for it. */
export interface DayAsk {
  readonly perUser: number
  /** The local day, [start, end). */
  readonly startMs: number
  readonly endMs: number
}

export function writeDays(w: ByteWriter, days: readonly DayAsk[]): void {
  w.varint(days.length)
  for (const { perUser, startMs, endMs } of days) {
    w.varint(perUser)
    w.varint(startMs)
    w.varint(endMs)
  }
}

export function readDays(r: ByteReader): DayAsk[] {
  const days: DayAsk[] = []
  for (let left = r.varint(); left > 0; left--) {
    days.push({ perUser: r.varint(), startMs: r.varint(), endMs: r.varint() })
  }
  return days
}

export function writeDailyLimit(w: ByteWriter, limit: DailyLimit | null): void {
  w.varint(limit === null ? 0 : limit.perUser)
  if (limit !== null) w.u8(DAILY_SCOPES.indexOf(limit.scope))
}

export function readDailyLimit(r: ByteReader): DailyLimit | null {
  const perUser = r.varint()
  return perUser === 0 ? null : { perUser, scope: DAILY_SCOPES[r.u8()] ?? 'ALL' }
}
