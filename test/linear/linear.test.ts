// Linearizability in small: histories of a server that is killed in the middle of all of them. At full length it is
// `npm run test:linear -- --histories 1000`. And the checker has to find what is wrong with servers that are.

import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { Violation } from '../crash/ledger.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { removeDirectory } from '../support/temporary-directory.ts'
import { makeEarlyBuild } from '../trace/early-builds.ts'
import { judgeHistory } from './checker.ts'
import { historyOfText } from './history-file.ts'
import { type ProofOptions, proveByHistories } from './proof.ts'
import { STALE_READS } from './stale-reads.ts'

const LIMIT_MS = 120_000
const SMALL = { histories: 10, operations: 200 }

function optionsOfRun(): ProofOptions {
  const { seed } = new SeededRandom()
  console.log(`seed ${seed}`)
  return { ...SMALL, seed, report: (line) => console.log(line) }
}

/** The evidence of a Violation is removed after the test. */
const evidence: string[] = []
afterEach(() => {
  for (const directory of evidence.splice(0)) rmSync(directory, { recursive: true, force: true })
})

async function violationOf(options: ProofOptions): Promise<Violation> {
  try {
    await proveByHistories(options)
  } catch (error) {
    if (!(error instanceof Violation)) throw error
    if (error.evidence !== null) evidence.push(error.evidence)
    return error
  }
  throw new Error('nothing was found')
}

describe('histories of a server', () => {
  it('are linearizable, with SIGKILL and restart inside each', { timeout: LIMIT_MS }, async () => {
    const counts = await proveByHistories(optionsOfRun())
    expect(counts.histories).toBe(SMALL.histories)
    expect(counts.operations).toBeGreaterThanOrEqual(SMALL.histories * SMALL.operations)
    expect(counts.killsInsideMin).toBeGreaterThanOrEqual(1)
    // There was something to judge: answers of every kind, and calls that were under way when the process was killed.
    for (const some of ['reads', 'replays', 'refusals', 'open'] as const) expect(counts[some]).toBeGreaterThan(0)
  })

  it('are not where a read tells what an earlier one saw', { timeout: LIMIT_MS }, async () => {
    const build = makeEarlyBuild(STALE_READS)
    try {
      const { message, evidence: directory } = await violationOf({ ...optionsOfRun(), entry: build.entry })
      expect(message).toContain('is not linearizable')
      expect(message).toMatch(/does not fit: .* read the coupon → \d+ used/)
      const [kept] = readdirSync(directory as string).filter(
        (name) => name.endsWith('.json') && name.startsWith('LINEAR'),
      )
      const history = historyOfText(readFileSync(join(directory as string, kept as string), 'utf8'))
      expect(judgeHistory(history).isLinearizable).toBe(false)
    } finally {
      removeDirectory(build.directory)
    }
  })

  it('are not where answers leave before the flush', { timeout: LIMIT_MS }, async () => {
    const options = { ...optionsOfRun(), histories: SMALL.histories * 10, settings: { DURABILITY: 'relaxed' } }
    expect((await violationOf(options)).message).toContain('is not linearizable')
  })
})
