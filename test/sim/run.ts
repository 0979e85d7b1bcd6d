/** One run: the steps happen, everything settles, and the audit judges. */
import { auditRun } from './audit/audit-run.ts'
import { Callers } from './callers.ts'
import type { ClientStep, FaultStep, Scenario, Step } from './steps.ts'
import { type Plants, World } from './world.ts'

const FAULT_KINDS: ReadonlySet<string> = new Set([
  'crash',
  'failPoint',
  'clockJump',
  'slowFlushes',
  'diskFault',
  'nearlyFull',
  'flipBit',
  'snapshot',
  'partition',
])

/** Longer than any reservation lasts, and any retry. */
const SETTLE_MS = 20_000
const LAPSE_MS = 4_000_000

export interface RunResult {
  readonly digest: string
  /** What broke, as sentences; none: everything was kept. */
  readonly faults: readonly string[]
  readonly counts: Readonly<Record<string, number>>
  /** Commands sent. */
  readonly commands: number
  readonly events: number
}

function isFault(step: Step): step is FaultStep {
  return FAULT_KINDS.has(step.do)
}

export function run(scenario: Scenario, plants: Plants = {}): RunResult {
  const world = new World(scenario, plants)
  const callers = new Callers(world, scenario.seed)
  for (const step of scenario.steps) {
    world.schedule.after(step.atMs, () => {
      if (isFault(step)) world.fault(step)
      else callers.do(step satisfies ClientStep)
    })
  }
  const last = scenario.steps.at(-1)
  world.pass(last === undefined ? 0 : last.atMs)
  world.calm()
  world.pass(SETTLE_MS)
  world.pass(LAPSE_MS)
  callers.lookAtAll()
  world.pass(SETTLE_MS)
  const faults = [...world.faults]
  if (callers.open > 0) faults.push(`${callers.open} calls have never come to an end`)
  world.compareStates()
  const audited = auditRun({
    shards: scenario.shards,
    secret: world.deployment.secret,
    records: world.disk.records(),
    observed: callers.observed,
  })
  faults.push(...world.faults.slice(faults.length), ...audited.faults)
  return {
    digest: world.digest.hex(),
    faults,
    counts: world.counts,
    commands: callers.commands,
    events: audited.events,
  }
}
