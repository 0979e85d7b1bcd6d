/**
 * The entry of the thread that makes snapshots. It has the lowest priority there is, reads files only, and writes in small
 * steps, so that checkouts do not notice it: what it does may take a minute.
 */
import { fdatasyncSync } from 'node:fs'
import { constants, setPriority } from 'node:os'
import { parentPort, workerData } from 'node:worker_threads'
import { readDeployment } from '../../persistence/deployment.ts'
import { assert } from '../../protocol/assert.ts'
import { failPoint } from './fail-points.ts'
import { makeSnapshots, type SnapshotsMade } from './snapshot-maker.ts'

/** A flush of so much at once holds up the journal's own only shortly … */
const FLUSH_BYTES = 2 * 1024 * 1024
/** … and no more than this goes to the disk. */
const BYTES_PER_SECOND_MAX = 64 * 1024 * 1024
/** On one core with the gateway, a nap lets it catch up. */
const WORK_MS_MAX = 20
const NAP_MS = 2

export interface SnapshotThreadSettings {
  readonly dataDir: string
}

export type ToSnapshotThread = { readonly type: 'make' }

export type FromSnapshotThread =
  | { readonly type: 'made'; readonly made: SnapshotsMade; readonly elapsedMs: number }
  | { readonly type: 'warned'; readonly sentence: string }
  | { readonly type: 'failed'; readonly code: string; readonly message: string }

const port = parentPort
assert(port !== null, 'the snapshot thread is started by the supervisor')

const sleeping = new Int32Array(new SharedArrayBuffer(4))
let unflushedBytes = 0
let workedFromMs = performance.now()

function tell(message: FromSnapshotThread): void {
  port?.postMessage(message)
}

function nap(ms: number): void {
  Atomics.wait(sleeping, 0, 0, ms)
  workedFromMs = performance.now()
}

function rest(fd: number | null, bytes: number): void {
  unflushedBytes += bytes
  if (fd !== null && unflushedBytes >= FLUSH_BYTES) {
    const fromMs = performance.now()
    fdatasyncSync(fd)
    const dueMs = (unflushedBytes / BYTES_PER_SECOND_MAX) * 1000 - (performance.now() - fromMs)
    unflushedBytes = 0
    if (dueMs >= 1) nap(dueMs)
  }
  if (performance.now() - workedFromMs > WORK_MS_MAX) nap(NAP_MS)
}

function make({ dataDir }: SnapshotThreadSettings): void {
  const fromMs = performance.now()
  unflushedBytes = 0
  workedFromMs = fromMs
  try {
    const made = makeSnapshots({
      dataDir,
      deployment: readDeployment(dataDir),
      nowMs: () => Date.now(),
      rest,
      warn: (sentence) => tell({ type: 'warned', sentence }),
      onStep: failPoint,
    })
    tell({ type: 'made', made, elapsedMs: Math.round(performance.now() - fromMs) })
  } catch (error) {
    const { message, code } = error instanceof Error ? (error as Error & { code?: string }) : { message: String(error) }
    tell({ type: 'failed', code: code ?? 'FAILED', message })
  }
}

if (process.platform === 'linux') setPriority(0, constants.priority.PRIORITY_LOW)
port.on('message', (_message: ToSnapshotThread) => make(workerData as SnapshotThreadSettings))
