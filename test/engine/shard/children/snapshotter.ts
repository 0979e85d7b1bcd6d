/**
 * Makes snapshots of a closed log and ends by SIGKILL at a named step, the n-th time it comes there. Says how many came
 * when it gets to the end. Arguments: directory, step, n, "copies" to move segments as to another disk.
 */
import { makeSnapshots } from '../../../../engine/shard/snapshot-maker.ts'
import { deploymentOfTests } from '../../../persistence/children/deployment-of-tests.ts'

const [, , dataDir = '', fatalStep = '', times = '1', copies = ''] = process.argv
let left = Number(times)

makeSnapshots({
  dataDir,
  deployment: deploymentOfTests,
  nowMs: () => 1_770_000_000_000,
  rest: () => {},
  warn: (sentence) => process.stderr.write(`${sentence}\n`),
  copies: copies === 'copies',
  onStep: (step) => {
    if (step === fatalStep && --left === 0) process.kill(process.pid, 'SIGKILL')
  },
})
process.stdout.write('done\n')
