/**
 * The files of the log and what is known about each of them.
 *
 *   <data>/lanes/00/000001.mdb       an LMDB environment in one file: the records of one segment of one lane
 *                   000001.opened    who writes or wrote it: process and boot (made before its first record)
 *                   000001.sealed    it is final: how many records, under which transaction (made behind its last one)
 *   <data>/archive/00/000001.…       the same files after they were moved out of the way (archive.ts)
 *
 * A segment is written by one run of one process only; every start goes on in a new one. So everything but the segments
 * of the running process is final, can be read without locks, and is sealed by the next start. A sealed segment may move
 * to the archive at any moment; its small files are beside the data file wherever that is found, and while it moves both
 * places may have it: then either will do.
 * Nothing here deletes or shortens a segment.
 */

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ARCHIVE_DIRECTORY, LANES_DIRECTORY } from './deployment.ts'
import { writeFileDurably } from './durable-file.ts'
import { JournalError } from './errors.ts'
import type { FileSum } from './file-sum.ts'
import type { ProcessIdentity } from './process-identity.ts'

export interface SegmentName {
  readonly lane: number
  /** From 1. */
  readonly segment: number
}

/** What a sealed segment holds, for ever. */
export interface SegmentSeal {
  readonly records: number
  /** LMDB's number of the transaction that wrote the last record. */
  readonly transaction: number
  /** Of the whole file; absent in seals of earlier versions. */
  readonly sum?: FileSum
}

export interface SegmentFiles extends SegmentName {
  readonly path: string
  readonly openedBy: ProcessIdentity | null
  readonly seal: SegmentSeal | null
}

export function laneDirectory(dataDir: string, lane: number): string {
  return join(dataDir, LANES_DIRECTORY, String(lane).padStart(2, '0'))
}

export function archiveDirectory(dataDir: string, lane: number): string {
  return join(dataDir, ARCHIVE_DIRECTORY, String(lane).padStart(2, '0'))
}

/** Where a segment is made and written. */
export function segmentPath(dataDir: string, { lane, segment }: SegmentName): string {
  return join(laneDirectory(dataDir, lane), fileName(segment))
}

export function archivedPath(dataDir: string, { lane, segment }: SegmentName): string {
  return join(archiveDirectory(dataDir, lane), fileName(segment))
}

/** Where a segment lies now: in the archive once it is there, else in its lane, whether it exists or not. */
export function findSegment(dataDir: string, name: SegmentName): string {
  const archived = archivedPath(dataDir, name)
  return existsSync(archived) ? archived : segmentPath(dataDir, name)
}

/** The lanes that have a directory, in their place or in the archive. */
export function listLanes(dataDir: string): number[] {
  return [LANES_DIRECTORY, ARCHIVE_DIRECTORY]
    .flatMap((directory) => listNumbers(join(dataDir, directory), /^(\d{2,5})$/))
    .filter((lane, index, all) => all.indexOf(lane) === index)
    .sort((a, b) => a - b)
}

/** All segments, by lane and number. Throws `CHAIN_BROKEN` when a number is missing between two others. */
export function listSegments(dataDir: string): SegmentFiles[] {
  const found: SegmentFiles[] = []
  for (const lane of listLanes(dataDir)) {
    // Looked at first: another thread may open a new segment at any moment, and makes its data file before its mark.
    const opened = numbersInLane(dataDir, lane, /^(\d{6})\.opened$/).at(-1) ?? 0
    const numbers = numbersInLane(dataDir, lane, /^(\d{6})\.mdb$/)
    if (opened > (numbers.at(-1) ?? 0)) {
      throw new JournalError(
        'CHAIN_BROKEN',
        `lane ${lane}: segment ${opened} was opened and is missing: restore it from a backup`,
      )
    }
    numbers.forEach((segment, index) => {
      if (segment !== index + 1) {
        throw new JournalError(
          'CHAIN_BROKEN',
          `lane ${lane}: segment ${index + 1} is missing though segment ${segment} is there: restore it from a backup, or bring back the disk of the archive`,
        )
      }
      found.push(describeSegment(dataDir, { lane, segment }))
    })
  }
  return found
}

export function describeSegment(dataDir: string, name: SegmentName): SegmentFiles {
  for (;;) {
    const path = findSegment(dataDir, name)
    const files = { ...name, path, openedBy: readOpened(path), seal: readSeal(path) }
    // Its small files are taken away when it has moved: look there.
    if (findSegment(dataDir, name) === path) return files
  }
}

/** The number of the lane's newest segment; 0 when it has none. */
export function lastSegment(dataDir: string, lane: number): number {
  return numbersInLane(dataDir, lane, /^(\d{6})\.mdb$/).at(-1) ?? 0
}

/** The number for a new segment of the lane. */
export function nextSegment(dataDir: string, lane: number): number {
  return lastSegment(dataDir, lane) + 1
}

export function markOpened(path: string, writer: ProcessIdentity): void {
  writeFileDurably(beside(path, 'opened'), `${JSON.stringify(writer)}\n`)
}

export function markSealed(path: string, seal: SegmentSeal): void {
  const { records, transaction, sum } = seal
  writeFileDurably(beside(path, 'sealed'), `${JSON.stringify({ records, transaction, ...sum })}\n`)
}

function readOpened(path: string): ProcessIdentity | null {
  const { pid, startedAt, bootId } = readSidecar(beside(path, 'opened')) ?? {}
  if (typeof pid !== 'number' || typeof startedAt !== 'string' || typeof bootId !== 'string') return null
  return { pid, startedAt, bootId }
}

function readSeal(path: string): SegmentSeal | null {
  const sidecar = beside(path, 'sealed')
  const fields = readSidecar(sidecar)
  if (fields === null) return null
  const { records, transaction, bytes, crc32 } = fields
  if (!isCount(records) || !isCount(transaction)) throw brokenSidecar(sidecar)
  if (bytes === undefined && crc32 === undefined) return { records, transaction }
  if (!isCount(bytes) || !isCount(crc32)) throw brokenSidecar(sidecar)
  return { records, transaction, sum: { bytes, crc32 } }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function readSidecar(path: string): Record<string, unknown> | null {
  if (!existsSync(path)) return null
  try {
    const fields: unknown = JSON.parse(readFileSync(path, 'utf8'))
    if (typeof fields === 'object' && fields !== null) return fields as Record<string, unknown>
  } catch {
    // Falls through to the sentence below.
  }
  throw brokenSidecar(path)
}

function brokenSidecar(path: string): JournalError {
  return new JournalError('JOURNAL_DAMAGED', `${path} is damaged: put it back from a backup`)
}

function fileName(segment: number): string {
  return `${String(segment).padStart(6, '0')}.mdb`
}

/** In order; the lane is looked at first and the archive behind it, as segments move that way. */
function numbersInLane(dataDir: string, lane: number, pattern: RegExp): number[] {
  const numbers = listNumbers(laneDirectory(dataDir, lane), pattern)
  for (const number of listNumbers(archiveDirectory(dataDir, lane), pattern)) {
    if (!numbers.includes(number)) numbers.push(number)
  }
  return numbers.sort((a, b) => a - b)
}

/** The path of a small file of the segment. */
export function beside(path: string, extension: string): string {
  return `${path.slice(0, -'.mdb'.length)}.${extension}`
}

function listNumbers(directory: string, pattern: RegExp): number[] {
  if (!existsSync(directory)) return []
  return readdirSync(directory)
    .map((name) => pattern.exec(name)?.[1])
    .filter((digits) => digits !== undefined)
    .map(Number)
    .sort((a, b) => a - b)
}
