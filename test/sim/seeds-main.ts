/** A process of `npm run sim`: is sent ranges of seeds, one after another, and sends back what came of each. */
import { runSeeds, type SeedRange } from './seed-runs.ts'

process.on('message', (range: SeedRange) => {
  process.send?.(runSeeds(range))
})
