/**
 * Holds the counters of a shard's tables against those of the recount. Both come from the same events by different ways.
 */
import type { ShardState } from '../../engine/domain/state.ts'
import {
  type CounterDifference,
  differencesIn,
  differenceText,
  questionsFor,
} from '../../engine/shard/reconcile-compare.ts'
import type { ShardCount } from '../../engine/shard/reconcile-count.ts'
import { answerCounters } from '../../engine/shard/reconcile-questions.ts'
import { Slice } from '../../engine/shard/reconcile-slice.ts'

const EVERYTHING = new Slice()

/** What differs first, as a sentence; null: nothing. `state` and `count` stand after the same event. */
export function counterDifference(state: ShardState, count: ShardCount): string | null {
  // Where there are others than were made, the rest would only say so again.
  for (const question of questionsFor(count, EVERYTHING)) {
    const answer = answerCounters(state, question)
    const [first] = differencesIn(count, question, answer, { slice: EVERYTHING, nowMs: count.timeMs })
    if (first !== undefined && first.counter !== 'userCounters') return sentenceOf(state, first)
  }
  const left = differencesIn(count, { ask: 'sizes' }, answerCounters(state, { ask: 'sizes' }), {
    slice: EVERYTHING,
    nowMs: count.timeMs,
  })
  return left[0] === undefined ? null : sentenceOf(state, left[0])
}

function sentenceOf(state: ShardState, difference: CounterDifference): string {
  const { ordinal } = difference
  if (ordinal === null || ordinal < 0) return differenceText(difference)
  const [name = null] = answerCounters(state, { ask: 'names', ordinals: [ordinal] }).names
  return differenceText({ ...difference, name })
}
