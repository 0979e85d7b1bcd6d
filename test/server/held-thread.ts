// Loaded into every thread of a server before anything else: while the file named by TEST_HOLD exists, its workers stand
// still between two turns, as a machine that swaps or a debugger would make them. The product knows nothing of it.

import { existsSync } from 'node:fs'
import { isMainThread } from 'node:worker_threads'

const LOOK_EVERY_MS = 5
const cell = new Int32Array(new SharedArrayBuffer(4))
const holdFile = process.env['TEST_HOLD'] ?? ''

function standStill(): void {
  while (existsSync(holdFile)) Atomics.wait(cell, 0, 0, LOOK_EVERY_MS)
}

if (!isMainThread) {
  standStill()
  setInterval(standStill, LOOK_EVERY_MS).unref()
}
