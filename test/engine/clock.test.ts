/** The shards' clock against a wall clock that jumps: it follows by one part in a hundred, and never goes backwards. */
import { expect, test } from 'vitest'
import { SteadyClock } from '../../engine/clock.ts'

const START_MS = 1_760_000_000_000
const HOUR_MS = 3_600_000

/** A source whose two clocks a test moves apart. */
function source() {
  const clocks = { wall: START_MS, monotonic: 5_000 }
  return { clocks, wallMs: () => clocks.wall, monotonicMs: () => clocks.monotonic }
}

test('a wall clock that runs evenly is followed to the millisecond', () => {
  const time = source()
  const clock = new SteadyClock(time)
  time.clocks.wall += 1_234
  time.clocks.monotonic += 1_234
  expect(clock.nowMs()).toBe(START_MS + 1_234)
  expect(clock.gapMs).toBe(0)
})

test.each([
  ['forwards', HOUR_MS, 10_100],
  ['backwards', -HOUR_MS, 9_900],
])('a wall clock that jumps an hour %s is followed by a hundredth of the time that passes', (_, jumpMs, elapsedMs) => {
  const time = source()
  const clock = new SteadyClock(time)
  time.clocks.wall += 10_000 + jumpMs
  time.clocks.monotonic += 10_000
  expect(clock.nowMs()).toBe(START_MS + elapsedMs)
  expect(clock.gapMs).toBe(jumpMs)
})

test('a small difference is made up and not overshot', () => {
  const time = source()
  const clock = new SteadyClock(time)
  time.clocks.wall += 10_000 + 40
  time.clocks.monotonic += 10_000
  expect(clock.nowMs()).toBe(START_MS + 10_040)
})

test('a wall clock that goes back while no time passes does not take the clock with it', () => {
  const time = source()
  const clock = new SteadyClock(time)
  time.clocks.wall -= HOUR_MS
  expect(clock.nowMs()).toBe(START_MS)
})

test('begins no earlier than the last time that was logged', () => {
  expect(new SteadyClock(source(), START_MS + 700).nowMs()).toBe(START_MS + 700)
})

test('goes on from a later time that it hears of, slowly back to the wall clock, and heeds no earlier one', () => {
  const time = source()
  const clock = new SteadyClock(time)
  clock.hear(START_MS + HOUR_MS)
  clock.hear(START_MS + 5)
  expect(clock.nowMs()).toBe(START_MS + HOUR_MS)
  time.clocks.wall += 10_000
  time.clocks.monotonic += 10_000
  expect(clock.nowMs()).toBe(START_MS + HOUR_MS + 9_900)
  expect(clock.gapMs).toBe(-HOUR_MS)
})
