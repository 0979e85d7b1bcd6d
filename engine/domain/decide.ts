/**
 * decide: the rule book. Pure: state, command and time in; events and answer out. Every way in (JSON, columns, WebSocket,
 * reservations, direct redemptions) ends here; there are faster ways to it, but no second one.
 *
 * `nowMs` is the shard's time, stamped by the shell. `history` is the shard's own log, looked up by sequence.
 */
import { assert } from '../../protocol/assert.ts'
import { COMMAND, type Command } from '../../protocol/commands.ts'
import { OUTCOME } from '../../protocol/outcomes.ts'
import {
  decideChangeCampaign,
  decideCreateCampaign,
  decideGetCampaign,
  decideSwitchCampaign,
} from './decide-campaign.ts'
import { decideChange, decideCreate, decideSwitch } from './decide-coupon.ts'
import { decideCheckout } from './decide-checkout.ts'
import { asOperation, decideAnswerKey, decideClaim, decideDoneBefore } from './decide-key.ts'
import { decidePut } from './decide-import.ts'
import { decideEndJob, decideGetJob, decideProgressJob, decideStartJob } from './decide-job.ts'
import { decidePoolClaim } from './decide-pool.ts'
import { decideExtendReservation, decideRedeemReservation, decideRelease, decideReverse } from './decide-reservation.ts'
import { answered, type Decision, HAND_OVER, refused, resolve } from './decision.ts'
import type { History, ShardState } from './state.ts'
import { isRedemption, isReservation } from './show.ts'

export function decide(state: ShardState, command: Command, nowMs: number, history: History): Decision {
  switch (command.type) {
    case COMMAND.REDEEM:
    case COMMAND.VALIDATE:
    case COMMAND.RESERVE:
      return decideCheckout(state, command, nowMs, history)
    case COMMAND.REDEEM_RESERVATION:
      return decideRedeemReservation(state, command, nowMs, history)
    case COMMAND.RELEASE:
      return decideRelease(state, command, nowMs, history)
    case COMMAND.EXTEND_RESERVATION:
      return decideExtendReservation(state, command, nowMs, history)
    case COMMAND.REVERSE:
      return decideReverse(state, command, history)
    case COMMAND.GET_COUPON: {
      const ordinal = resolve(state, command.coupon)
      if (ordinal < 0) return refused('COUPON_NOT_FOUND', 'there is no such coupon')
      return answered({ type: OUTCOME.COUPON, ordinal })
    }
    case COMMAND.GET_RESERVATION:
      if (!isReservation(state, history, command.seq, nowMs)) {
        return refused('RESERVATION_NOT_FOUND', 'there is no such reservation')
      }
      return answered({ type: OUTCOME.RESERVATION, seq: command.seq, again: true })
    case COMMAND.GET_REDEMPTION:
      if (!isRedemption(state, history, command.seq))
        return refused('REDEMPTION_NOT_FOUND', 'there is no such redemption')
      return answered({ type: OUTCOME.REDEMPTION, seq: command.seq, replayed: true })
    case COMMAND.CREATE_COUPON:
      return decideCreate(state, command)
    case COMMAND.CHANGE_COUPON:
      return decideChange(state, command, nowMs)
    case COMMAND.SWITCH_COUPON:
      return decideSwitch(state, command)
    case COMMAND.DESCRIBE_SHARD:
      return answered({
        type: OUTCOME.SHARD,
        coupons: state.couponCount + state.tables.bulk.size,
        userCounters: state.tables.users.size,
        orders: state.tables.orders.size,
        reservations: state.tables.open.size,
        stateBytes: state.bytes,
      })
    case COMMAND.GET_CAMPAIGN:
      return decideGetCampaign(state, command.index)
    case COMMAND.CREATE_CAMPAIGN:
      return decideCreateCampaign(state, command)
    case COMMAND.CHANGE_CAMPAIGN:
      return decideChangeCampaign(state, command, nowMs)
    case COMMAND.SWITCH_CAMPAIGN:
      return decideSwitchCampaign(state, command)
    case COMMAND.CLAIM:
      return decidePoolClaim(state, command, nowMs)
    case COMMAND.START_JOB:
      return decideStartJob(state, command)
    case COMMAND.GET_JOB:
      return decideGetJob(state, command.jobSeq)
    case COMMAND.PROGRESS_JOB:
      return decideProgressJob(state, command)
    case COMMAND.END_JOB:
      return decideEndJob(state, command)
    case COMMAND.LIST_JOBS:
      return answered({ type: OUTCOME.JOBS })
    case COMMAND.LIST_CODES:
      return answered({ type: OUTCOME.CODES, command })
    case COMMAND.PUT_COUPON:
      return decidePut(state, command, nowMs)
    case COMMAND.CLAIM_KEY:
      return decideClaim(state, command, nowMs, history)
    case COMMAND.ANSWER_KEY:
      return decideAnswerKey(state, command, history)
    case COMMAND.LET_GO_KEY:
      return answered({ type: OUTCOME.KEY_KEPT })
    case COMMAND.KEYED: {
      const { operation, inner } = command
      return (
        decideDoneBefore(state, operation, nowMs, history) ??
        asOperation(state, operation, decide(state, inner, nowMs, history))
      )
    }
    case COMMAND.REDEEM_COLUMNS:
      assert(false, 'columns are decided row by row')
    case COMMAND.STACK:
      return answered({ type: HAND_OVER })
  }
}
