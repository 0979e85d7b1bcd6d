// `npm run test:power -- --states 500`: power cuts at full length, and builds that flush too little, which have to be found.
// Exit code 1 at a violation or where a broken build passes, 3 where nothing can be recorded.

import { parseArgs } from 'node:util'
import { canTrace } from '../trace/traced-load.ts'
import { BROKEN_BUILDS, type BrokenBuild, statesToFind } from './broken-builds.ts'
import type { LoadSize } from './power-load.ts'
import { type Found, newCounts, type PowerCounts, provePower } from './power-proof.ts'
import { type Recording, recordLoad } from './recording.ts'

const STATES_DEFAULT = 500
const STATES_OF_A_RECORDING = 170
const STATES_TO_FIND_MAX = 120
const PARALLEL_DEFAULT = 2
const SIZE: LoadSize = { waves: 25, perWave: 8, importRows: 60, codes: 80, snapshotRuns: 3 }
const BROKEN_SIZE: LoadSize = { waves: 8, perWave: 4, importRows: 20, codes: 30, snapshotRuns: 3 }
const KINDS_SHOWN = 12

/** What a server is opened with; the number of workers may change at any start. */
const SETTINGS = [{ WORKERS: '1' }, { WORKERS: '2' }, { WORKERS: '1', SNAPSHOT_EVENTS: '150' }] as const

const { values } = parseArgs({
  options: {
    states: { type: 'string' },
    seed: { type: 'string' },
    /** States that are opened at once. */
    parallel: { type: 'string' },
    /** Records one small run and writes it to that file. */
    record: { type: 'string' },
    broken: { type: 'boolean', default: true },
  },
  allowNegative: true,
})
const states = Number(values.states ?? STATES_DEFAULT)
const parallel = Number(values.parallel ?? PARALLEL_DEFAULT)
const seed = Number(values.seed ?? Date.now() % 1_000_000_007)
if (![states, parallel, seed].every(Number.isInteger) || states < 1 || parallel < 1) {
  console.error('test:power takes --states, --parallel and --seed, whole numbers, --no-broken, and --record FILE')
  process.exit(2)
}
if (!canTrace()) {
  console.error('strace is not here or not permitted: install the Debian package strace (a container needs SYS_PTRACE)')
  process.exit(3)
}

if (values.record !== undefined) {
  const size = { waves: 5, perWave: 3, importRows: 12, codes: 20, snapshotRuns: 3 }
  const { lines } = await recordLoad({ size, settings: { WORKERS: '1', SHARDS: '4' }, keepIn: values.record })
  console.log(`recorded ${lines} lines`)
} else {
  process.exitCode = (await prove()) ? 0 : 1
}

async function prove(): Promise<boolean> {
  const startedMs = performance.now()
  console.log(`seed ${seed}, ${states} states`)
  const counts = newCounts()
  for (let number = 0; counts.states < states; number++) {
    const workers = String(1 + (number % 2))
    const recording = await recordLoad({ size: SIZE, settings: { WORKERS: workers } })
    tellRecording(recording, workers)
    const wanted = Math.min(STATES_OF_A_RECORDING, states - counts.states)
    const found = await provePower(recording, { ...options(wanted, seed + number * 1_000_003), keeps: true }, counts)
    if (found !== null) {
      tell(found)
      return false
    }
  }
  report(counts)
  const seconds = Math.round((performance.now() - startedMs) / 1_000)
  console.log(`every state opened to a whole prefix of commits with all that was told, none was refused: ${seconds} s`)
  return !values.broken || (await proveBroken())
}

function options(wanted: number, from: number) {
  const report = (line: string): void => console.log(line)
  return { states: wanted, seed: from, parallel, settings: SETTINGS, report, startEvery: 8, startStates: 4 }
}

async function proveBroken(): Promise<boolean> {
  let allFound = true
  for (const name of Object.keys(BROKEN_BUILDS) as BrokenBuild[]) {
    const { found, states: needed } = await statesToFind(name, {
      size: BROKEN_SIZE,
      settings: SETTINGS,
      states: STATES_TO_FIND_MAX,
      seed,
    })
    allFound &&= found !== null
    console.log(
      found === null
        ? `FAIL a build ${name}: not found in ${needed} states`
        : `ok   a build ${name}: found with state ${needed}: ${found.sentence.split('\n')[0]}`,
    )
  }
  return allFound
}

function tellRecording({ lines, disk, replies, final }: Recording, workers: string): void {
  const commits = [...final.lanes.values()].reduce((sum, lane) => sum + lane.length, 0)
  console.log(
    `recorded with ${workers} workers: ${lines} calls, ${disk.moments.length} changes and flushes, ${replies.length} answers, ${commits} commits`,
  )
}

function tell({ sentence, seed: ofState, cut, moment, evidence }: Found): void {
  console.log(`VIOLATION behind ${moment}: ${sentence}`)
  console.log(`seed of the state ${ofState}, cut ${JSON.stringify(cut)}, kept in ${evidence ?? 'no place'}`)
}

function report(counts: PowerCounts): void {
  const { moments } = counts
  const kinds = [...moments].sort(([, a], [, b]) => b - a)
  console.log(
    `${counts.states} states (${counts.inStart} of a start that was cut off), ${counts.withChoices} with something that was not flushed; ` +
      `${counts.possible} sectors, sizes and names were open, ${counts.dropped} of them dropped; ` +
      `${counts.answers} answers held against ${counts.commits} commits`,
  )
  const shown = kinds.slice(0, KINDS_SHOWN).map(([kind, count]) => `${kind} ${count}`)
  console.log(`cut at ${moments.size} kinds of moments, most often: ${shown.join(', ')}`)
}
