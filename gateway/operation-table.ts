/**
 * All operations by name. HTTP maps them to methods and paths (`routes.ts`), a WebSocket session picks the ones it offers.
 */
import { createCampaign, disableCampaign, enableCampaign, getCampaign, patchCampaign } from './campaign-calls.ts'
import { redeem, reserve, validate } from './checkout-calls.ts'
import { claimCoupon } from './claim-calls.ts'
import { createCodes } from './codes-calls.ts'
import { exportCodes } from './codes-export.ts'
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
import { listEvents } from './events-call.ts'
import { generateCoupons } from './generate-call.ts'
import { cancelJob, getJob } from './job-calls.ts'
import { importCoupons } from './import-call.ts'
import { listCampaigns } from './list-campaigns.ts'
import { couponHistory, listCoupons } from './list-coupons.ts'
import { listRedemptions, listReservations } from './list-receipts.ts'
import { lockCoupon, redeemCoupon, validateCoupon } from './one-coupon-calls.ts'
import { searchCoupons } from './search-coupons.ts'
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
  searchCoupons,
  couponHistory,
  listRedemptions,
  listReservations,
  createCampaign,
  listCampaigns,
  getCampaign,
  patchCampaign,
  disableCampaign,
  enableCampaign,
  claimCoupon,
  generateCoupons,
  createCodes,
  exportCodes,
  getJob,
  cancelJob,
  listEvents,
  importCoupons,
} as const

export type OperationName = keyof typeof OPERATIONS
