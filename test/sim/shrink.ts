/**
 * Makes a run that fails shorter, as long as it still fails in the same way: steps are left out in ever smaller portions
 * (Zeller, Hildebrandt: "Simplifying and isolating failure-inducing input", 2002). What is left is written to a file, played
 * again by `--steps`, and kept as a test.
 */
import { run, type RunResult } from './run.ts'
import type { Scenario, Step } from './steps.ts'

/** Runs at most; a run takes some ten milliseconds. */
const RUNS_MAX = 2_000
const OTHER_SEEDS = 20

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
  const fails = (shorter: Scenario): boolean => {
    runs++
    return runOnce(shorter).faults.some((sentence) => kinds.has(kindOf(sentence)))
  }
  const canRun = (): boolean => runs < RUNS_MAX
  let shortest = withoutSteps(scenario, fails, canRun)
  // Where no step can go, other delays may do without it: the same steps under other seeds.
  for (let other = 1; other <= OTHER_SEEDS && shortest.steps.length > 1 && canRun(); other++) {
    const reseeded = { ...shortest, seed: scenario.seed + other }
    if (!fails(reseeded)) continue
    const shorter = withoutSteps(reseeded, fails, canRun)
    if (shorter.steps.length < shortest.steps.length) shortest = shorter
  }
  return { scenario: shortest, runs }
}

function withoutSteps(scenario: Scenario, fails: (shorter: Scenario) => boolean, canRun: () => boolean): Scenario {
  let { steps } = scenario
  let portion = Math.ceil(steps.length / 2)
  while (portion >= 1 && canRun()) {
    let isShorter = false
    for (let from = 0; from < steps.length && canRun(); ) {
      const rest: readonly Step[] = [...steps.slice(0, from), ...steps.slice(from + portion)]
      if (fails({ ...scenario, steps: rest })) {
        steps = rest
        isShorter = true
      } else {
        from += portion
      }
    }
    if (portion === 1 && !isShorter) break
    portion = isShorter ? Math.min(portion, Math.ceil(steps.length / 2)) : Math.floor(portion / 2)
  }
  return { ...scenario, steps }
}

/** A sentence without its numbers and names of codes: two of one kind tell of the same fault. */
function kindOf(sentence: string): string {
  return sentence.replaceAll(/SIM-\w+|order-\d+|\d+/g, '#')
}
