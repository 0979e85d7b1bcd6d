/**
 * Moves sealed segments that no start needs out of the lanes: <data>/lanes/00/000001.* → <data>/archive/00/000001.*
 *
 * The archive may be a link to another disk. Nothing is deleted: a segment is removed from its lane only when the archive
 * has it whole and durable. Every reader finds it in either place (segment-files.ts), so it may be killed anywhere:
 *
 *     1  the small files are written in the archive        (both places have them)
 *     2  the data file is there under its name             rename; to another disk: draft, flush, compare, rename
 *     3  the data file leaves the lane                     only another disk: by now there are two equal ones
 *     4  the small files leave the lane
 *
 * The next run goes on where it stopped. What must never happen here: a data file removed that is not in the archive byte
 * for byte, or a segment moved that is not sealed.
 */

import {
  closeSync,
  copyFileSync,
  existsSync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  openSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { crc32 } from 'node:zlib'
import { makeDirectoryDurably, syncDirectory } from './durable-file.ts'
import { JournalError } from './errors.ts'
import {
  archivedPath,
  archiveDirectory,
  beside,
  listLanes,
  listSegments,
  type SegmentFiles,
  type SegmentName,
  segmentPath,
} from './segment-files.ts'
import { readSegmentRanges } from './segment-index.ts'

const SMALL_FILES = ['opened', 'sealed', 'index'] as const
const COPY_BYTES = 1024 * 1024

/** The places where a test ends the process. */
export type ArchiveStep = 'archive.small-files' | 'archive.copied' | 'archive.moved' | 'archive.removed'

export interface ArchiveOptions {
  /** Up to which sequence a shard is in both of its kept snapshots. */
  readonly coveredSeq: (shard: number) => number
  /** Called behind every mebibyte copied, with the descriptor written to: there a copy may take its time. */
  readonly afterCopied?: (bytes: number, fd: number) => void
  readonly onStep?: (step: ArchiveStep) => void
  /** For tests: copies as to another disk, wherever the archive is. */
  readonly copies?: boolean
}

export interface Archived {
  readonly segments: number
  readonly bytes: number
}

/**
 * Moves what is wholly covered, and ends what an earlier run began; returns what was moved now. Throws `STORAGE_FAILED` or
 * `STORAGE_FULL`; everything can be read all the same, and the next run tries again.
 */
export function archiveSegments(dataDir: string, options: ArchiveOptions): Archived {
  let segments = 0
  let bytes = 0
  try {
    for (const files of listSegments(dataDir)) {
      if (files.path !== segmentPath(dataDir, files)) {
        clearLane(dataDir, files, options)
      } else if (isCovered(files, options.coveredSeq)) {
        bytes += statSync(files.path).size
        segments++
        moveSegment(dataDir, files, options)
      }
    }
  } catch (cause) {
    if (cause instanceof JournalError) throw cause
    const full = (cause as NodeJS.ErrnoException).code === 'ENOSPC'
    throw new JournalError(
      full ? 'STORAGE_FULL' : 'STORAGE_FAILED',
      `segments cannot be moved to the archive (${(cause as Error).message}): they stay where they are`,
      { cause, retryable: true },
    )
  }
  return { segments, bytes }
}

/** Bytes of the data files in the archive. */
export function archivedBytes(dataDir: string): number {
  let bytes = 0
  for (const lane of listLanes(dataDir)) {
    for (let segment = 1; existsSync(archivedPath(dataDir, { lane, segment })); segment++) {
      bytes += statSync(archivedPath(dataDir, { lane, segment })).size
    }
  }
  return bytes
}

/** By the index beside it; without one it has to wait until a snapshot has been made of it. */
function isCovered({ path, lane, segment, seal }: SegmentFiles, coveredSeq: (shard: number) => number): boolean {
  if (seal === null) return false
  return readSegmentRanges(path, { lane, segment }, seal)?.isBehind(coveredSeq) ?? false
}

function moveSegment(dataDir: string, files: SegmentFiles, options: ArchiveOptions): void {
  const from = files.path
  const to = archivedPath(dataDir, files)
  const directory = archiveDirectory(dataDir, files.lane)
  makeDirectoryDurably(dirname(directory))
  makeDirectoryDurably(directory)
  for (const extension of SMALL_FILES) copySmallFile(beside(from, extension), beside(to, extension))
  syncDirectory(directory)
  options.onStep?.('archive.small-files')
  if (options.copies !== true && onSameDisk(from, directory)) {
    renameSync(from, to)
    syncDirectory(directory)
  } else {
    copyToOtherDisk(from, to, options)
  }
  options.onStep?.('archive.moved')
  clearLane(dataDir, files, options)
}

/** The archive has the segment: takes away what the lane still has of it. */
function clearLane(dataDir: string, name: SegmentName, options: ArchiveOptions): void {
  const left = segmentPath(dataDir, name)
  const archived = archivedPath(dataDir, name)
  if (existsSync(left)) {
    if (checkSumOf(left) !== checkSumOf(archived)) {
      throw new JournalError(
        'JOURNAL_DAMAGED',
        `${left} and ${archived} differ: one of them was changed, find out which and move it away`,
      )
    }
    rmSync(left)
    options.onStep?.('archive.removed')
  }
  const smallFiles = SMALL_FILES.map((extension) => beside(left, extension)).filter((path) => existsSync(path))
  for (const path of [...smallFiles, `${left}-lock`]) rmSync(path, { force: true })
  if (smallFiles.length > 0) syncDirectory(dirname(left))
}

function onSameDisk(path: string, directory: string): boolean {
  return statSync(path).dev === statSync(realpathSync(directory)).dev
}

function copySmallFile(from: string, to: string): void {
  if (!existsSync(from)) return
  copyFileSync(from, `${to}.draft`)
  const fd = openSync(`${to}.draft`, 'r+')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
  renameSync(`${to}.draft`, to)
}

function copyToOtherDisk(from: string, to: string, options: ArchiveOptions): void {
  const draft = `${to}.draft`
  const source = openSync(from, 'r')
  const target = openSync(draft, 'w')
  try {
    const bytes = Buffer.alloc(COPY_BYTES)
    let at = 0
    for (let count = readSync(source, bytes, 0, COPY_BYTES, 0); count > 0; ) {
      for (let done = 0; done < count; ) done += writeSync(target, bytes, done, count - done)
      at += count
      options.afterCopied?.(count, target)
      count = readSync(source, bytes, 0, COPY_BYTES, at)
    }
    fdatasyncSync(target)
  } finally {
    closeSync(source)
    closeSync(target)
  }
  if (checkSumOf(draft) !== checkSumOf(from)) {
    throw new JournalError('STORAGE_FAILED', `${draft} is not what was copied there: check that disk`, {
      retryable: true,
    })
  }
  options.onStep?.('archive.copied')
  renameSync(draft, to)
  syncDirectory(dirname(to))
}

/** Of length and content. */
function checkSumOf(path: string): string {
  const fd = openSync(path, 'r')
  try {
    const bytes = Buffer.alloc(COPY_BYTES)
    let sum = 0
    for (let at = 0; ; ) {
      const count = readSync(fd, bytes, 0, COPY_BYTES, at)
      if (count === 0) return `${fstatSync(fd).size} ${sum}`
      sum = crc32(bytes.subarray(0, count), sum)
      at += count
    }
  } finally {
    closeSync(fd)
  }
}
