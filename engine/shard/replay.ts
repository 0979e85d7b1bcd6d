/**
 * Replay: applies the events of a stored entry to a shard's state. The same `apply` as live, so the same state.
 */
import { assert } from '../../protocol/assert.ts'
import { ByteReader } from '../../protocol/bytes.ts'
import { readEvent } from '../../protocol/event-codec.ts'
import { apply } from '../domain/apply.ts'
import type { ShardState } from '../domain/state.ts'
import type { StoredBytes } from './history.ts'

const reader = new ByteReader()

export function replayEntry(state: ShardState, entry: StoredBytes): void {
  assert(entry.firstSeq === state.seq + 1, `shard ${state.shard} waits for event ${state.seq + 1}, not ${entry.firstSeq}`)
  let atMs = entry.timeMs
  reader.reset(entry.events, entry.start, entry.end)
  while (!reader.done) {
    const event = readEvent(reader)
    if (typeof event === 'number') atMs += event
    else apply(state, event, atMs)
  }
  assert(state.seq === entry.firstSeq + entry.eventCount - 1, 'a stored entry has another number of events than it says')
}
