/**
 * What a start makes of the segments it finds: up to which commit each one counts, and then that this is final.
 *
 * Damage is an error, with one exception. After a power cut (the machine has been started since) the last commit of a
 * segment may be there in part. It was never answered, because its flush did not return; so it is left out, if all that
 * is wrong is in that commit. The choice is sealed before anything new is written, so that it is made only once.
 */

import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs'
import { JournalError } from './errors.ts'
import { fileSum } from './file-sum.ts'
import type { ProcessIdentity } from './process-identity.ts'
import { checkRecord, damagedRecord } from './record.ts'
import { markSealed, type SegmentFiles, type SegmentName } from './segment-files.ts'
import { readSegmentRanges, type SegmentIndex, type SegmentRanges, writeSegmentIndex } from './segment-index.ts'
import { isEmptyFile, type RecordBytes, SegmentReader, type SegmentRoot } from './segment-reader.ts'

/** A segment as replay found it. */
export interface RecoveredSegment {
  readonly files: SegmentFiles
  /** Null: its writer was stopped before the first record. */
  readonly root: SegmentRoot | null
  /** What the index beside it says; null: it has none yet. */
  readonly ranges: SegmentRanges | null
  /** A commit that was cut off by a power cut and left out. */
  readonly torn: boolean
}

type RecordToCheck = Pick<RecordBytes, 'record' | 'bytes' | 'view' | 'start' | 'length'>

/** Chooses the root to read a segment by; reads it whole when the machine was restarted. Throws JournalError. */
export function surveySegment(files: SegmentFiles, self: ProcessIdentity): RecoveredSegment {
  const { lane, segment, path, seal, openedBy } = files
  // Made, and its writer stopped before it could mark it: there cannot be a record.
  if (seal === null && openedBy === null && isEmptyFile(path)) return { files, root: null, ranges: null, torn: false }
  const reader = new SegmentReader({ lane, segment }, path)
  try {
    const { newest, previous } = reader.roots()
    if (seal !== null) {
      for (const root of [newest, previous]) {
        if (root.transaction !== seal.transaction || root.records !== seal.records) continue
        return { files, root, ranges: readSegmentRanges(path, { lane, segment }, seal), torn: false }
      }
      throw damagedRecord(
        { lane, segment, record: seal.records },
        'was the last one when the segment was sealed, and now the segment ends elsewhere',
      )
    }
    const isRestarted = openedBy !== null && openedBy.bootId !== self.bootId
    const isLastAlone = previous.records === newest.records - 1
    const torn = isTorn(isRestarted && isLastAlone, { lane, segment }, reader.records(newest))
    return { files, root: torn ? previous : newest, ranges: null, torn }
  } finally {
    reader.close()
  }
}

/**
 * Whether the last of these records is left out: the machine was started since (`mayBe`), and something does not fit. Where
 * it was not, the same is damage, and replay will say so. Throws JournalError for a format that is newer.
 */
export function isTorn(mayBe: boolean, { lane, segment }: SegmentName, records: Iterable<RecordToCheck>): boolean {
  if (!mayBe) return false
  try {
    for (const { bytes, view, start, length, record } of records) {
      checkRecord(bytes, view, start, length, { lane, segment, record })
    }
    return false
  } catch (error) {
    if (error instanceof JournalError && (error.code === 'JOURNAL_DAMAGED' || error.code === 'JOURNAL_TRUNCATED')) {
      return true
    }
    throw error
  }
}

/**
 * Makes what replay found final, before anything is answered from it: after a crash the last commit may be in the
 * system's cache only, or (after a failed flush) be taken for clean there though it is not on disk. So its pages are
 * written again and flushed, and the segment is sealed. May run in several threads at once: all write the same bytes.
 */
export function settleSegments(segments: readonly RecoveredSegment[], indexes: readonly SegmentIndex[]): void {
  for (const { files, root } of segments) {
    if (files.seal !== null || root === null) continue
    rewriteLastCommit(files, root)
    const sum = fileSum(files.path)
    markSealed(files.path, { records: root.records, transaction: root.transaction, sum })
  }
  for (const index of indexes) {
    const segment = segments.find(
      ({ files: { lane, segment } }) => lane === index.name.lane && segment === index.name.segment,
    )
    if (segment !== undefined) writeSegmentIndex(segment.files.path, index)
  }
}

/** The pages a commit writes: both ways down the tree (a split leaves two), the record, and the roots. */
function rewriteLastCommit(files: SegmentFiles, root: SegmentRoot): void {
  const { lane, segment, path } = files
  const reader = new SegmentReader({ lane, segment }, path)
  const fd = openSync(path, 'r+')
  try {
    const { pageBytes } = reader
    const rewrite = (at: number, length: number) => {
      const bytes = Buffer.alloc(length)
      reader.readAt(bytes, 0, length, at)
      writeSync(fd, bytes, 0, length, at)
    }
    const pages = new Set([0, 1])
    for (const record of [root.records - 1, root.records]) {
      const place = reader.find(root, record)
      if (place === null) continue
      for (const page of place.pages) pages.add(page)
      const firstByte = Math.floor(place.at / pageBytes) * pageBytes
      if (record === root.records) rewrite(firstByte, place.at + place.length - firstByte)
    }
    for (const page of pages) rewrite(page * pageBytes, pageBytes)
    fdatasyncSync(fd)
  } catch (cause) {
    if (cause instanceof JournalError) throw cause
    throw new JournalError('STORAGE_FAILED', `${path} cannot be flushed: check the disk, then start again`, { cause })
  } finally {
    closeSync(fd)
    reader.close()
  }
}
