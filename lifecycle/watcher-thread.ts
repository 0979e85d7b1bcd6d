/**
 * The entry of the watcher's thread: follows the log at the lowest priority there is, and answers pages at once.
 *
 * It may die at any time: the database is whole, and no call waits for it. What it must never do is run beside another one.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { CATCH_UP_SHARE, POLL_EVERY_MS } from './limits.ts'
import type { FromWatcher, ToWatcher, WatcherSettings } from './messages.ts'
import { Watcher } from './watcher.ts'
import { becomeIdle } from '../engine/idle-priority.ts'
import { type GateData, ThreadGate } from '../engine/thread-gate.ts'
import type { FeedQuery } from '../gateway/events/event-feed.ts'
import { assert } from '../protocol/assert.ts'

const port = parentPort
assert(port !== null, 'this thread is started by the host of the watcher')

function tell(message: FromWatcher): void {
  port?.postMessage(message)
}

becomeIdle()

const { dataDir, gate: gateData } = workerData as WatcherSettings & GateData
const gate = new ThreadGate(gateData)
const watcher = gate.inside(() => new Watcher(dataDir, (found) => tell({ type: 'told', message: found })))
let timer = setTimeout(() => gate.inside(turn), 0)

function turn(): void {
  const beganMs = performance.now()
  const isAtEnd = watcher.step()
  const restMs = isAtEnd ? POLL_EVERY_MS : (performance.now() - beganMs) * (1 / CATCH_UP_SHARE - 1)
  timer = setTimeout(() => gate.inside(turn), Math.ceil(restMs))
}

function answer(id: number, query: FeedQuery): void {
  try {
    tell({ type: 'answer', id, answer: watcher.page(query) })
  } catch (error) {
    tell({ type: 'failed', id, message: error instanceof Error ? (error.stack ?? error.message) : String(error) })
  }
}

function hear(message: ToWatcher): void {
  switch (message.type) {
    case 'ask':
      answer(message.id, message.question)
      return
    case 'tell': {
      const { event, atMs, membersJson } = message.message
      watcher.tell(event, atMs, membersJson)
      return
    }
    case 'stop':
      clearTimeout(timer)
      watcher.close()
      tell({ type: 'stopped' })
      port?.close()
  }
}

port.on('message', (message: ToWatcher) => gate.inside(() => hear(message)))
