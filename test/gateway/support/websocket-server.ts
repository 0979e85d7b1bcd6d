// A real server on a free port with WebSocket sessions, in front of shards that answer from a script. Outcomes go through
// the real codec and settle in batches on a later turn, as those of a transport do.

import { randomBytes } from 'node:crypto'
import { App, us_listen_socket_close, us_socket_local_port, type us_listen_socket } from 'uWebSockets.js'
import type { Authenticator } from '../../../gateway/access/authenticate.ts'
import { CheckoutGuard } from '../../../gateway/guard/checkout-guard.ts'
import { Guessing } from '../../../gateway/guard/guessing.ts'
import type { RateLimits } from '../../../gateway/guard/rate-limits.ts'
import { UniformHold } from '../../../gateway/guard/uniform-refusals.ts'
import { attachWebSocket, type WebSockets } from '../../../gateway/websocket/websocket.ts'
import { Router } from '../../../engine/routing.ts'
import { type ReplyHandler, SETTLED, type Settled, type ShardTransport } from '../../../engine/transport/port.ts'
import { ByteReader, ByteWriter } from '../../../protocol/bytes.ts'
import { readCommand } from '../../../protocol/command-codec.ts'
import type { Command } from '../../../protocol/commands.ts'
import { writeOutcome, writePosition } from '../../../protocol/outcome-codec.ts'
import type { Outcome } from '../../../protocol/outcomes.ts'

const SHARDS = 16
const POSITION = { seq: 41, timeMs: 1_700_000_000_000 } as const

/** An outcome, a way to end without one, or 'hold': the test settles it later. */
export type Scripted = Outcome | { readonly settled: Settled } | 'hold'

interface Pending {
  readonly shard: number
  readonly handler: ReplyHandler
  readonly scripted: Scripted
}

export class ScriptedShards implements ShardTransport {
  readonly shards = SHARDS
  inFlight = 0
  readonly commands: { readonly shard: number; readonly command: Command }[] = []
  script: (command: Command) => Scripted
  private readonly held: Pending[] = []
  private due: Pending[] = []

  constructor(script: (command: Command) => Scripted) {
    this.script = script
  }

  call(shard: number, bytes: Uint8Array, length: number, handler: ReplyHandler): void {
    const command = readCommand(new ByteReader(bytes.slice(0, length)))
    this.commands.push({ shard, command })
    this.inFlight += 1
    const scripted = this.script(command)
    if (scripted === 'hold') {
      this.held.push({ shard, handler, scripted })
      return
    }
    if (this.due.length === 0) setImmediate(() => this.settleDue())
    this.due.push({ shard, handler, scripted })
  }

  /** Commands of one type, in the order sent. */
  sent<Type extends Command['type']>(type: Type): Extract<Command, { type: Type }>[] {
    const found: Command[] = this.commands.map((sent) => sent.command).filter((command) => command.type === type)
    return found as Extract<Command, { type: Type }>[]
  }

  /** Settles what was held, in one batch. */
  release(scripted: Scripted): void {
    for (const { shard, handler } of this.held.splice(0)) this.settle({ shard, handler, scripted })
  }

  get holding(): number {
    return this.held.length
  }

  private settleDue(): void {
    const due = this.due
    this.due = []
    for (const pending of due) this.settle(pending)
  }

  private settle({ shard, handler, scripted }: Pending): void {
    this.inFlight -= 1
    if (scripted === 'hold') throw new Error('held answers are released by the test')
    if ('settled' in scripted) {
      handler.settled(scripted.settled, new ByteReader())
      return
    }
    const w = new ByteWriter()
    writePosition(w, { shard, ...POSITION })
    writeOutcome(w, scripted)
    handler.settled(SETTLED.ANSWERED, new ByteReader(w.buf, 0, w.pos))
  }
}

/** Ticks by hand. */
export class HandClock {
  nowMs = 1_000
  private readonly ticks = new Set<{ readonly intervalMs: number; readonly tick: () => void }>()

  readonly every = (intervalMs: number, tick: () => void): (() => void) => {
    const entry = { intervalMs, tick }
    this.ticks.add(entry)
    return () => this.ticks.delete(entry)
  }

  /** Lets the interval of the running timer pass, or the rest of it, and ticks. */
  tick(passedMs?: number): void {
    for (const { intervalMs, tick } of this.ticks) {
      this.nowMs += passedMs ?? intervalMs
      tick()
    }
  }

  get running(): number {
    return this.ticks.size
  }
}

export interface WebSocketServer {
  readonly port: number
  readonly shards: ScriptedShards
  readonly router: Router
  readonly clock: HandClock
  readonly sockets: WebSockets
  /** Why connections were dropped, in order. */
  readonly dropped: string[]
  readonly failures: unknown[]
  open: boolean
  stop(): void
}

export async function startWebSocketServer(
  script: (command: Command) => Scripted,
  authenticator: Authenticator | null = null,
  limits: RateLimits | null = null,
  isUniform = false,
): Promise<WebSocketServer> {
  const shards = new ScriptedShards(script)
  const router = new Router(SHARDS, new Uint8Array(32).fill(7))
  const clock = new HandClock()
  const dropped: string[] = []
  const failures: unknown[] = []
  const app = App()
  const state = { open: true }
  const sockets = attachWebSocket(
    app,
    {
      ports: {
        transport: shards,
        router,
        writer: new ByteWriter(),
        random: randomBytes,
        failed: (error) => failures.push(error),
      },
      authenticator,
      guard: new CheckoutGuard({
        limits,
        guessing: new Guessing(
          () => clock.nowMs,
          () => {},
        ),
        uniform: isUniform ? new UniformHold(() => clock.nowMs, clock.every) : null,
        random: randomBytes,
        nowMs: () => clock.nowMs,
      }),
      isOpen: () => state.open,
    },
    { monotonicMs: () => clock.nowMs, every: clock.every, dropped: (why) => dropped.push(why) },
  )
  const socket = await new Promise<us_listen_socket>((resolve, reject) => {
    app.listen('127.0.0.1', 0, (found) => {
      if (found === false) reject(new Error('no free port'))
      else resolve(found)
    })
  })
  return Object.assign(state, {
    port: us_socket_local_port(socket),
    shards,
    router,
    clock,
    sockets,
    dropped,
    failures,
    stop: () => {
      us_listen_socket_close(socket)
      app.close()
    },
  })
}
