// The trace of system calls in small: under load no reply leaves before the flush that covers it, and the judge sees it when
// one does. Needs strace; where there is none this file has nothing to prove, and the gate of the lane is proved over the
// journal's port alone (test/engine/shard). At full length it is `npm run test:trace`.

import { afterAll, describe, expect, it } from 'vitest'
import { removeDirectory } from '../support/temporary-directory.ts'
import { EARLY_BUILDS, type EarlyBuild, makeEarlyBuild } from './early-builds.ts'
import { judgeTrace } from './judge.ts'
import { canTrace, type LoadSize, ORDER_PATTERN, runTraced, type TracedRun } from './traced-load.ts'

const SIZE: LoadSize = { redemptions: 150, frames: 4, racers: 80, scarceUses: 20 }
const LIMIT_MS = 60_000

const builds: EarlyBuild[] = []
afterAll(() => {
  for (const { directory } of builds) removeDirectory(directory)
})

function judged({ trace, told, acknowledged, refused, reads }: TracedRun): readonly string[] {
  const found = judgeTrace(trace, told, ORDER_PATTERN)
  // Nothing escaped the judge: it found in the trace what the clients were told.
  expect(found).toMatchObject({ acknowledgements: acknowledged, refusals: refused, reads })
  return found.violations
}

function testsWithTracer(): void {
  it('sees no reply leave before the flush that covers it', { timeout: LIMIT_MS }, async () => {
    expect(judged(await runTraced(SIZE))).toEqual([])
  })

  it('sees none with several workers either', { timeout: LIMIT_MS }, async () => {
    expect(judged(await runTraced(SIZE, { settings: { WORKERS: '2' } }))).toEqual([])
  })

  it('convicts durability relaxed, which replies at once', { timeout: LIMIT_MS }, async () => {
    expect(judged(await runTraced(SIZE, { settings: { DURABILITY: 'relaxed' } })).length).toBeGreaterThan(100)
  })

  for (const name of Object.keys(EARLY_BUILDS) as (keyof typeof EARLY_BUILDS)[]) {
    it(`convicts a build where ${name}`, { timeout: LIMIT_MS }, async () => {
      const build = makeEarlyBuild(EARLY_BUILDS[name])
      builds.push(build)
      expect(judged(await runTraced(SIZE, { entry: build.entry })).length).toBeGreaterThan(0)
    })
  }
}

function testWithoutTracer(): void {
  it('is not possible here: there is no strace that works', () => expect(canTrace()).toBe(false))
}

const tests = canTrace() ? testsWithTracer : testWithoutTracer

describe('a trace of system calls', () => {
  tests()
})
