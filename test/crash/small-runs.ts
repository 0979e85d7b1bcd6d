// What the tests of all loads under crashes share.

import { rmSync } from 'node:fs'
import type { SeededRandom } from '../support/seeded-random.ts'
import type { CrashLoad } from './crash-load.ts'
import { proveByCrashes } from './crash-rounds.ts'
import { Violation } from './ledger.ts'

export function seedOfRun(): number {
  const seed = Number(process.env['TEST_SEED'] ?? Date.now() % 1_000_000_007)
  console.log(`seed ${seed}`)
  return seed
}

/** What becomes of a server that replies before the flush: the violation, within so many kills. */
export async function ofEarlyReplies(make: (random: SeededRandom) => CrashLoad, kills: number): Promise<string> {
  const settings = { DURABILITY: 'relaxed' }
  try {
    await proveByCrashes(make, { kills, seed: seedOfRun(), report: () => {}, settings })
  } catch (error) {
    if (!(error instanceof Violation)) throw error
    rmSync(error.evidence as string, { recursive: true, force: true })
    rmSync(`${error.evidence as string}.facts.json`, { force: true })
    return error.message
  }
  return 'nothing was found'
}
