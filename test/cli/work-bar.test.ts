// The bar that long work shows: on a terminal one line, elsewhere a line every tenth.

import { expect, it } from 'vitest'
import { WorkBar } from '../../cli/work-bar.ts'

class Screen {
  readonly isTTY: boolean
  readonly written: string[] = []

  constructor(isTTY: boolean) {
    this.isTTY = isTTY
  }

  write(text: string): void {
    this.written.push(text)
  }
}

it('a terminal is shown how full it is, rate and time left, ten times a second at most', () => {
  const screen = new Screen(true)
  let nowMs = 0
  const bar = new WorkBar('codes', screen, () => nowMs)
  nowMs = 1_000
  bar.show(250_000, 1_000_000)
  nowMs = 1_050
  bar.show(260_000, 1_000_000)
  nowMs = 4_000
  bar.show(1_000_000, 1_000_000)
  bar.end()
  bar.end()
  expect(screen.written).toEqual([
    '\r\u001b[2K████████░░░░░░░░░░░░░░░░░░░░░░░░ 250,000 of 1,000,000 codes, 250,000/s, 3 s left',
    `\r\u001b[2K${'█'.repeat(32)} 1,000,000 of 1,000,000 codes, 250,000/s`,
    '\n',
  ])
})

it('a file gets a line every tenth', () => {
  const screen = new Screen(false)
  let nowMs = 0
  const bar = new WorkBar('rows', screen, () => nowMs)
  for (let done = 0; done <= 100; done += 5) {
    nowMs += 100
    bar.show(done, 100)
  }
  bar.end()
  expect(screen.written).toHaveLength(10)
  expect(screen.written[0]).toBe(' 10 %  10 of 100 rows, 33/s, 3 s left\n')
  expect(screen.written.at(-1)).toBe('100 %  100 of 100 rows, 48/s\n')
})
