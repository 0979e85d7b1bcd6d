/**
 * Types of events that stand in the history of a coupon: those of the log that concern one. Another kind of event is a change
 * of the contract, so it is added here by hand.
 */
import type { EVENT } from '../../protocol/events.ts'

export const HISTORY_TYPES = [
  'COUPON_CREATED',
  'COUPON_CHANGED',
  'COUPON_SWITCHED',
  'COUPON_WINDOW_PASSED',
  'RESERVED',
  'RESERVATION_REPRICED',
  'RESERVATION_RETIMED',
  'RESERVATION_RELEASED',
  'REDEEMED',
  'REDEMPTION_REVERSED',
  'BRANCH_PREPARED',
  'BRANCH_ABORTED',
  'BRANCH_RESERVED',
  'BRANCH_REDEEMED',
  'BRANCH_RETIMED',
  'BRANCH_RELEASED',
  'BRANCH_REVERSED',
] as const satisfies readonly (keyof typeof EVENT)[]
