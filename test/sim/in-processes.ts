/** Seeds over processes side by side: a run is one thread's, and every seed stands alone. */
import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import { PROJECT_ROOT } from '../support/project.ts'
import type { SeedRange, SeedRuns } from './seed-runs.ts'

const WORKER = join(PROJECT_ROOT, 'dist/test/sim/seeds-main.js')
/** A run leaves some 25 MB of garbage: with room for a few runs hardly anything of it is ever copied. */
const NODE_FLAGS = ['--max-semi-space-size=128', '--min-semi-space-size=128']
const SEEDS_AT_ONCE = 50

/** `take` gets what came of each part, in any order; false: that is enough. Throws when a process ends by itself. */
export async function inProcesses(all: SeedRange, jobs: number, take: (runs: SeedRuns) => boolean): Promise<void> {
  const end = all.from + all.seeds
  let next = all.from
  let isEnough = false
  const takeRange = (): SeedRange | null => {
    if (isEnough || next >= end) return null
    const range = { ...all, from: next, seeds: Math.min(SEEDS_AT_ONCE, end - next) }
    next += range.seeds
    return range
  }
  const worker = async (): Promise<void> => {
    const child = fork(WORKER, [], { execArgv: NODE_FLAGS })
    const ended = new Promise<never>((_, reject) => {
      child.once('exit', (code, signal) => reject(new Error(`a process of the simulator ended (${signal ?? code})`)))
    })
    try {
      for (let range = takeRange(); range !== null; range = takeRange()) {
        if (!take(await Promise.race([answerTo(child, range), ended]))) isEnough = true
      }
    } finally {
      ended.catch(() => {})
      child.kill()
    }
  }
  await Promise.all(Array.from({ length: jobs }, worker))
}

function answerTo(child: ChildProcess, range: SeedRange): Promise<SeedRuns> {
  return new Promise((resolve) => {
    child.once('message', (runs) => resolve(runs as SeedRuns))
    child.send(range)
  })
}
