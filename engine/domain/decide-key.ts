/**
 * decide, for calls with an `Idempotency-Key`. Two shards have a part in one, each with its own log:
 *
 *     shard of the key     CLAIM_KEY ─▶ KeyClaimed {operation}                ANSWER_KEY ─▶ KeyAnswered
 *     shard of the thing                  KEYED {operation} ─▶ events, OperationDone
 *
 * A crash between the three leaves a claim without an answer. The next call with the key takes it over under the same
 * operation, and the second shard tells by that name whether the events are there already: they are logged in one entry
 * with OperationDone, so both are or neither is. What must never happen here: events of a keyed command without
 * OperationDone behind them, or a key answered with words that were not logged first.
 */
import { assert } from '../../protocol/assert.ts'
import { type Bytes, sameBytes } from '../../protocol/bytes.ts'
import type { AnswerKey, ClaimKey } from '../../protocol/commands.ts'
import { EVENT, type KeyClaimed, type OperationDone } from '../../protocol/events.ts'
import { OUTCOME } from '../../protocol/outcomes.ts'
import type { RecordedAnswer } from '../../protocol/recorded-answer.ts'
import { keyRecord } from './apply-key.ts'
import { answered, decided, type Decision, LAST_EVENT, refused, type Shown } from './decision.ts'
import { KEY_WINDOW_MS } from './limits.ts'
import { isReservation } from './show.ts'
import { type History, Key, type ShardState } from './state.ts'

const key = new Key()

/** The key is the caller's from now on, or was answered before. Who else works on it is known to the shell alone. */
export function decideClaim(state: ShardState, command: ClaimKey, nowMs: number, history: History): Decision {
  const { scope, key: name, digest, operation } = command
  const record = keyRecord(state, scope, name)
  const claim = record === null ? null : claimAt(history, record.claimSeq, nowMs)
  if (record === null || claim === null) {
    const event: KeyClaimed = { type: EVENT.KEY_CLAIMED, scope, key: name, digest, operation }
    return decided([event], { type: OUTCOME.KEY_CLAIMED, claimSeq: state.seq + 1, operation })
  }
  if (!sameBytes(claim.digest, digest) || claim.key !== name || claim.scope !== scope) {
    return refused('IDEMPOTENCY_KEY_CONFLICT', 'this Idempotency-Key was used for another request')
  }
  if (record.answerSeq !== 0) {
    return answered({ type: OUTCOME.KEY_ANSWERED, answer: answerAt(history, record.answerSeq) })
  }
  return answered({ type: OUTCOME.KEY_CLAIMED, claimSeq: record.claimSeq, operation: claim.operation })
}

/** Keeps the first answer only: whoever comes later is told that one. */
export function decideAnswerKey(state: ShardState, command: AnswerKey, history: History): Decision {
  const { scope, key: name, claimSeq, answer } = command
  const record = keyRecord(state, scope, name)
  // The call took longer than keys are kept: nobody will ask for its answer.
  if (record === null || record.claimSeq !== claimSeq) return answered({ type: OUTCOME.KEY_KEPT })
  if (record.answerSeq !== 0) {
    return answered({ type: OUTCOME.KEY_ANSWERED, answer: answerAt(history, record.answerSeq) })
  }
  const event = { type: EVENT.KEY_ANSWERED, scope, key: name, claimSeq, answer } as const
  return decided([event], { type: OUTCOME.KEY_KEPT })
}

/** null: it is too long ago to count. */
function claimAt(history: History, claimSeq: number, nowMs: number): KeyClaimed | null {
  const past = history.at(claimSeq)
  assert(past !== null && past.event.type === EVENT.KEY_CLAIMED, `the log has no claim of a key at ${claimSeq}`)
  return past.atMs + KEY_WINDOW_MS <= nowMs ? null : past.event
}

