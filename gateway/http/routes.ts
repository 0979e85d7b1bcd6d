/**
 * The table of paths: method and template to operation, and what kind of body it takes. Routing, the `Allow` of a wrong
 * method, labels in metrics and the OpenAPI document are all made from it.
 *
 * Names of calls that come later and would otherwise be taken for a code (`/coupons/search`) are refused by the code
 * rules themselves: they are reserved, so no coupon has them.
 */
import { OPERATIONS } from '../operations/operation-table.ts'
import type { Operation } from '../operations/operations.ts'

export type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE'

export interface Route {
  readonly method: Method
  /** With at most one parameter, in braces. */
  readonly path: string
  readonly operation: Operation
  /** `none`: a body is not looked at. `upload`: it goes to disk, whatever its size. */
  readonly body: 'json' | 'mergePatch' | 'none' | 'upload'
  /** Set where another path is the first for the same operation. */
  readonly alias: boolean
}

function route(method: Method, path: string, operation: Operation, body: Route['body'] = 'none', alias = false): Route {
  return { method, path: `/v1${path}`, operation, body, alias }
}

export const ROUTES: readonly Route[] = [
  route('POST', '/validate', OPERATIONS.validate, 'json'),
  route('POST', '/reservations', OPERATIONS.reserve, 'json'),
  route('GET', '/reservations', OPERATIONS.listReservations),
  route('GET', '/reservations/{id}', OPERATIONS.getReservation),
  route('DELETE', '/reservations/{id}', OPERATIONS.releaseReservation),
  route('POST', '/reservations/{id}/extend', OPERATIONS.extendReservation, 'json'),
  route('POST', '/reservations/{id}/redeem', OPERATIONS.redeemReservation, 'json'),
  route('POST', '/redemptions', OPERATIONS.redeem, 'json'),
  route('GET', '/redemptions', OPERATIONS.listRedemptions),
  route('GET', '/redemptions/{id}', OPERATIONS.getRedemption),
  route('POST', '/redemptions/{id}/reverse', OPERATIONS.reverseRedemption, 'json'),
  route('POST', '/coupons', OPERATIONS.createCoupon, 'json'),
  route('GET', '/coupons', OPERATIONS.listCoupons),
  route('POST', '/coupons/generate', OPERATIONS.generateCoupons, 'json'),
  route('GET', '/coupons/search', OPERATIONS.searchCoupons),
  route('GET', '/coupons/{coupon}', OPERATIONS.getCoupon),
  route('GET', '/coupons/{coupon}/history', OPERATIONS.couponHistory),
  route('PATCH', '/coupons/{coupon}', OPERATIONS.patchCoupon, 'mergePatch'),
  route('DELETE', '/coupons/{coupon}', OPERATIONS.deleteCoupon),
  route('POST', '/coupons/{coupon}/disable', OPERATIONS.disableCoupon),
  route('POST', '/coupons/{coupon}/enable', OPERATIONS.enableCoupon),
  route('POST', '/coupons/{coupon}/extend', OPERATIONS.extendCoupon, 'json'),
  route('POST', '/coupons/{coupon}/expire', OPERATIONS.expireCoupon, 'json'),
  route('GET', '/coupons/{coupon}/validate', OPERATIONS.validateCoupon),
  route('POST', '/coupons/{coupon}/lock', OPERATIONS.lockCoupon, 'json'),
  route('POST', '/coupons/locked/{coupon}', OPERATIONS.lockCoupon, 'json', true),
  route('POST', '/coupons/{coupon}/redeem', OPERATIONS.redeemCoupon, 'json'),
  route('POST', '/coupons/redeem/{coupon}', OPERATIONS.redeemCoupon, 'json', true),
  route('POST', '/imports/coupons', OPERATIONS.importCoupons, 'upload'),
  route('POST', '/campaigns', OPERATIONS.createCampaign, 'json'),
  route('GET', '/campaigns', OPERATIONS.listCampaigns),
  route('GET', '/campaigns/{id}', OPERATIONS.getCampaign),
  route('PATCH', '/campaigns/{id}', OPERATIONS.patchCampaign, 'mergePatch'),
  route('POST', '/campaigns/{id}/disable', OPERATIONS.disableCampaign),
  route('POST', '/campaigns/{id}/enable', OPERATIONS.enableCampaign),
  route('POST', '/campaigns/{id}/claims', OPERATIONS.claimCoupon, 'json'),
  route('POST', '/campaigns/{id}/codes', OPERATIONS.createCodes, 'json'),
  route('GET', '/campaigns/{id}/codes.csv', OPERATIONS.exportCodes),
  route('GET', '/jobs/{id}', OPERATIONS.getJob),
  route('POST', '/jobs/{id}/cancel', OPERATIONS.cancelJob),
  route('GET', '/events', OPERATIONS.listEvents),
]

/** Calls that a shop makes for its buyers; limits and the look-out for guessing are about these. */
export function isCheckoutCall({ roles }: Operation): boolean {
  return roles.includes('checkout')
}

/** Paths of the operator, served beside the table. */
const OPERATOR_PATHS = ['/livez', '/readyz', '/metrics', '/v1/openapi.json'] as const

/** Segments of literal paths, which no `{coupon}` may stand for when methods are listed. */
const LITERALS: ReadonlySet<string> = new Set(['search', 'generate', 'locked', 'redeem'])

/** Methods that a path has, for `Allow`; empty: there is no such path. */
export function methodsOf(path: string): readonly Method[] {
  if ((OPERATOR_PATHS as readonly string[]).includes(path)) return ['GET']
  const segments = path.split('/')
  const methods = new Set<Method>()
  for (const { method, path: template } of ROUTES) if (fits(template.split('/'), segments)) methods.add(method)
  return [...methods]
}

function fits(template: readonly string[], segments: readonly string[]): boolean {
  return (
    template.length === segments.length &&
    template.every((part, i) => {
      const segment = segments[i] as string
      return part.startsWith('{') ? segment !== '' && !LITERALS.has(segment.toLowerCase()) : part === segment
    })
  )
}
