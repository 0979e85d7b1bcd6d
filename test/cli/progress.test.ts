// The line that long work shows on a terminal, and only there.

import { expect, it } from 'vitest'
import { ProgressLine } from '../../cli/rebuild/progress.ts'

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

it('a terminal is told share, rate and time left, a few times a second, and the line goes away', () => {
  const screen = new Screen(true)
  let nowMs = 0
  const line = new ProgressLine('replaying the log', screen, () => nowMs)
  nowMs = 1_000
  line.show(0.25, 500_000, 'events')
  nowMs = 1_050
  line.show(0.26, 520_000, 'events')
  nowMs = 2_000
  line.show(0.5, 1_000_000, 'events')
  line.end()
  line.end()
  expect(screen.written).toEqual([
    '\r\u001b[2Kreplaying the log: 25 %, 500,000 events/s, about 3 s left',
    '\r\u001b[2Kreplaying the log: 50 %, 500,000 events/s, about 2 s left',
    '\r\u001b[2K',
  ])
})

it('a pipe is told nothing', () => {
  const screen = new Screen(false)
  const line = new ProgressLine('replaying the log', screen, () => 0)
  line.show(0.5, 1, 'events')
  line.end()
  expect(screen.written).toEqual([])
})
