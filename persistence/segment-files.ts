/**
 * The files of the log and what is known about each of them.
 *
 *   <data>/lanes/00/000001.mdb       an LMDB environment in one file: the records of one segment of one lane
 *                   000001.opened    who writes or wrote it: process and boot (made before its first record)
 *                   000001.sealed    it is final: how many records, under which transaction (made behind its last one)
 *
 * A segment is written by one run of one process only; every start goes on in a new one. So everything but the segments
 * of the running process is final, can be read without locks, and is sealed by the next start.
 * Nothing here deletes or shortens a segment.
 */

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { LANES_DIRECTORY } from './deployment.ts'
import { writeFileDurably } from './durable-file.ts'
import { JournalError } from './errors.ts'
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
}

export interface SegmentFiles extends SegmentName {
  readonly path: string
  readonly openedBy: ProcessIdentity | null
  readonly seal: SegmentSeal | null
}

export function laneDirectory(dataDir: string, lane: number): string {
  return join(dataDir, LANES_DIRECTORY, String(lane).padStart(2, '0'))
}

export function segmentPath(dataDir: string, { lane, segment }: SegmentName): string {
  return join(laneDirectory(dataDir, lane), `${String(segment).padStart(6, '0')}.mdb`)
}

/** All segments, by lane and number. Throws `CHAIN_BROKEN` when a number is missing between two others. */
export function listSegments(dataDir: string): SegmentFiles[] {
  const found: SegmentFiles[] = []
  for (const lane of listNumbers(join(dataDir, LANES_DIRECTORY), /^(\d{2,5})$/)) {
    const directory = laneDirectory(dataDir, lane)
    // Looked at first: another thread may open a new segment at any moment, and makes its data file before its mark.
    const opened = listNumbers(directory, /^(\d{6})\.opened$/).at(-1) ?? 0
    const numbers = listNumbers(directory, /^(\d{6})\.mdb$/)
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
          `lane ${lane}: segment ${index + 1} is missing though segment ${segment} is there: restore it from a backup`,
        )
      }
      found.push(describeSegment(dataDir, { lane, segment }))
    })
  }
  return found
}

export function describeSegment(dataDir: string, name: SegmentName): SegmentFiles {
  const path = segmentPath(dataDir, name)
  return { ...name, path, openedBy: readOpened(path), seal: readSeal(path) }
}

/** The number for a new segment of the lane. */
export function nextSegment(dataDir: string, lane: number): number {
  return (listNumbers(laneDirectory(dataDir, lane), /^(\d{6})\.mdb$/).at(-1) ?? 0) + 1
}

export function markOpened(path: string, writer: ProcessIdentity): void {
  writeFileDurably(beside(path, 'opened'), `${JSON.stringify(writer)}\n`)
}

export function markSealed(path: string, seal: SegmentSeal): void {
  writeFileDurably(beside(path, 'sealed'), `${JSON.stringify(seal)}\n`)
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
  const { records, transaction } = fields
  if (!isCount(records) || !isCount(transaction)) throw brokenSidecar(sidecar)
  return { records, transaction }
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

function beside(path: string, extension: string): string {
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
