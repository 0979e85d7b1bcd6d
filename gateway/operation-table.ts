/**
 * All operations by name. HTTP maps them to methods and paths (`routes.ts`), a WebSocket session picks the ones it offers.
 */
import { redeem, reserve, validate } from './checkout-calls.ts'
import {
  createCoupon,
  deleteCoupon,
  disableCoupon,
  enableCoupon,
  expireCoupon,
  extendCoupon,
  getCoupon,
  patchCoupon,
} from './coupon-calls.ts'
import { couponHistory, listCoupons } from './list-coupons.ts'
import { listRedemptions, listReservations } from './list-receipts.ts'
import { lockCoupon, redeemCoupon, validateCoupon } from './one-coupon-calls.ts'
import {
  extendReservation,
  getRedemption,
  getReservation,
  redeemReservation,
  releaseReservation,
  reverseRedemption,
} from './receipt-calls.ts'

export const OPERATIONS = {
  validate,
  reserve,
  redeem,
  getReservation,
  extendReservation,
  redeemReservation,
  releaseReservation,
  getRedemption,
  reverseRedemption,
  createCoupon,
  getCoupon,
  patchCoupon,
  deleteCoupon,
  disableCoupon,
  enableCoupon,
  extendCoupon,
  expireCoupon,
  validateCoupon,
  lockCoupon,
  redeemCoupon,
  listCoupons,
  couponHistory,
  listRedemptions,
  listReservations,
} as const

export type OperationName = keyof typeof OPERATIONS
