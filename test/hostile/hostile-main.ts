// `npm run test:hostile -- --inputs 100000`: the proof by hostile clients at full length. `--case FILE` sends one saved input to a
// server of its own. Exit code 1 at any fault.

import { parseArgs } from 'node:util'
import { type AttackResult, attack, attackWithCase } from './attack.ts'
import { DISTURBANCE_MAX, faultsOfMemory, faultsOfPace, growthOf, paceOf } from './judge.ts'

const INPUTS_DEFAULT = 100_000
const INPUTS_A_ROUND = 5_000
const QUIET_MS = 4_000
/** Rounds that have clients which never read, too. */
const DEAF_ROUNDS = 2
/** As many as leave the two processors some air: the bystander is to be disturbed by what inputs do, not by how many there are. */
const RATE_DEFAULT = 400

const { values } = parseArgs({
  options: {
    inputs: { type: 'string' },
    seed: { type: 'string' },
    rate: { type: 'string' },
    case: { type: 'string' },
  },
})

function whole(value: string | undefined, otherwise: number): number {
  const number = Number(value ?? otherwise)
  if (Number.isInteger(number) && number >= 1) return number
  console.error('test:hostile takes --inputs, --seed and --rate, whole numbers, or --case FILE')
  process.exit(2)
}

function show(result: AttackResult): void {
  const { tally, seconds, quietMs, attackMs, footprints } = result
  const counts = [...tally].toSorted(([, a], [, b]) => b - a).map(([what, count]) => `${what}: ${count}`)
  console.log(`answers: ${counts.join(', ')}`)
  const { quietP99Ms, attackP99Ms } = paceOf(quietMs, attackMs)
  console.log(`${result.inputs} inputs in ${Math.round(seconds)} s`)
  console.log(
    `bystander: ${result.redeemed} orders, exact; p99 ${quietP99Ms.toFixed(2)} ms quiet (${quietMs.length}), ` +
      `${attackP99Ms.toFixed(2)} ms under attack (${attackMs.length}), at most ${DISTURBANCE_MAX} times`,
  )
  const mebibytes = (bytes: number): string => (bytes / 1_048_576).toFixed(2)
  const memory = footprints.map(({ anonymousBytes, stateBytes }) => mebibytes(anonymousBytes - stateBytes))
  const every = Math.max(1, Math.floor(memory.length / 20))
  console.log(`memory less state, MiB: ${memory.filter((_at, i) => i % every === 0).join(' ')}`)
  console.log(`slope after warm-up: ${mebibytes(growthOf(footprints))} MiB a minute`)
}

async function faultsOfRun(): Promise<readonly string[]> {
  if (values.case !== undefined) return await attackWithCase(values.case)
  const inputs = whole(values.inputs, INPUTS_DEFAULT)
  const seed = whole(values.seed, (Date.now() % 1_000_000_007) + 1)
  console.log(`seed ${seed}, ${inputs} inputs`)
  const rounds = Math.max(4, Math.ceil(inputs / INPUTS_A_ROUND))
  const rate = whole(values.rate, RATE_DEFAULT)
  const report = (line: string): void => console.log(line)
  const result = await attack({
    inputs,
    seed,
    rounds,
    quietMs: QUIET_MS,
    rate,
    deafRounds: DEAF_ROUNDS,
    report,
  })
  show(result)
  const { quietMs, attackMs, footprints, faults } = result
  return [...faults, ...faultsOfPace(quietMs, attackMs), ...faultsOfMemory(footprints)]
}

const faults = await faultsOfRun()
for (const fault of faults) console.error(fault)
console.log(faults.length === 0 ? 'every input was answered as documented or closed' : `${faults.length} faults`)
process.exit(faults.length === 0 ? 0 : 1)
