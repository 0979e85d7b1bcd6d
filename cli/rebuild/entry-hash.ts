/**
 * The hash of a stored entry, as the chain of its shard names it. It stands in the entry's head, right before the events:
 *
 *     │ … hash (32) prevHash (32) shard … │ events          see persistence/record.ts
 */
import { ENTRY_HEAD_BYTES, type StoredEntry } from '../../persistence/record.ts'

const AT_HASH = 20
const HASH_BYTES = 32

/** Valid as long as the entry's bytes. */
export function hashOf({ events, start }: StoredEntry): Uint8Array {
  const at = start - ENTRY_HEAD_BYTES + AT_HASH
  return events.subarray(at, at + HASH_BYTES)
}
