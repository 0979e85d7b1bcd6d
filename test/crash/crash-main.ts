// `npm run test:crash -- --kills 1000`: the proof by crashes at full length, all loads by turns; `--load claims` for one of them.
//
//     this process ──▶ a process for each stretch of a load ──▶ the server, killed again and again
//                                                     └───────▶ the judge, who reads the log
//
// At the end it says where and when servers were killed. A phase or a fail point that a long run has never come to is an error, as
// such a run has not shown what it is for. Exit code 1 at the first violation.

import { fork } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { FAIL_POINTS } from '../../engine/shard/fail-points.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { LOADS, type LoadName } from './crash-load.ts'
import { type DeathCounts, Deaths, OTHER_DISK_POINTS } from './deaths.ts'
import { KILLS_OF_HUNDRED } from './loads.ts'

const KILLS_DEFAULT = 200
/** With fewer a fail point may be missed by chance. */
const KILLS_OF_LONG_RUN = 500
/** A stretch begins with an empty directory, so that no start has more to replay than a few hundred lives wrote. */
const KILLS_OF_A_TURN = 100
const LOAD_MAIN = join(import.meta.dirname, 'load-main.js')
const OTHER_DISK = '/dev/shm'

interface Stretch {
  readonly load: LoadName
  readonly kills: number
  readonly seed: number
  readonly otherDisk: string | null
}

interface StretchCounts extends DeathCounts {
  readonly gracefulStops: number
  readonly judged: number
}

function usage(): never {
  console.error(`test:crash takes --kills and --seed, both whole numbers, and --load ${LOADS.join('|')}`)
  process.exit(2)
}

/** Where an archive lies on another disk than the data; null: this machine has none at hand. */
function otherDisk(): string | null {
  return existsSync(OTHER_DISK) && statSync(OTHER_DISK).dev !== statSync(tmpdir()).dev ? OTHER_DISK : null
}

function* stretches(kills: number, only: LoadName | null, random: SeededRandom): Generator<Stretch, void, void> {
  const disk = otherDisk()
  const turns = Math.ceil(kills / KILLS_OF_A_TURN)
  for (let turn = 0; turn < turns; turn++) {
    for (const [i, load] of LOADS.entries()) {
      if (only !== null && load !== only) continue
      const share = only === null ? KILLS_OF_HUNDRED[load] / 100 : 1
      const seed = random.below(1_000_000_007)
      yield {
        load,
        seed,
        kills: Math.max(1, Math.round((kills / turns) * share)),
        otherDisk: (turn + i) % 2 === 0 ? disk : null,
      }
    }
  }
}

/** Exits at a violation, whose words are out then. */
async function run({ load, kills, seed, otherDisk: archive }: Stretch): Promise<StretchCounts> {
  const args = ['--load', load, '--kills', String(kills), '--seed', String(seed)]
  if (archive !== null) args.push('--archive', archive)
  const child = fork(LOAD_MAIN, args)
  let counts: StretchCounts | null = null
  child.on('message', (message) => {
    counts = message as StretchCounts
  })
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  if (code !== 0 || counts === null) {
    console.error(`again: node dist/test/crash/load-main.js ${args.join(' ')}`)
    process.exit(1)
  }
  return counts
}

function table(title: string, counts: Readonly<Record<string, number>>): string {
  const rows = Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1))
  return [`${title}:`, ...rows.map(([name, count]) => `  ${name.padEnd(36)} ${String(count).padStart(5)}`)].join('\n')
}

const { values } = parseArgs({
  options: { kills: { type: 'string' }, seed: { type: 'string' }, load: { type: 'string' } },
})
const kills = Number(values.kills ?? KILLS_DEFAULT)
const seed = Number(values.seed ?? Date.now() % 1_000_000_007)
const only = LOADS.find((load) => load === values.load) ?? null
if (!Number.isInteger(kills) || kills < 1 || !Number.isInteger(seed)) usage()
if (values.load !== undefined && only === null) usage()
console.log(`seed ${seed}, ${kills} kills`)

const startedMs = performance.now()
const deaths = new Deaths()
let gracefulStops = 0
let judged = 0
for (const stretch of stretches(kills, only, new SeededRandom(seed))) {
  const counts = await run(stretch)
  deaths.merge(counts)
  gracefulStops += counts.gracefulStops
  judged += counts.judged
}
console.log(table('kills by phase', deaths.phases))
console.log(table('kills at fail points', deaths.points))
const seconds = Math.round((performance.now() - startedMs) / 1_000)
console.log(
  `nothing lost, nothing doubled, no limit exceeded, replay equal to live state: ` +
    `${deaths.kills} kills, ${gracefulStops} graceful stops, ${judged} logs judged in ${seconds} s`,
)
const isThere = otherDisk() !== null
if (!isThere) console.log(`no other disk at ${OTHER_DISK}: ${[...OTHER_DISK_POINTS].join(', ')} cannot be met here`)
const missed = deaths.neverReached(FAIL_POINTS.filter((point) => isThere || !OTHER_DISK_POINTS.has(point)))
if (only === null && missed.length > 0) {
  console.error(`never reached: ${missed.join(', ')}`)
  if (kills >= KILLS_OF_LONG_RUN) process.exitCode = 1
}
