// The parts that watch a server over minutes and judge what they saw: its log, its memory, its files, and the figures.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import type { Figure, WorkloadReport } from '../../bench/report/figure.ts'
import { atLeast, atMost } from '../../bench/report/figure.ts'
import { chartLines, csvText } from '../../bench/report/series.ts'
import { figureTable, shortFigures } from '../../bench/report/table.ts'
import { slopeOf } from '../../bench/report/trend.ts'
import { countArchived, countSegments, snapshottedEvents } from '../../bench/server/data-directory.ts'
import { sumOfMetric } from '../../bench/server/footprint.ts'
import { ServerLog } from '../../bench/server/server-log.ts'

const LINE = '{"level":30,"time":"2026-11-20T21:00:00.500Z","events":7,"msg":"snapshots made"}\n'

describe('the log of a server', () => {
  it('is read from any pieces, and lines that are none of it are passed over', () => {
    const text = `not json\n${LINE}{"broken\n${LINE}{"level":30,"msg":"without a time"}\n`
    for (const piece of [1, 5, text.length]) {
      const log = new ServerLog()
      for (let at = 0; at < text.length; at += piece) log.feed(text.slice(at, at + piece))
      const lines = log.all('snapshots made')
      expect(lines, `pieces of ${piece}`).toHaveLength(2)
      expect(lines[0]?.timeMs).toBe(Date.UTC(2026, 10, 20, 21, 0, 0, 500))
      expect(lines[0]?.fields.events).toBe(7)
    }
  })

  it('is awaited until a message was said often enough', async () => {
    const log = new ServerLog()
    log.feed(LINE)
    const twice = log.until('snapshots made', 2, 10_000)
    let isThere = false
    void twice.then(() => {
      isThere = true
    })
    await Promise.resolve()
    expect(isThere).toBe(false)
    log.feed(LINE)
    expect(await twice).toHaveLength(2)
    expect(await log.until('snapshots made', 1, 10_000)).toHaveLength(2)
  })

  it('is not awaited any longer when the server is gone, or too slow', async () => {
    const log = new ServerLog()
    await expect(log.until('snapshots made', 1, 5)).rejects.toThrow('within 5 ms')
    const waiting = log.until('snapshots made', 1, 10_000)
    log.end('the server ended (SIGKILL)')
    await expect(waiting).rejects.toThrow('the server ended (SIGKILL) before it said "snapshots made"')
    await expect(log.until('snapshots made', 1, 10_000)).rejects.toThrow('SIGKILL')
  })

  it('counts warnings by their message', () => {
    const log = new ServerLog()
    const warning = LINE.replace('30', '40').replace('snapshots made', 'call was slow')
    log.feed(LINE + warning + warning + warning.replace('40', '50').replace('call was slow', 'died'))
    expect(log.warnings()).toEqual({ 'call was slow': 2, died: 1 })
  })
})

describe('a metric', () => {
  const text = '# HELP a_b A.\n# TYPE a_b gauge\na_b{shard="0"} 5\na_b{shard="1"} 7\na_bc 100\nlag Nan\n'

  it('is summed up over its labels, and no other is counted with it', () => {
    expect(sumOfMetric(text, 'a_b')).toBe(12)
    expect(sumOfMetric(text, 'a_bc')).toBe(100)
  })

  it('has no number when it is not there or not known', () => {
    expect(sumOfMetric(text, 'lag')).toBeNaN()
    expect(sumOfMetric(text, 'a')).toBeNaN()
  })
})

describe('a data directory', () => {
  it('is counted by names: a segment that is moving once, the newest snapshot of each shard', () => {
    const directory = temporaryDirectory('watching')
    const touch = (folder: string, ...files: string[]): void => {
      mkdirSync(join(directory, folder), { recursive: true })
      for (const file of files) writeFileSync(join(directory, folder, file), '')
    }
    expect([countSegments(directory), countArchived(directory), snapshottedEvents(directory)]).toEqual([0, 0, 0])
    touch('lanes/00', '000002.mdb', '000002.opened', '000003.mdb', '000003.mdb-lock', '000003.opened')
    touch('lanes/01', '000001.mdb')
    touch('archive/00', '000001.mdb', '000001.sealed', '000002.mdb', '000002.sealed')
    touch('snapshots/0000', '0000000000000007.snapshot', '0000000000000012.snapshot', '0000000000000099.snapshot.draft')
    touch('snapshots/0005', '0000000000000030.snapshot')
    expect(countSegments(directory)).toBe(4)
    expect(countArchived(directory)).toBe(2)
    expect(snapshottedEvents(directory)).toBe(42)
  })
})

describe('a slope', () => {
  it('is that of the line, however far off some points are', () => {
    const line = Array.from({ length: 40 }, (_, x) => ({ x, y: 3 * x + 5 }))
    expect(slopeOf(line)).toBe(3)
    const withPeaks = line.map(({ x, y }) => ({ x, y: x % 10 === 7 ? y + 1_000 + 50 * x : y }))
    expect(slopeOf(withPeaks)).toBe(3)
  })

  it('is 0 for what does not grow and not a number for one point', () => {
    expect(slopeOf([0, 10, 20].map((x) => ({ x, y: 8 })))).toBe(0)
    expect(slopeOf([{ x: 1, y: 1 }])).toBeNaN()
  })
})

describe('a series', () => {
  it('is written as CSV, with nothing where nothing is known', () => {
    expect(
      csvText({
        columns: ['second', 'p99Ms'],
        rows: [
          [10, 1.5],
          [20, Number.NaN],
        ],
      }),
    ).toBe('second,p99Ms\n10,1.5\n20,\n')
  })

  it('is drawn with the highest value at the top and a gap where there is none', () => {
    const lines = chartLines('ms', [0, 8, Number.NaN, 4])
    expect(lines).toEqual(['ms', '8.0 ┤ •', '    ┤', '    ┤', '    ┤   •', '    ┤', '    ┤', '    ┤', '0.0 ┤•'])
    expect(chartLines('ms', [])).toEqual([])
  })

  it('keeps its peaks when it is too long for a screen', () => {
    const values = Array.from({ length: 1_000 }, (_, index) => (index === 555 ? 9 : 1))
    const [, top] = chartLines('ms', values) as [string, string]
    // Ten values a column: the 556th is in the 56th, behind the label and the axis.
    expect(top.indexOf('•')).toBe('9.0 ┤'.length + 55)
  })
})

describe('figures', () => {
  const figure = (name: string, value: number, target: Figure['target']): Figure => ({
    name,
    value,
    unit: 'ms',
    target,
  })
  const report: WorkloadReport = {
    workload: 'held',
    figures: [
      figure('met', 5, atMost(50)),
      figure('slow', 51, atMost(50)),
      figure('few', 1, atLeast(2)),
      figure('unknown', Number.NaN, atMost(50)),
      figure('shown', 1_000, null),
    ],
    checks: [],
    detail: {},
  }

  it('that miss their target, or were not measured, are named', () => {
    expect(shortFigures([report])).toEqual([
      'slow: 51.00 ms instead of ≤ 50.00 ms',
      'few: 1.00 ms instead of ≥ 2.00 ms',
      'unknown: not measured instead of ≤ 50.00 ms',
    ])
    expect(figureTable([report]).filter((line) => line.endsWith('SHORT'))).toHaveLength(3)
  })
})
