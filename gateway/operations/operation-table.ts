/**
 * All operations by name. HTTP maps them to methods and paths (`routes.ts`), a WebSocket session picks the ones it offers.
 */
import {
  createCampaign,
  disableCampaign,
  enableCampaign,
  getCampaign,
  patchCampaign,
} from '../campaigns/campaign-calls.ts'
import { redeem, reserve, validate } from '../checkout/checkout-calls.ts'
import { claimCoupon } from '../checkout/claim-calls.ts'
import { createCodes } from '../codes/codes-calls.ts'
import { exportCodes } from '../codes/codes-export.ts'
import {
  createCoupon,
  deleteCoupon,
  disableCoupon,
  enableCoupon,
  expireCoupon,
  extendCoupon,
  getCoupon,
  patchCoupon,
} from '../coupons/coupon-calls.ts'
import { listEvents } from '../events/events-call.ts'
import { generateCoupons } from '../codes/generate-call.ts'
import { cancelJob, getJob } from '../codes/job-calls.ts'
import { importCoupons } from '../codes/import-call.ts'
import { listCampaigns } from '../lists/list-campaigns.ts'
import { couponHistory, listCoupons } from '../lists/list-coupons.ts'
import { listRedemptions, listReservations } from '../lists/list-receipts.ts'
import { lockCoupon, redeemCoupon, validateCoupon } from '../checkout/one-coupon-calls.ts'
import { searchCoupons } from '../lists/search-coupons.ts'
import {
  extendReservation,
  getRedemption,
  getReservation,
  redeemReservation,
  releaseReservation,
  reverseRedemption,
} from '../checkout/receipt-calls.ts'

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
