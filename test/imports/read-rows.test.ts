// Files of coupons to rows: lines as people count them, places from where reading goes on, faults that cost one row only.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type FileRow, readRows, UnreadableFile } from '../../imports/read-rows.ts'
import type { ImportFormat } from '../../protocol/jobs.ts'
import { removeDirectory, temporaryDirectory } from '../support/temporary-directory.ts'

let directory: string

beforeEach(() => {
  directory = temporaryDirectory('rows')
})

afterEach(() => removeDirectory(directory))

async function rowsOf(text: string, format: ImportFormat, place = 0): Promise<FileRow[]> {
  const path = join(directory, 'file')
  writeFileSync(path, text)
  const rows: FileRow[] = []
  for await (const row of readRows(path, format, place, (name) => ['code', 'value', 'description'].includes(name))) {
    rows.push(row)
  }
  return rows
}

describe('CSV', () => {
  it('names each row by the line on which it begins, whatever its cells and neighbours are', async () => {
    const rows = await rowsOf(
      'code,description\r\nA-1,plain\r\n\r\nA-2,"two\nlines, and ""quotes"""\r\nA-3,last without an end',
      'CSV',
    )
    expect(rows.map(({ line, fields }) => [line, fields])).toEqual([
      [2, { code: 'A-1', description: 'plain' }],
      [4, { code: 'A-2', description: 'two\nlines, and "quotes"' }],
      [6, { code: 'A-3', description: 'last without an end' }],
    ])
  })

  it('goes on behind any row as if it had never stopped', async () => {
    const text = 'code,value\nA-1,1\n\n"A-2",2\nA-3,"3\n"\nA-4,4\n'
    const all = await rowsOf(text, 'CSV')
    expect(all).toHaveLength(4)
    for (const [i, { place }] of all.entries()) expect(await rowsOf(text, 'CSV', place)).toEqual(all.slice(i + 1))
  })

  it('hands on a row with too few or too many cells as a fault, and reads on', async () => {
    const rows = await rowsOf('code,value\nA-1\nA-2,2\nA-3,3,3\n', 'CSV')
    expect(rows.map(({ line, fault }) => [line, fault])).toEqual([
      [2, 'has 1 cells; the header has 2'],
      [3, ''],
      [4, 'has 3 cells; the header has 2'],
    ])
  })

  it('takes a byte order mark and quoted names in the header', async () => {
    const [row] = await rowsOf('\ufeff"code",value\nA-1,1\n', 'CSV')
    expect(row?.fields).toEqual({ code: 'A-1', value: '1' })
  })

  it.each([
    ['', 'the file is empty'],
    ['code,color\n', 'names color, which is no field'],
    ['code,code\n', 'names code twice'],
    ['\ncode\n', 'has to be a header'],
  ])('refuses a file that begins with %j', async (text, reason) => {
    await expect(rowsOf(text, 'CSV')).rejects.toThrow(UnreadableFile)
    await expect(rowsOf(text, 'CSV')).rejects.toThrow(reason)
  })
})

describe('NDJSON', () => {
  it('gives a row a line, and leaves empty ones out', async () => {
    const rows = await rowsOf('{"code":"A-1"}\n\n  {"code":"A-2"}  \n[1]\nnonsense\n{"code":"A-3"}', 'NDJSON')
    expect(rows.map(({ line, fields, fault }) => [line, fields, fault])).toEqual([
      [1, { code: 'A-1' }, ''],
      [3, { code: 'A-2' }, ''],
      [4, null, 'has to be a JSON object'],
      [5, null, 'is not JSON'],
      [6, { code: 'A-3' }, ''],
    ])
  })

  it('goes on behind any row', async () => {
    const text = '{"code":"A-1"}\n\n{"code":"Ä-2"}\n{"code":"A-3"}\n'
    const all = await rowsOf(text, 'NDJSON')
    expect(all).toHaveLength(3)
    for (const [i, { place }] of all.entries()) expect(await rowsOf(text, 'NDJSON', place)).toEqual(all.slice(i + 1))
  })

  it('ends at a line that no row can be', async () => {
    await expect(rowsOf(`{"code":"${'A'.repeat(1_100_000)}"}`, 'NDJSON')).rejects.toThrow('longer than')
  })
})
