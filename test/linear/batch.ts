// Histories that go on at the same time on one server, which is killed and started again in the middle of all of them.
//
//     shoppers ── serving() ──▶ wires ──▶ calls …        kill: the gate shuts, SIGKILL, connections are closed, every call that
//                     ▲                                  was under way settles as lost, and only then the next server starts
//                     └── shut while there is no server
//
// So nothing that was sent to one process can reach the next, and what had no answer has taken effect by then or never does.

import { HttpCheckout, WsCheckout } from '../crash/checkout.ts'
import { Violation } from '../crash/ledger.ts'
import { couponBody } from '../crash/load.ts'
import { HttpClient } from '../support/http-client.ts'
import type { SeededRandom } from '../support/seeded-random.ts'
import { type ServerOptions, type ServerProcess, startServer } from '../support/server-process.ts'
import { connectCalls } from '../support/ws-calls.ts'
import type { Recorder, Ticks } from './recorder.ts'
import { Shoppers, type Wires, type World } from './shoppers.ts'
import { outcomeNames } from './wire.ts'

/** Of each history. */
const CLIENTS = 6
const SESSIONS = 8
/** A request never waits for a connection: what leaves late could reach another process. */
const CONNECTIONS_MAX = 4_096
const WORKERS_MAX = 2

export interface BatchOptions {
  readonly operations: number
  readonly kills: number
  readonly server: ServerOptions
}

export class Batch implements World {
  hasCalm = false
  readonly killedAt: number[] = []
  private readonly options: BatchOptions
  private readonly random: SeededRandom
  private readonly ticks: Ticks
  private readonly recorders: readonly Recorder[]
  private server: ServerProcess | null = null
  private wires: Wires | null = null
  private calls = 0
  private inFlight = 0
  private isOver = false
  private atGate: ((wires: Wires) => void)[] = []
  private nextKill: { readonly at: number; readonly reached: () => void } | null = null
  private whenQuiet: (() => void) | null = null

  constructor(options: BatchOptions, random: SeededRandom, ticks: Ticks, recorders: readonly Recorder[]) {
    this.options = options
    this.random = random
    this.ticks = ticks
    this.recorders = recorders
  }

  async run(): Promise<void> {
    try {
      await this.start()
      await this.createCoupons()
      const { operations } = this.options
      const shopping = this.recorders.map((recorder) => {
        return new Shoppers(recorder, this.random, this, operations).run(CLIENTS)
      })
      await Promise.all([...shopping, this.kill()])
      await this.quiet()
      await this.server?.stop()
    } finally {
      this.isOver = true
      disconnect(this.wires)
      if (this.server?.isRunning === true) await this.server.kill()
    }
  }

  async serving(): Promise<Wires> {
    if (this.wires === null) return await new Promise((resolve) => this.atGate.push(resolve))
    if (this.server?.isRunning !== true) throw new Violation(`the server ended by itself\n${this.server?.lastWords}`)
    return this.wires
  }

  began(): void {
    this.inFlight++
    this.calls++
    if (this.nextKill !== null && this.calls >= this.nextKill.at) this.nextKill.reached()
  }

  ended(): void {
    this.inFlight--
    if (this.inFlight === 0) this.whenQuiet?.()
  }

  /** At random shares of the work, which nobody finishes before the last of them. */
  private async kill(): Promise<void> {
    const { kills, operations } = this.options
    const work = operations * this.recorders.length
    const shares = Array.from({ length: kills }, () => Math.floor((work * (10 + this.random.below(75))) / 100))
    for (const at of shares.sort((a, b) => a - b)) {
      if (this.calls < at) {
        await new Promise<void>((reached) => {
          this.nextKill = { at, reached }
        })
      }
      this.nextKill = null
      if (this.isOver) return
      await this.killOnce()
    }
  }

  private async killOnce(): Promise<void> {
    const { server } = this
    if (server?.isRunning !== true) throw new Violation(`the server ended by itself\n${server?.lastWords}`)
    const dead = server.kill()
    const { wires } = this
    this.wires = null
    await dead
    disconnect(wires)
    await this.quiet()
    this.killedAt.push(this.ticks.next())
    for (const recorder of this.recorders) recorder.processDied()
    this.hasCalm = this.killedAt.length === this.options.kills
    await this.start()
  }

  /** No call is under way. */
  private async quiet(): Promise<void> {
    if (this.inFlight === 0) return
    await new Promise<void>((resolve) => {
      this.whenQuiet = resolve
    })
    this.whenQuiet = null
  }

  private async start(): Promise<void> {
    const { server: options } = this.options
    const settings = { WORKERS: String(1 + this.random.below(WORKERS_MAX)), ...options.settings }
    this.server = await startServer({ ...options, settings })
    const { port } = this.server
    const sessions = await Promise.all(
      Array.from({ length: SESSIONS }, async (_, i) => new WsCheckout(await connectCalls(port, `s${i}-`))),
    )
    const http = new HttpCheckout(new HttpClient(port, CONNECTIONS_MAX))
    const wires = { http, sessions, outcomeNames: await outcomeNames(sessions[0] as WsCheckout) }
    this.wires = wires
    for (const enter of this.atGate.splice(0)) enter(wires)
  }

  private async createCoupons(): Promise<void> {
    const { http } = await this.serving()
    for (const { rules } of this.recorders) {
      const answer = await http.createCoupon(couponBody(rules))
      if (answer.kind !== 'done') throw new Violation(`${rules.code} was not created: ${JSON.stringify(answer)}`)
    }
  }
}

function disconnect(wires: Wires | null): void {
  wires?.http.http.close()
  for (const { session } of wires?.sessions ?? []) session.close()
}
