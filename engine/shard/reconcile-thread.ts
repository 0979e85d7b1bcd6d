/**
 * The entry of the thread that reconciles: round after round, at the lowest priority there is, a tenth of the time at most.
 * It reads files and asks; it may die at any time.
 */
import { setTimeout as wait } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { readDeployment } from '../../persistence/deployment.ts'
import { assert } from '../../protocol/assert.ts'
import { becomeIdle } from '../idle-priority.ts'
import {
  RECONCILE_EVERY_MS,
  RECONCILE_FIRST_MS,
  RECONCILE_RETRY_MS,
  RECONCILE_SHARE,
  RECONCILE_WAIT_MS,
  RECONCILE_WORK_MS,
} from './reconcile-limits.ts'
import type { FromReconciler, ReconcileSettings, ToReconciler } from './reconcile-messages.ts'
import type { CountersAnswer, CountersQuestion } from './reconcile-questions.ts'
import { Reconciliation } from './reconcile-round.ts'

const port = parentPort
assert(port !== null, 'the thread that reconciles is started by the supervisor')

const asked = new Map<number, (answer: CountersAnswer) => void>()
let nextId = 1
let workedFromMs = performance.now()

function tell(message: FromReconciler): void {
  port?.postMessage(message)
}

function ask(shard: number, question: CountersQuestion): Promise<CountersAnswer> {
  const id = nextId++
  return new Promise((resolve) => {
    asked.set(id, resolve)
    tell({ type: 'ask', id, shard, question })
  })
}

async function rest(): Promise<void> {
  const workedMs = performance.now() - workedFromMs
  if (workedMs < RECONCILE_WORK_MS) return
  await wait(workedMs * (1 / RECONCILE_SHARE - 1))
  workedFromMs = performance.now()
}

async function pause(ms: number): Promise<void> {
  await wait(ms)
  workedFromMs = performance.now()
}

function begin({ dataDir }: ReconcileSettings): Reconciliation {
  return new Reconciliation({
    dataDir,
    deployment: readDeployment(dataDir),
    ask,
    rest,
    wait: () => pause(RECONCILE_WAIT_MS),
    nowMs: () => Date.now(),
    onDifference: (difference) => tell({ type: 'difference', difference }),
  })
}

async function run(settings: ReconcileSettings): Promise<void> {
  let reconciliation = begin(settings)
  await pause(RECONCILE_FIRST_MS)
  for (;;) {
    const fromMs = performance.now()
    try {
      const result = await reconciliation.round()
      tell({ type: 'round', result, elapsedMs: Math.round(performance.now() - fromMs) })
      await pause(RECONCILE_EVERY_MS)
    } catch (error) {
      tell({ type: 'failed', message: error instanceof Error ? error.message : String(error) })
      reconciliation.close()
      reconciliation = begin(settings)
      await pause(RECONCILE_RETRY_MS)
    }
  }
}

becomeIdle()
port.on('message', ({ id, answer }: ToReconciler) => {
  asked.get(id)?.(answer)
  asked.delete(id)
})
void run(workerData as ReconcileSettings)
