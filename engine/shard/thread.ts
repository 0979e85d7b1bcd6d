/**
 * The entry of a worker thread: rebuilds its shards from the log, opens its journal, and serves its rings until told to stop.
 *
 * Whatever goes wrong here ends the process, through the main thread: a worker that died may have left memory ahead of disk.
 */
import { constants, setPriority } from 'node:os'
import { setTimeout as wait } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { readDeployment } from '../../persistence/deployment.ts'
import { type Journal, type JournalOptions, openJournal } from '../../persistence/journal.ts'
import { assert } from '../../protocol/assert.ts'
import { SteadyClock, type TimeSource } from '../clock.ts'
import type { ShardState } from '../domain/state.ts'
import { type JoinedShard, openReplica } from '../replica/open-replica.ts'
import { RingConsumer, RingProducer } from '../transport/byte-ring.ts'
import { ShardActor } from './actor.ts'
import { Lane } from './lane.ts'
import { CLOCK_BEHIND_MAX_MS, ORDER_MEMORY_EVERY_MS, SWEEP_EVERY_MS, TELL_GROWTH_EVERY_MS } from './limits.ts'
import type { FromWorker, ToWorker, WorkerSettings } from './messages.ts'
import { answerCounters } from './reconcile-questions.ts'
import { recoverShards } from './recover.ts'

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
  const { states, log, snapshotEvents, snapshotAtMs } = recoverShards(dataDir, deployment, settings.shards, {
    onProgress: ({ events, bytes, bytesTotal }) => tell({ type: 'progress', events, bytes, bytesTotal }),
    warn: (sentence) => tell({ type: 'warned', sentence }),
  })
  const journal = await openLog({ dataDir, deployment, lane: laneNumber, recovered: log }, settings, states)
  const lastLoggedMs = Math.max(0, ...[...states.values()].map((state) => state.timeMs))
  await waitForClock(lastLoggedMs)
  const requests = new RingConsumer(settings.requests)
  const lane = new Lane({
    actors: (post) => new Map([...states].map(([shard, state]) => [shard, new ShardActor(state, journal, post)])),
    journal,
    clock: new SteadyClock(systemTime, lastLoggedMs),
    requests,
    replies: new RingProducer(settings.replies),
    relaxed: settings.durability === 'relaxed',
    splitsRecords: settings.replica !== null,
    orderWindowMs: settings.orderWindowMs,
    orderEntriesMax: settings.orderEntriesMax,
    onFailed: (error) => fail(error, true),
    onClockDiffered: (gapMs) => tell({ type: 'clockDiffered', gapMs }),
  })
  listen(lane, requests, journal, [...states.values()])
  const elapsedMs = performance.now() - startedMs
  tell({ type: 'ready', events: log.events, snapshotEvents, snapshotAtMs, elapsedMs })
}

/** The journal of the lane; with durability `replicated` behind the streams of its shards, which the states are brought up to. */
async function openLog(
  options: JournalOptions,
  { replica }: WorkerSettings,
  states: ReadonlyMap<number, ShardState>,
): Promise<Journal> {
  if (replica === null) return openJournal(options)
  const onJoined = ({ shard, adopted, confirmed }: JoinedShard): void => {
    if (adopted + confirmed === 0) return
    tell({
      type: 'warned',
      sentence: `shard ${shard}: ${adopted} events came from its stream and ${confirmed} went there before the start`,
    })
  }
  return await openReplica(options, replica, states, onJoined)
}

function listen(lane: Lane, requests: RingConsumer, journal: Journal, states: readonly ShardState[]): void {
  let stopServing = (): void => {}
  const byShard = new Map(states.map((state) => [state.shard, state]))
  port?.on('message', (message: ToWorker) => {
    const { type } = message
    if (type === 'serve') {
      stopServing = serve(lane, requests, states)
    } else if (type === 'roll') {
      void journal.roll().then(() => tell({ type: 'rolled' }))
    } else if (type === 'count') {
      const state = byShard.get(message.shard)
      if (state === undefined) return
      tell({ type: 'counters', id: message.id, answer: answerCounters(state, message.question) })
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
function serve(lane: Lane, requests: RingConsumer, states: readonly ShardState[]): () => void {
  yieldToGateway()
  const turn = (): void => {
    guarded(() => lane.turn())
    lane.whenListening(() => requests.whenReadable(turn))
  }
  requests.whenReadable(turn)
  const sweeper = setInterval(() => guarded(() => lane.sweep()), SWEEP_EVERY_MS)
  const bounder = setInterval(() => lane.boundOrderMemory(), ORDER_MEMORY_EVERY_MS)
  const teller = setInterval(() => tellGrowth(states), TELL_GROWTH_EVERY_MS)
  tellGrowth(states)
  return () => {
    clearInterval(teller)
    clearInterval(sweeper)
    clearInterval(bounder)
  }
}

/** Snapshots are due by the number of events, and by time: told also when nothing has grown. */
function tellGrowth(states: readonly ShardState[]): void {
  let events = 0
  for (const { seq } of states) events += seq
  tell({ type: 'grown', events })
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
