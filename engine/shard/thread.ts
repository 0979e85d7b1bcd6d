/**
 * The entry of a worker thread: rebuilds its shards from the log, opens its journal, and serves its rings until told to stop.
 *
 * Whatever goes wrong here ends the process, through the main thread: a worker that died may have left memory ahead of disk.
 */
import { constants, setPriority } from 'node:os'
import { setTimeout as wait } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { readDeployment } from '../../persistence/deployment.ts'
import { type Journal, openJournal } from '../../persistence/journal.ts'
import { replayLog } from '../../persistence/recovery.ts'
import { assert } from '../../protocol/assert.ts'
import { SteadyClock, type TimeSource } from '../clock.ts'
import { KeyHash } from '../domain/key-hash.ts'
import { ShardState } from '../domain/state.ts'
import { RingConsumer, RingProducer } from '../transport/byte-ring.ts'
import { ShardActor } from './actor.ts'
import { Lane } from './lane.ts'
import { CLOCK_BEHIND_MAX_MS, ORDER_MEMORY_EVERY_MS, SWEEP_EVERY_MS } from './limits.ts'
import type { FromWorker, ToWorker, WorkerSettings } from './messages.ts'
import { growAhead, replayEntry } from './replay.ts'
import { stateTables } from './state-tables.ts'

const systemTime: TimeSource = { wallMs: () => Date.now(), monotonicMs: () => performance.now() }

const port = parentPort
assert(port !== null, 'a shard thread is started by the supervisor')

function tell(message: FromWorker): void {
  port?.postMessage(message)
}

async function run(settings: WorkerSettings): Promise<void> {
  const startedMs = performance.now()
  const { dataDir, lane: laneNumber } = settings
  const deployment = readDeployment(dataDir)
  const states = new Map<number, ShardState>()
  for (const shard of settings.shards) {
    states.set(shard, new ShardState(shard, stateTables(deployment.secret), new KeyHash(deployment.secret)))
  }
  const recovered = replayLog(
    dataDir,
    deployment,
    new Set(settings.shards),
    (entry) => replayEntry(states.get(entry.shard) as ShardState, entry),
    ({ events, bytes, bytesTotal }) => {
      tell({ type: 'progress', events, bytes, bytesTotal })
      for (const state of states.values()) growAhead(state, Math.min(1, bytes / bytesTotal))
    },
  )
  const journal = openJournal({ dataDir, deployment, lane: laneNumber, recovered })
  const lastLoggedMs = Math.max(0, ...[...states.values()].map((state) => state.timeMs))
  await waitForClock(lastLoggedMs)
  const actors = new Map<number, ShardActor>()
  for (const [shard, state] of states) actors.set(shard, new ShardActor(state, journal))
  const requests = new RingConsumer(settings.requests)
  const lane = new Lane({
    actors,
    journal,
    clock: new SteadyClock(systemTime, lastLoggedMs),
    requests,
    replies: new RingProducer(settings.replies),
    relaxed: settings.durability === 'relaxed',
    orderWindowMs: settings.orderWindowMs,
    orderEntriesMax: settings.orderEntriesMax,
    onFailed: (error) => fail(error, true),
    onClockDiffered: (gapMs) => tell({ type: 'clockDiffered', gapMs }),
  })
  listen(lane, requests, journal)
  tell({ type: 'ready', events: recovered.events, elapsedMs: performance.now() - startedMs })
}

function listen(lane: Lane, requests: RingConsumer, journal: Journal): void {
  let stopServing = (): void => {}
  port?.on('message', ({ type }: ToWorker) => {
    if (type === 'serve') {
      stopServing = serve(lane, requests)
    } else {
      stopServing()
      void stop(lane, journal)
    }
  })
}

/**
 * A worker that wakes up must not push the gateway off its core: the gateway has the answers that clients wait for, and
 * a preempted gateway feeds nobody (docs/adr/0010). On Linux priorities belong to threads; elsewhere to the whole
 * process, which is not what is wanted.
 */
function yieldToGateway(): void {
  if (process.platform === 'linux') setPriority(0, constants.priority.PRIORITY_BELOW_NORMAL)
}

/** Returns what ends the timers. */
function serve(lane: Lane, requests: RingConsumer): () => void {
  yieldToGateway()
  const turn = (): void => {
    guarded(() => lane.turn())
    lane.whenListening(() => requests.whenReadable(turn))
  }
  requests.whenReadable(turn)
  const sweeper = setInterval(() => guarded(() => lane.sweep()), SWEEP_EVERY_MS)
  const bounder = setInterval(() => lane.boundOrderMemory(), ORDER_MEMORY_EVERY_MS)
  return () => {
    clearInterval(sweeper)
    clearInterval(bounder)
  }
}

async function stop(lane: Lane, journal: Journal): Promise<void> {
  await lane.drained()
  await journal.close()
  tell({ type: 'stopped' })
}

async function waitForClock(lastLoggedMs: number): Promise<void> {
  const behindMs = lastLoggedMs - Date.now()
  if (behindMs <= 0) return
  if (behindMs >= CLOCK_BEHIND_MAX_MS) {
    throw new Error(
      `the clock of this machine is ${Math.round(behindMs / 1000)} s behind the last logged time; set the clock, then start again`,
    )
  }
  await wait(behindMs)
}

function guarded(step: () => void): void {
  try {
    step()
  } catch (error) {
    fail(error, false)
  }
}

function fail(error: unknown, storage: boolean): void {
  const { message, code } =
    error instanceof Error ? (error as Error & { code?: string }) : { message: String(error), code: undefined }
  tell({ type: 'failed', storage, code: code ?? 'FAILED', message })
}

run(workerData as WorkerSettings).catch((error: unknown) => fail(error, false))
