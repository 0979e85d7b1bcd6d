// Real shards behind the transport port, without threads or disk: what a command does is what it does in the product. A
// test says what becomes of each command, so that a process can die between any two steps.

import { ByteReader, ByteWriter } from '../../../protocol/bytes.ts'
import { readCommand } from '../../../protocol/command-codec.ts'
import type { Command } from '../../../protocol/commands.ts'
import type { Event } from '../../../protocol/events.ts'
import { writeOutcome, writePosition } from '../../../protocol/outcome-codec.ts'
import { type ReplyHandler, SETTLED, type Settled, type ShardTransport } from '../../../engine/transport/port.ts'
import { Router } from '../../../engine/routing.ts'
import { surroundingsOf } from '../../../engine/surroundings.ts'
import { LiveShard } from '../../engine/support/live-shard.ts'

/** The command is done and answered; lost on its way; done, and its answer lost; or it settles so without being done. */
export type Fate = 'ANSWERED' | 'LOST' | 'ANSWER_LOST' | { readonly settled: Settled }

export class ActorTransport implements ShardTransport {
  readonly shards: number
  readonly router: Router
  inFlight = 0
  nowMs = Date.UTC(2026, 10, 20, 18)
  fateOf: (command: Command) => Fate = () => 'ANSWERED'
  /** Called when a command was lost, or its answer. */
  whenLost: () => void = () => {}
  private readonly lives: readonly LiveShard[]

  constructor(shards = 8) {
    this.shards = shards
    this.router = new Router(shards, new Uint8Array(32).fill(7))
    this.lives = Array.from({ length: shards }, (_, shard) => {
      return new LiveShard(shard, { around: surroundingsOf(shard, this.router) })
    })
  }

  call(shard: number, bytes: Uint8Array, length: number, handler: ReplyHandler): void {
    const command = readCommand(new ByteReader(bytes.slice(0, length)))
    const fate = this.fateOf(command)
    this.inFlight++
    setImmediate(() => {
      this.inFlight--
      if (typeof fate === 'object') handler.settled(fate.settled, new ByteReader())
      else this.deliver(shard, command, fate, handler)
    })
  }

  /** The process dies; what was done is on disk. */
  crash(): void {
    for (const live of this.lives) live.crash()
  }

  /** Time goes by, and the sweep of every shard goes round. */
  sweep(): void {
    for (const { actor } of this.lives) actor.sweep(this.nowMs, 0)
  }

  /** Makes the codes that jobs want, all of them. */
  work(): void {
    for (const { actor } of this.lives) while (actor.hasWork) actor.work(this.nowMs)
  }

  /** Everything logged so far, shard by shard. */
  events(): Event[] {
    return this.lives.flatMap((live) => live.loggedEvents().map(({ event }) => event))
  }

  private deliver(shard: number, command: Command, fate: Exclude<Fate, object>, handler: ReplyHandler): void {
    if (fate !== 'LOST') {
      const { position, outcome } = (this.lives[shard] as LiveShard).send(command, this.nowMs)
      if (fate === 'ANSWERED') {
        const writer = new ByteWriter()
        writePosition(writer, position)
        writeOutcome(writer, outcome)
        handler.settled(SETTLED.ANSWERED, new ByteReader(writer.view().slice()))
        return
      }
    }
    this.whenLost()
  }
}
