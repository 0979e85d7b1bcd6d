// A thread of a ThreadHost that does what the question says, and tells everything it is told.

import { parentPort, workerData } from 'node:worker_threads'
import { type GateData, ThreadGate } from '../../../engine/thread-gate.ts'
import type { FromThread, ToThread } from '../../../engine/thread-messages.ts'

const EXIT_CODE = 3
const WORK_MS = 100

const { gate: gateData, worked } = workerData as GateData & { readonly worked: SharedArrayBuffer }
const gate = new ThreadGate(gateData)

/** Counts when it begins and when it is through, and says that it works. */
function work(): void {
  const counts = new Int32Array(worked)
  Atomics.add(counts, 0, 1)
  say({ type: 'told', message: 'works' })
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, WORK_MS)
  Atomics.add(counts, 1, 1)
}

function say(message: FromThread<string, string>): void {
  parentPort?.postMessage(message)
}

parentPort?.on('message', (message: ToThread<string, string>) => {
  if (message.type === 'tell') say({ type: 'told', message: message.message })
  else if (message.type === 'stop') {
    say({ type: 'stopped' })
    parentPort?.close()
  } else if (message.question === 'die') process.exit(EXIT_CODE)
  else if (message.question === 'work') gate.inside(work)
  else if (message.question === 'refuse') say({ type: 'refused', id: message.id, reason: 'not yet' })
  else if (message.question === 'fail') say({ type: 'failed', id: message.id, message: 'a defect' })
  else if (message.question !== 'be silent') say({ type: 'answer', id: message.id, answer: `${message.question}!` })
})
