/** Every planted fault, in the order of the way of a request. */
import type { Mutant } from '../mutant.ts'
import { FAULTS_ACROSS_SHARDS } from './across-shards.ts'
import { FAULTS_AT_THE_DOOR } from './edges.ts'
import { FAULTS_IN_COUNTING } from './counting.ts'
import { FAULTS_IN_DECIDING } from './deciding.ts'
import { FAULTS_IN_PRICING } from './pricing.ts'
import { FAULTS_IN_STORING } from './storing.ts'

export const ALL_FAULTS: readonly Mutant[] = [
  ...FAULTS_AT_THE_DOOR,
  ...FAULTS_IN_DECIDING,
  ...FAULTS_IN_PRICING,
  ...FAULTS_IN_COUNTING,
  ...FAULTS_ACROSS_SHARDS,
  ...FAULTS_IN_STORING,
]
