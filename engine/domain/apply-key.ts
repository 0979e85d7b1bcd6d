/**
 * apply, for keys and operations: what is remembered of calls with an `Idempotency-Key`, and for how long.
 *
 *     keys         (caller, key) → claim, and its answer when there is one       on the shard of the key
 *     operations   name → the event that says it was done                        on the shard where it was done
 *
 * Both are sequences; the facts stay in the log. Records below the horizon count as gone the moment the horizon is logged;
 * that their memory is given back later, a slice at a time, changes no decision.
 */
import { EVENT } from '../../protocol/events.ts'
import type { KeyEvent } from '../../protocol/key-event-codec.ts'
import { Key, type ShardState } from './state.ts'

const TWO_32 = 4_294_967_296

const key = new Key()

export function applyKeyEvent(state: ShardState, event: KeyEvent, seq: number): void {
  const { keys, operations } = state.tables
  switch (event.type) {
    case EVENT.KEY_CLAIMED:
      state.lastKeySeq = seq
      state.hashKey(event.scope, event.key, key)
      keys.setRecord(keys.findOrInsert(key.k0, key.k1, key.k2, key.k3), 0, 0, seq)
      return
    case EVENT.KEY_ANSWERED: {
      state.lastKeySeq = seq
      state.hashKey(event.scope, event.key, key)
      const slot = keys.findOrInsert(key.k0, key.k1, key.k2, key.k3)
      if (event.answer === null) keys.setRecord(slot, 0, 0, 0)
      else keys.setRecord(slot, seq | 0, (seq / TWO_32) | 0, event.claimSeq)
      return
    }
    case EVENT.OPERATION_DONE:
      state.lastKeySeq = seq
      state.hashOperation(event.operation, key)
      operations.setRecord(operations.findOrInsert(key.k0, key.k1, key.k2, key.k3), 0, 0, seq)
      return
    case EVENT.KEYS_FORGOTTEN:
      state.keysRememberedFromSeq = event.beforeSeq
      forgetMinutes(state)
      return
  }
}

/** Whether a key or an operation may still be remembered; if not, nothing has to be forgotten. */
export function remembersKeys(state: ShardState): boolean {
  return state.lastKeySeq >= Math.max(1, state.keysRememberedFromSeq)
}

/** Drops the minutes that neither horizon needs any more. */
export function forgetMinutes(state: ShardState): void {
  const { minutes, rememberedFromSeq, keysRememberedFromSeq } = state
  const beforeSeq = remembersKeys(state) ? Math.min(rememberedFromSeq, keysRememberedFromSeq) : rememberedFromSeq
  let count = 0
  while (count < minutes.length && (minutes[count] as { seq: number }).seq < beforeSeq) count++
  if (count > 0) minutes.splice(0, count)
}

export interface KeyRecord {
  readonly claimSeq: number
  /** 0: it has none yet. */
  readonly answerSeq: number
}

/** What is remembered of a key; null: nothing. */
export function keyRecord(state: ShardState, scope: string | null, name: string): KeyRecord | null {
  const { keys } = state.tables
  state.hashKey(scope, name, key)
  const slot = keys.find(key.k0, key.k1, key.k2, key.k3)
  const claimSeq = slot < 0 ? 0 : keys.seq(slot)
  if (claimSeq === 0 || claimSeq < state.keysRememberedFromSeq) return null
  return { claimSeq, answerSeq: (keys.digest0(slot) >>> 0) + keys.digest1(slot) * TWO_32 }
}
