// All loads by name, at the size of a long run, and how many of a hundred kills each gets.

import type { SeededRandom } from '../support/seeded-random.ts'
import { ClaimsCrash } from './claims-crash.ts'
import type { CrashLoad, LoadName } from './crash-load.ts'
import { JobsCrash } from './jobs-crash.ts'
import { SingleCrash } from './single-crash.ts'
import { StackCrash } from './stack-crash.ts'

/** Codes of the largest job. */
const CODES_MAX = 150_000

export const KILLS_OF_HUNDRED: Readonly<Record<LoadName, number>> = { single: 25, stacks: 30, jobs: 20, claims: 25 }

const MAKERS: Readonly<Record<LoadName, (random: SeededRandom) => CrashLoad>> = {
  single: (random) => new SingleCrash(random),
  stacks: (random) => new StackCrash(random),
  jobs: (random) => new JobsCrash(random, CODES_MAX),
  claims: (random) => new ClaimsCrash(random),
}

export function makerOf(load: LoadName): (random: SeededRandom) => CrashLoad {
  return MAKERS[load]
}
