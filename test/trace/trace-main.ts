// `npm run test:trace`: the trace of system calls at full length, and every early build, which the judge has to convict.

import { EARLY_BUILDS, makeEarlyBuild } from './early-builds.ts'
import { judgeTrace } from './judge.ts'
import { removeDirectory } from '../support/temporary-directory.ts'
import { canTrace, type LoadSize, ORDER_PATTERN, runTraced, type TracedRun } from './traced-load.ts'

const FULL: LoadSize = { redemptions: 2_000, frames: 50, racers: 600, scarceUses: 200 }
const SMALL: LoadSize = { redemptions: 150, frames: 4, racers: 80, scarceUses: 20 }
const VIOLATIONS_SHOWN = 3

if (!canTrace()) {
  console.error('strace is not here or not permitted; the trace of system calls needs it')
  process.exit(1)
}

let failed = false

function report(what: string, { trace, told, acknowledged, refused, reads }: TracedRun, isEarly: boolean): void {
  const judged = judgeTrace(trace, told, ORDER_PATTERN)
  const { violations } = judged
  const isComplete = judged.acknowledgements === acknowledged && judged.refusals === refused && judged.reads === reads
  const isRight = isComplete && (isEarly ? violations.length > 0 : violations.length === 0)
  failed ||= !isRight
  console.log(
    `${isRight ? 'ok  ' : 'FAIL'} ${what}: ${judged.acknowledgements} of ${acknowledged} acknowledgements, ${judged.refusals} of ${refused} refusals, ` +
      `${judged.reads} of ${reads} reads, ${judged.flushes} flushes, ${violations.length} replies left early`,
  )
  for (const violation of violations.slice(0, VIOLATIONS_SHOWN)) console.log(`       ${violation}`)
}

report('the product', await runTraced(FULL), false)
report('the product with three workers', await runTraced(SMALL, { settings: { WORKERS: '3' } }), false)
report(
  'durability relaxed, which replies at once',
  await runTraced(SMALL, { settings: { DURABILITY: 'relaxed' } }),
  true,
)
for (const name of Object.keys(EARLY_BUILDS) as (keyof typeof EARLY_BUILDS)[]) {
  const { directory, entry } = makeEarlyBuild(EARLY_BUILDS[name])
  try {
    report(`a build where ${name}`, await runTraced(SMALL, { entry }), true)
  } finally {
    removeDirectory(directory)
  }
}
process.exitCode = failed ? 1 : 0
