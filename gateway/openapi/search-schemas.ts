/**
 * Schemas of a search, as the OpenAPI document serves them (see `schema-parts.ts`).
 */
import Type, { type TSchema } from 'typebox'
import { Campaign } from './campaign-schemas.ts'
import { OFFER_TYPES } from '../coupons/coupon-json.ts'
import { SEARCH_TERM_LENGTH_MAX } from '../limits.ts'
import { Coupon } from './coupon-schemas.ts'
import { Name, oneOf, pageOf, pageQuery } from './schema-parts.ts'
import { SEARCH_SORTS } from '../lists/search-port.ts'
import { COUPON_STATUSES } from '../../protocol/outcomes.ts'

export const SearchList = pageOf(Type.Union([Coupon, Campaign]))

export const searchQuery: Readonly<Record<string, TSchema>> = {
  search_term: Type.String({
    maxLength: SEARCH_TERM_LENGTH_MAX,
    description: 'Words; all have to be there, the last one may be a beginning. Without any: everything.',
  }),
  type: oneOf(OFFER_TYPES),
  category: Name,
  status: oneOf(COUPON_STATUSES),
  sort: Type.Enum([...SEARCH_SORTS], { default: 'relevance' }),
  ...pageQuery,
}
