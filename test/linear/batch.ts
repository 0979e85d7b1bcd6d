// Histories that go on at the same time on one server, which is killed and started again in the middle of all of them.
//
//     shoppers ── serving() ──▶ wires ──▶ calls …        kill: the gate shuts, SIGKILL, connections are closed, every call that
//                     ▲                                  was under way settles as lost, and only then the next server starts
//                     └── shut while there is no server
//
// A process that ends by itself as it has to, because the disk does not answer, is one more crash. Any other end is a violation.
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
/** The last line of a server whose disk did not answer in time: promised, and no fault of what is judged here. */
const STORAGE_END = /FLUSH_FAILED/

export interface BatchOptions {
  readonly operations: number
  readonly kills: number
  readonly server: ServerOptions
}

export class Batch implements World {
  hasCalm = false
  /** When each process was dead. */
  readonly diedAt: number[] = []
  /** Of these, those that gave up by themselves, as they have to when the disk does not answer for two seconds. */
  storageEnds = 0
  private readonly options: BatchOptions
  private readonly random: SeededRandom
  private readonly ticks: Ticks
  private readonly recorders: readonly Recorder[]
  private server: ServerProcess | null = null
  private wires: Wires | null = null
  private isShut = true
  private isKilling = false
  private isLastKill = false
  private isOver = false
  private calls = 0
  private inFlight = 0
  private atGate: ((wires: Wires) => void)[] = []
  private nextKill: { readonly at: number; readonly reached: () => void } | null = null
  private whenQuiet: (() => void) | null = null
  private whenBack: (() => void) | null = null
  private fail: (cause: Error) => void = () => {}

  constructor(options: BatchOptions, random: SeededRandom, ticks: Ticks, recorders: readonly Recorder[]) {
    this.options = options
    this.random = random
    this.ticks = ticks
    this.recorders = recorders
  }

  async run(): Promise<void> {
    const failed = new Promise<never>((_, reject) => {
      this.fail = reject
    })
    try {
      await Promise.race([failed, this.shopping()])
    } finally {
      this.isOver = true
      disconnect(this.wires)
      if (this.server?.isRunning === true) await this.server.kill()
    }
  }

  async serving(): Promise<Wires> {
    if (this.isShut) return await new Promise((resolve) => this.atGate.push(resolve))
    return this.wires as Wires
  }

  async doubted(wires: Wires): Promise<void> {
    if (this.wires === wires && !this.isOver) await new Promise((resolve) => this.atGate.push(resolve))
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

  private async shopping(): Promise<void> {
    await this.start()
    await this.createCoupons()
    const { operations } = this.options
    const shoppers = this.recorders.map((recorder) => new Shoppers(recorder, this.random, this, operations))
    await Promise.all([...shoppers.map((each) => each.run(CLIENTS)), this.kill()])
    await this.quiet()
  }

  /** At random shares of the work, which nobody finishes before the last of them. */
  private async kill(): Promise<void> {
    const { kills, operations } = this.options
    const work = operations * this.recorders.length
    const shares = Array.from({ length: kills }, () => Math.floor((work * (10 + this.random.below(75))) / 100))
    for (const [done, at] of shares.sort((a, b) => a - b).entries()) {
      if (this.calls < at) {
        await new Promise<void>((reached) => {
          this.nextKill = { at, reached }
        })
      }
      this.nextKill = null
      if (this.isOver) return
      const isBack = new Promise<void>((resolve) => {
        this.whenBack = resolve
      })
      this.isShut = true
      this.isKilling = true
      this.isLastKill = done + 1 === kills
      await this.server?.kill()
      await isBack
    }
  }

  /** However the process ended: what it did not answer it will not do any more. */
  private async died(server: ServerProcess): Promise<void> {
    if (this.isOver) return
    if (!this.isKilling) {
      if (!STORAGE_END.test(server.lastErrorLine)) throw new Violation(`the server ended\n${server.lastWords}`)
      this.storageEnds++
    }
    this.isShut = true
    disconnect(this.wires)
    await this.quiet()
    this.diedAt.push(this.ticks.next())
    for (const recorder of this.recorders) recorder.processDied()
    this.isKilling = false
    this.hasCalm = this.isLastKill
    await this.start()
    this.whenBack?.()
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
    const server = await startServer({ ...options, settings })
    this.server = server
    server.ended.then(() => this.died(server)).catch((cause: unknown) => this.fail(cause as Error))
    const sessions = await Promise.all(
      Array.from({ length: SESSIONS }, async (_, i) => new WsCheckout(await connectCalls(server.port, `s${i}-`))),
    )
    const http = new HttpCheckout(new HttpClient(server.port, CONNECTIONS_MAX))
    const wires = { http, sessions, outcomeNames: await outcomeNames(sessions[0] as WsCheckout) }
    this.wires = wires
    this.isShut = false
    for (const enter of this.atGate.splice(0)) enter(wires)
  }

  private async createCoupons(): Promise<void> {
    for (const { rules } of this.recorders) {
      for (let isMade = false; !isMade; ) {
        const wires = await this.serving()
        const answer = await wires.http.createCoupon(couponBody(rules))
        if (answer.kind === 'doubt') await this.doubted(wires)
        else if (answer.kind === 'done' || answer.code === 'CODE_TAKEN') isMade = true
        else throw new Violation(`${rules.code} was not created: ${answer.code}, ${answer.detail}`)
      }
    }
  }
}

function disconnect(wires: Wires | null): void {
  wires?.http.http.close()
  for (const { session } of wires?.sessions ?? []) session.close()
}
