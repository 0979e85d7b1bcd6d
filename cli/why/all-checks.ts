/**
 * All checks of the contract on one coupon and its campaign, in their order.
 */
import type { ShardState } from '../../engine/domain/state.ts'
import { campaignChecks, campaignWindowChecks, dayChecks } from './campaign-checks.ts'
import {
  cartChecks,
  type Check,
  limitChecks,
  type Question,
  stackingChecks,
  userChecks,
  userLimitChecks,
  windowChecks,
} from './checks.ts'

/** All checks that the contract makes of one coupon that exists, in order. Those on a cart or a user only where there is one. */
export function checksOf(state: ShardState, ordinal: number, question: Question): readonly Check[] {
  const definition = state.definition(ordinal)
  const offer = state.offer(ordinal)
  return [
    ...windowChecks(state, ordinal, definition, question.nowMs),
    ...campaignWindowChecks(state, ordinal, question.nowMs),
    ...userChecks(state, ordinal, definition, question.user),
    ...(question.cart === null || offer === null ? [] : cartChecks(offer, question.cart)),
    ...(offer === null ? [] : stackingChecks(offer, question.codes)),
    ...dayChecks(state, ordinal, question),
    ...userLimitChecks(state, ordinal, definition, question),
    ...limitChecks(state, ordinal, definition, question.nowMs),
    ...campaignChecks(state, ordinal, question),
  ]
}
