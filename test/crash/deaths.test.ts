// The count of deaths says what a run has not shown, and no fail point of the product is left out of the loads.

import { expect, it } from 'vitest'
import { FAIL_POINTS } from '../../engine/shard/fail-points.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { LOADS } from './crash-load.ts'
import { BACKGROUND_WAYS, Deaths, PHASES, phaseOf, RECOVERY_WAYS } from './deaths.ts'
import { KILLS_OF_HUNDRED, makerOf } from './loads.ts'

it('has a way to every fail point, and a phase for each', () => {
  const ofLoads = LOADS.flatMap((load) => makerOf(load)(new SeededRandom(1)).ways)
  const points = new Set([...RECOVERY_WAYS, ...BACKGROUND_WAYS, ...ofLoads].map(({ point }) => point))
  expect([...FAIL_POINTS].filter((point) => !points.has(point))).toEqual([])
  for (const point of FAIL_POINTS) expect(PHASES).toContain(phaseOf(point))
})

it('shares a hundred kills out among the loads', () => {
  expect(Object.values(KILLS_OF_HUNDRED).reduce((sum, kills) => sum + kills, 0)).toBe(100)
})

it('names what was never reached', () => {
  const deaths = new Deaths()
  for (const phase of PHASES) if (phase !== 'archive') deaths.during(phase)
  deaths.at({ point: 'stack.decided', when: 'flushed', timesMax: 1 })
  expect(deaths.neverReached(['stack.decided', 'archive.moved'])).toEqual(['archive', 'archive.moved'])

  const more = new Deaths()
  more.at({ point: 'archive.moved', when: 'now', timesMax: 1 })
  deaths.merge(more)
  expect(deaths.neverReached(['stack.decided', 'archive.moved'])).toEqual([])
  expect(deaths.kills).toBe(PHASES.length - 1 + 2)
  expect(deaths.atPoints).toBe(2)
})
