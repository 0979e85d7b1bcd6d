/**
 * Whether a call over several shards is the one that made the event at its position. Its transaction was prepared before, at
 * another time, so the event is not what the coordinator would decide right before it: it is known by what it says.
 */
import { sameBytes, textOf } from '../../protocol/bytes.ts'
import { COMMAND } from '../../protocol/commands.ts'
import { EVENT, type Redeemed, type Reserved } from '../../protocol/events.ts'
import type { StackedCommand } from '../../engine/shard/stack-questions.ts'
import { eventName } from '../replay/life.ts'
import type { PastShard } from './past-transport.ts'

/** The name of the event that the command made; null: it made none here. */
export function acceptedStack({ state, history, nowMs }: PastShard, command: StackedCommand): string | null {
  const past = history.at(state.seq)
  if (past === null || past.atMs !== nowMs) return null
  const { event } = past
  if (command.type === COMMAND.EXTEND_RESERVATION) {
    const isIt = event.type === EVENT.RESERVATION_RETIMED && event.reservationSeq === command.reservationSeq
    return isIt ? eventName(event) : null
  }
  if (event.type !== EVENT.REDEEMED && event.type !== EVENT.RESERVED) return null
  return isMadeBy(event, command) ? eventName(event) : null
}

function isMadeBy(event: Redeemed | Reserved, command: StackedCommand): boolean {
  if (event.stack === null) return false
  if (command.type === COMMAND.REDEEM_RESERVATION) {
    const { reservationSeq, order } = command
    return event.type === EVENT.REDEEMED && event.reservationSeq === reservationSeq && sameBytes(event.order, order)
  }
  if (command.type !== COMMAND.STACK) return false
  const { type, coupons, user, order } = command.call
  const isKind = event.type === (type === COMMAND.REDEEM ? EVENT.REDEEMED : EVENT.RESERVED)
  if (!isKind || user === null || !sameBytes(user, event.user)) return false
  if (order === null ? event.order !== null : event.order === null || !sameBytes(order, event.order)) return false
  const logged = new Set(event.stack.coupons.map(({ code }) => code))
  return logged.size === coupons.length && coupons.every(({ code }) => code !== null && logged.has(textOf(code)))
}
