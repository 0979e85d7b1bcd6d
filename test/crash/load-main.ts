// The process of one load: kills a server that it starts itself, so many times, and sends what it counted to the process that
// started it. Exit code 1 at the first violation.

import { parseArgs } from 'node:util'
import type { LoadName } from './crash-load.ts'
import { proveByCrashes } from './crash-rounds.ts'
import { makerOf } from './loads.ts'

const { values } = parseArgs({
  options: {
    load: { type: 'string' },
    kills: { type: 'string' },
    seed: { type: 'string' },
    archive: { type: 'string' },
  },
})
try {
  const { deaths, gracefulStops, judged } = await proveByCrashes(makerOf(values.load as LoadName), {
    kills: Number(values.kills),
    seed: Number(values.seed),
    report: (line) => console.log(line),
    isEndWhole: true,
    otherDisk: values.archive ?? null,
    beginsAnywhere: true,
  })
  const { phases, points } = deaths
  console.log(`${values.load}: killed in ${JSON.stringify(phases)}, at ${JSON.stringify(points)}`)
  process.send?.({ phases, points, gracefulStops, judged })
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
}
process.disconnect?.()
