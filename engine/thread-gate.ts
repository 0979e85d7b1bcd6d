/**
 * A gate between a thread's work and the end of its process.
 *
 *     thread   OPEN ──▶ BUSY ──▶ OPEN ──▶ BUSY ──▶ …        main   waits while BUSY ──▶ CLOSED ──▶ process.exit
 *
 * `process.exit` ends threads wherever they are, and one that is ended within a call of its database takes the process with it,
 * by SIGABRT instead of the exit code. Behind a closed gate nothing is begun any more.
 */
const OPEN = 0
const BUSY = 1
const CLOSED = 2

/** What a thread of `ThreadHost` finds in its `workerData`, beside its own settings. */
export interface GateData {
  readonly gate: SharedArrayBuffer
}

export function gateMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)
}

export class ThreadGate {
  private readonly state: Int32Array

  constructor(memory: SharedArrayBuffer) {
    this.state = new Int32Array(memory)
  }

  /** The thread's side: runs a piece of work, not nested. Behind a closed gate it stays here until the process ends. */
  inside<Result>(work: () => Result): Result {
    const { state } = this
    if (Atomics.compareExchange(state, 0, OPEN, BUSY) !== OPEN) Atomics.wait(state, 0, CLOSED)
    try {
      return work()
    } finally {
      Atomics.store(state, 0, OPEN)
      Atomics.notify(state, 0)
    }
  }

  /** The main thread's side, at its end: blocks until the thread is outside, at most so long. False: it still works. */
  close(waitMs: number): boolean {
    const { state } = this
    const untilMs = performance.now() + waitMs
    for (;;) {
      if (Atomics.compareExchange(state, 0, OPEN, CLOSED) !== BUSY) return true
      if (Atomics.wait(state, 0, BUSY, Math.max(0, untilMs - performance.now())) === 'timed-out') return false
    }
  }
}