function answerAt(history: History, answerSeq: number): RecordedAnswer {
  const past = history.at(answerSeq)
  assert(past !== null && past.event.type === EVENT.KEY_ANSWERED, `the log has no answer of a key at ${answerSeq}`)
  assert(past.event.answer !== null, 'a key without an answer counts as answered')
  return past.event.answer
}

/** The answer of an operation that was done here before, made from what it did; null: it was not. */
export function decideDoneBefore(
  state: ShardState,
  operation: Bytes,
  nowMs: number,
  history: History,
): Decision | null {
  const { operations } = state.tables
  state.hashOperation(operation, key)
  const slot = operations.find(key.k0, key.k1, key.k2, key.k3)
  const seq = slot < 0 ? 0 : operations.seq(slot)
  if (seq === 0 || seq < state.keysRememberedFromSeq) return null
  const past = history.at(seq)
  assert(past !== null && past.event.type === EVENT.OPERATION_DONE, `the log has no operation at ${seq}`)
  const { shows, number, again } = past.event
  // Closed, and the record of that is forgotten: order memory may be kept for a shorter time than keys are.
  if (shows === 'RESERVATION' && !isReservation(state, history, number, nowMs)) {
    return refused('RESERVATION_NOT_FOUND', 'the reservation was made, and is too long ago to be remembered')
  }
  return answered({ type: OUTCOME.DONE_BEFORE, shown: shownBy(shows, number, again) })
}

function shownBy(shows: OperationDone['shows'], number: number, again: boolean): DoneAnswer {
  switch (shows) {
    case 'NOTHING':
      return { type: OUTCOME.RELEASED }
    case 'RESERVATION':
      return { type: OUTCOME.RESERVATION, seq: number, again }
    case 'REDEMPTION':
      return { type: OUTCOME.REDEMPTION, seq: number, replayed: false }
    case 'COUPON':
      return { type: OUTCOME.COUPON, ordinal: number }
    case 'CAMPAIGN':
      return { type: OUTCOME.CAMPAIGN, index: number }
    case 'JOB':
      return { type: OUTCOME.JOB, seq: number }
  }
}

type DoneAnswer = Shown | { readonly type: typeof OUTCOME.RELEASED }

/**
 * The decision of a keyed command with OperationDone behind its events. One without events has done nothing that could be
 * done twice, and is left as it is.
 */
export function asOperation(state: ShardState, operation: Bytes, decision: Decision): Decision {
  const { events, answer } = decision
  if (events.length === 0) return decision
  const lastSeq = state.seq + events.length
  switch (answer.type) {
    case OUTCOME.RELEASED:
      return decided([...events, operationDone(operation, 'NOTHING', 0)], answer)
    case OUTCOME.COUPON:
      return decided([...events, operationDone(operation, 'COUPON', answer.ordinal)], answer)
    case OUTCOME.CAMPAIGN:
      return decided([...events, operationDone(operation, 'CAMPAIGN', answer.index)], answer)
    case OUTCOME.JOB: {
      const seq = answer.seq === LAST_EVENT ? lastSeq : answer.seq
      return decided([...events, operationDone(operation, 'JOB', seq)], { ...answer, seq })
    }
    case OUTCOME.CLAIMED:
    case OUTCOME.RESERVATION: {
      const seq = answer.seq === LAST_EVENT ? lastSeq : answer.seq
      return decided([...events, operationDone(operation, 'RESERVATION', seq, answer.again)], { ...answer, seq })
    }
    case OUTCOME.REDEMPTION: {
      const seq = answer.seq === LAST_EVENT ? lastSeq : answer.seq
      return decided([...events, operationDone(operation, 'REDEMPTION', seq)], { ...answer, seq })
    }
    default:
      return decision
  }
}

/** To be logged right behind the events of the operation, in the same entry. */
function operationDone(operation: Bytes, shows: OperationDone['shows'], number: number, again = false): OperationDone {
  return { type: EVENT.OPERATION_DONE, operation, shows, number, again }
}
