/**
 * Rows of a file, one at a time, in bounded memory: CSV with a header of Coupon field names, or NDJSON with bodies of
 * `POST /coupons`. Each comes with its line and with the place behind it, from where reading can go on after a crash.
 *
 * A row that is no row is handed on as a fault; only a file that makes no sense as a whole throws.
 */
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { type Info, parse } from 'csv-parse'
import { ROW_BYTES_MAX } from './limits.ts'
import type { ImportFormat } from '../protocol/jobs.ts'

export interface FileRow {
  /** From 1; a row over several lines has that of its first. */
  readonly line: number
  /** Bytes of the file up to behind it. */
  readonly place: number
  /** By field name: strings in CSV, JSON values in NDJSON. */
  readonly fields: Readonly<Record<string, unknown>> | null
  /** Why there are none. */
  readonly fault: string
}

/** The file has no head, or one that makes no sense. */
export class UnreadableFile extends Error {}

const LINE_FEED = 10
const CHUNK_BYTES = 1_048_576
const BOM = '\ufeff'

/** `place`: 0, or one that an earlier reading came to. `known` says whether a field exists. */
export async function* readRows(
  path: string,
  format: ImportFormat,
  place: number,
  known: (field: string) => boolean,
): AsyncGenerator<FileRow> {
  const line = await lineAt(path, place)
  if (format === 'NDJSON') yield* jsonRows(path, place, line)
  else yield* csvRows(path, place, line, known)
}

async function* jsonRows(path: string, place: number, firstLine: number): AsyncGenerator<FileRow> {
  const stream = createReadStream(path, { start: place, highWaterMark: CHUNK_BYTES })
  let line = firstLine - 1
  let at = place
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of stream) {
    let bytes = rest.length === 0 ? (chunk as Buffer) : Buffer.concat([rest, chunk as Buffer])
    for (let end = bytes.indexOf(LINE_FEED); end >= 0; end = bytes.indexOf(LINE_FEED)) {
      line++
      at += end + 1
      const row = jsonRow(bytes.subarray(0, end), line, at)
      if (row !== null) yield row
      bytes = bytes.subarray(end + 1)
    }
    rest = bytes
    if (rest.length > ROW_BYTES_MAX) throw new UnreadableFile(`line ${line + 1} is longer than ${ROW_BYTES_MAX} bytes`)
  }
  const last = jsonRow(rest, line + 1, at + rest.length)
  if (last !== null) yield last
}

function jsonRow(bytes: Buffer, line: number, place: number): FileRow | null {
  const text = bytes.toString('utf8')
  const trimmed = (line === 1 && text.startsWith(BOM) ? text.slice(1) : text).trim()
  if (trimmed === '') return null
  try {
    const fields: unknown = JSON.parse(trimmed)
    if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) {
      return { line, place, fields: null, fault: 'has to be a JSON object' }
    }
    return { line, place, fields: fields as Record<string, unknown>, fault: '' }
  } catch {
    return { line, place, fields: null, fault: 'is not JSON' }
  }
}

interface CsvRecord {
  readonly record: readonly string[]
  readonly info: Info
}

async function* csvRows(
  path: string,
  place: number,
  line: number,
  known: (field: string) => boolean,
): AsyncGenerator<FileRow> {
  const { header, behind, lines } = await csvHeader(path)
  const strange = header.find((field) => !known(field))
  if (strange !== undefined) throw new UnreadableFile(`the header names ${strange}, which is no field of a coupon`)
  const twice = header.find((field, i) => header.indexOf(field) !== i)
  if (twice !== undefined) throw new UnreadableFile(`the header names ${twice} twice`)
  const start = Math.max(place, behind)
  const firstLine = place > behind ? line : lines + 1
  const stream = createReadStream(path, { start, highWaterMark: CHUNK_BYTES })
  const parser = stream.pipe(
    parse({
      info: true,
      relax_column_count: true,
      skip_empty_lines: true,
      max_record_size: ROW_BYTES_MAX,
      record_delimiter: ['\r\n', '\n'],
    }),
  )
  stream.on('error', (error) => parser.destroy(error))
  // The parser counts lines within quoted cells in a way of its own, so they are counted here.
  let linesOfRecords = 0
  for await (const { record, info } of parser as AsyncIterable<CsvRecord>) {
    const row = { line: firstLine + linesOfRecords + info.empty_lines, place: start + info.bytes }
    linesOfRecords += 1 + feedsIn(record)
    if (record.length === header.length) {
      yield { ...row, fields: fieldsOf(header, record), fault: '' }
    } else {
      const fault = `has ${record.length} cells; the header has ${header.length}`
      yield { ...row, fields: null, fault }
    }
  }
}

function feedsIn(record: readonly string[]): number {
  let feeds = 0
  for (const cell of record) for (let at = cell.indexOf('\n'); at >= 0; at = cell.indexOf('\n', at + 1)) feeds++
  return feeds
}

function fieldsOf(header: readonly string[], record: readonly string[]): Record<string, string> {
  const fields: Record<string, string> = {}
  for (let i = 0; i < header.length; i++) fields[header[i] as string] = record[i] as string
  return fields
}

/** The names of the header, the bytes up to behind it, and its lines. */
async function csvHeader(
  path: string,
): Promise<{ readonly header: string[]; readonly behind: number; readonly lines: number }> {
  const stream = createReadStream(path)
  const lines = createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })
  try {
    for await (const text of lines) {
      const plain = text.startsWith(BOM) ? text.slice(1) : text
      const header = plain.split(',').map((name) => name.trim().replace(/^"(.*)"$/, '$1'))
      if (header.every((name) => name === '')) throw new UnreadableFile('the first line has to be a header')
      return { header, behind: await endOfLine(path), lines: 1 }
    }
  } finally {
    lines.close()
    stream.destroy()
  }
  throw new UnreadableFile('the file is empty; its first line has to be a header')
}

/** The place behind the first line feed, or the end of the file. */
async function endOfLine(path: string): Promise<number> {
  return (await scan(path, Number.POSITIVE_INFINITY, 1)).place
}

/** The number of the line that begins at a place. */
async function lineAt(path: string, place: number): Promise<number> {
  return place === 0 ? 1 : (await scan(path, place, Number.POSITIVE_INFINITY)).feeds + 1
}

/** Counts line feeds up to a place, or up to so many of them. */
async function scan(
  path: string,
  end: number,
  feedsMax: number,
): Promise<{ readonly place: number; readonly feeds: number }> {
  const file = await open(path)
  try {
    const chunk = Buffer.alloc(CHUNK_BYTES)
    let feeds = 0
    for (let at = 0; at < end; ) {
      const { bytesRead } = await file.read(chunk, 0, Math.min(chunk.length, end - at), at)
      if (bytesRead === 0) return { place: at, feeds }
      for (let i = chunk.indexOf(LINE_FEED); i >= 0 && i < bytesRead; i = chunk.indexOf(LINE_FEED, i + 1)) {
        feeds++
        if (feeds === feedsMax) return { place: at + i + 1, feeds }
      }
      at += bytesRead
    }
    return { place: end, feeds }
  } finally {
    await file.close()
  }
}
