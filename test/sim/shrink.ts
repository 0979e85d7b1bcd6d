/**
 * Makes a run that fails shorter, as long as it still fails in the same way: steps are left out in ever smaller portions
 * (Zeller, Hildebrandt: "Simplifying and isolating failure-inducing input", 2002). What is left is written to a file, played
 * again by `--steps`, and kept as a test.
 */
import { run, type RunResult } from './run.ts'
import type { Scenario, Step } from './steps.ts'

/** Runs at most; a run takes some ten milliseconds. */
const RUNS_MAX = 2_000

export interface Shrunk {
  readonly scenario: Scenario
  readonly runs: number
}

export function shrink(
  scenario: Scenario,
  faults: readonly string[],
  runOnce: (scenario: Scenario) => RunResult = run,
): Shrunk {
  const kinds = new Set(faults.map(kindOf))
  let runs = 0
  const fails = (steps: readonly Step[]): boolean => {
    runs++
    return runOnce({ ...scenario, steps }).faults.some((sentence) => kinds.has(kindOf(sentence)))
  }
  let steps = scenario.steps
  let portion = Math.ceil(steps.length / 2)
  while (portion >= 1 && runs < RUNS_MAX) {
    let isShorter = false
    for (let from = 0; from < steps.length && runs < RUNS_MAX; ) {
      const rest = [...steps.slice(0, from), ...steps.slice(from + portion)]
      if (fails(rest)) {
        steps = rest
        isShorter = true
      } else {
        from += portion
      }
    }
    if (portion === 1 && !isShorter) break
    portion = isShorter ? Math.min(portion, Math.ceil(steps.length / 2)) : Math.floor(portion / 2)
  }
  return { scenario: { ...scenario, steps }, runs }
}

/** A sentence without its numbers and names of codes: two of one kind tell of the same fault. */
function kindOf(sentence: string): string {
  return sentence.replaceAll(/SIM-\w+|order-\d+|\d+/g, '#')
}
