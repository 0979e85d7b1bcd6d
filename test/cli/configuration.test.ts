// The one setting that takes fractions: the window in which orders are remembered.

import { expect, it } from 'vitest'
import { configuration } from '../../cli/configuration.ts'

function windowMs(hours?: string): number {
  return configuration(hours === undefined ? {} : { ORDER_WINDOW_HOURS: hours }).orderWindowMs
}

it('is a week where nothing is said, and hours or parts of one where something is', () => {
  expect(windowMs()).toBe(604_800_000)
  expect(windowMs('1')).toBe(3_600_000)
  expect(windowMs('0.5')).toBe(1_800_000)
  expect(windowMs('0.0334')).toBe(120_240)
  expect(windowMs('8784')).toBe(31_622_400_000)
})

it('stops the start where it is shorter than a minute, longer than a year, or no number', () => {
  for (const hours of ['0', '0.016', '8785', '-1', '1e2', '.5', '5.', 'soon', '']) {
    expect(() => windowMs(hours), hours).toThrow(`TEAROFF_ORDER_WINDOW_HOURS=${hours} is not a number of hours`)
  }
})
