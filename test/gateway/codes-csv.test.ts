// Rows of an export: RFC 4180, and no cell that a spreadsheet would calculate.

import { describe, expect, it } from 'vitest'
import { csvCell, csvRow } from '../../gateway/codes/codes-csv.ts'
import type { ListedCode } from '../../protocol/outcomes.ts'

const AT_MS = Date.UTC(2026, 10, 20, 18)

const IDLE: ListedCode = {
  ordinal: 0,
  code: 'SUMMER2345',
  status: 'ACTIVE',
  holder: null,
  createdAtMs: AT_MS,
  lockedUntilMs: 0,
  redeemedAtMs: 0,
}

describe('a row', () => {
  it('of an idle code has empty cells for what has not happened', () => {
    expect(csvRow(IDLE, 'defuse')).toBe('SUMMER2345,ACTIVE,,2026-11-20T18:00:00.000Z,,\r\n')
  })

  it('has the holder and both times where they are', () => {
    const row = { ...IDLE, status: 'LOCKED', holder: 'u1', lockedUntilMs: AT_MS + 1, redeemedAtMs: AT_MS + 2 } as const
    expect(csvRow(row, 'defuse')).toBe(
      'SUMMER2345,LOCKED,u1,2026-11-20T18:00:00.000Z,2026-11-20T18:00:00.001Z,2026-11-20T18:00:00.002Z\r\n',
    )
  })
})

describe('a cell', () => {
  it.each([
    ['=1+1', "'=1+1"],
    ['+1', "'+1"],
    ['-SALE234567', "'-SALE234567"],
    ['@SUM(A1)', "'@SUM(A1)"],
    ['\tx', "'\tx"],
    ['\rx', '"\'\rx"'],
    ['\nx', '"\'\nx"'],
    ['＝1', "'＝1"],
    ['=HYPERLINK("x","y")', '"\'=HYPERLINK(""x"",""y"")"'],
    ['u=1', 'u=1'],
    ['a,b', '"a,b"'],
    ['say "x"', '"say ""x"""'],
    ['', ''],
  ])('%j becomes %j', (text, cell) => {
    expect(csvCell(text, 'defuse')).toBe(cell)
  })

  it('stays as it is where that is asked for, quotes apart', () => {
    expect(csvCell('=1+1', 'keep')).toBe('=1+1')
    expect(csvCell('=1,1', 'keep')).toBe('"=1,1"')
  })
})
