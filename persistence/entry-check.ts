/**
 * Whether the log holds the very entry that somebody remembers: by place, shard, last sequence and hash. It ties a snapshot
 * to the log it was made of before anything is built on it.
 */

import { existsSync } from 'node:fs'
import { checkRecord, ENTRY_HEAD_BYTES, readEntryHead } from './record.ts'
import type { ShardHead } from './lane-merge.ts'
import { findSegment } from './segment-files.ts'
import { openSegment } from './segment-reader.ts'

const AT_HASH = 20
const HASH_BYTES = 32

/**
 * False also where there is no such segment or record, or another one. Throws JournalError where the log is damaged there:
 * then nobody can tell.
 */
export function holdsEntry(dataDir: string, shard: number, { where, seq, hash }: ShardHead): boolean {
  if (!existsSync(findSegment(dataDir, where))) return false
  const reader = openSegment(dataDir, where)
  try {
    const place = reader.find(reader.roots().newest, where.record)
    if (place === null || where.offset + ENTRY_HEAD_BYTES > place.length) return false
    const bytes = Buffer.alloc(place.length)
    reader.readAt(bytes, 0, place.length, place.at)
    const view = new DataView(bytes.buffer, bytes.byteOffset)
    checkRecord(bytes, view, 0, place.length, where)
    const at = where.offset + AT_HASH
    if (!bytes.subarray(at, at + HASH_BYTES).equals(hash)) return false
    const entry = readEntryHead(view, 0, place.length, where.offset, where)
    return entry.shard === shard && entry.firstSeq + entry.eventCount - 1 === seq
  } finally {
    reader.close()
  }
}
