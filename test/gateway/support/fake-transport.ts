// A ShardTransport in memory: a script says what a shard answers to each command, and both travel through the real codecs.
// Replies come in a later turn of the event loop, as real ones do, unless the script holds them back or settles at once.

import type { ReplyHandler, Settled, ShardTransport } from '../../../engine/transport/port.ts'
import { SETTLED } from '../../../engine/transport/port.ts'
import { ByteReader, ByteWriter } from '../../../protocol/bytes.ts'
import { readCommand } from '../../../protocol/command-codec.ts'
import type { Command } from '../../../protocol/commands.ts'
import { writeOutcome, writePosition } from '../../../protocol/outcome-codec.ts'
import type { Outcome } from '../../../protocol/outcomes.ts'

export interface Asked {
  readonly shard: number
  readonly command: Command
}

export type Reply = Outcome | { readonly settled: Settled } | 'hold' | 'garbage'

export class FakeTransport implements ShardTransport {
  readonly shards: number
  readonly asked: Asked[] = []
  inFlight = 0
  /** What to answer; replaced by each test. */
  script: (asked: Asked) => Reply = () => ({ settled: SETTLED.NOT_DONE_UNAVAILABLE })
  private readonly held: (() => void)[] = []
  private whenAsked: (() => void) | null = null

  constructor(shards = 16) {
    this.shards = shards
  }

  call(shard: number, bytes: Uint8Array, length: number, handler: ReplyHandler): void {
    const command = readCommand(new ByteReader(bytes.slice(0, length)))
    const asked = { shard, command }
    this.asked.push(asked)
    this.whenAsked?.()
    const reply = this.script(asked)
    if (typeof reply === 'object' && 'settled' in reply && reply.settled !== SETTLED.UNKNOWN) {
      handler.settled(reply.settled, new ByteReader())
      return
    }
    this.inFlight++
    const deliver = (): void => {
      this.inFlight--
      if (typeof reply === 'object' && 'settled' in reply) handler.settled(reply.settled, new ByteReader())
      else handler.settled(SETTLED.ANSWERED, encoded(shard, reply === 'hold' ? this.heldOutcome() : reply))
    }
    if (reply === 'hold') this.held.push(deliver)
    else setImmediate(deliver)
  }

  /** What held calls are answered with. */
  heldOutcome: () => Outcome = () => {
    throw new Error('no outcome for a held call')
  }

  releaseHeld(): void {
    for (const deliver of this.held.splice(0)) deliver()
  }

  /** Settles when so many commands have been asked since the start. */
  async waitForAsked(count: number): Promise<void> {
    while (this.asked.length < count) {
      await new Promise<void>((resolve) => {
        this.whenAsked = resolve
      })
    }
  }
}

/** Position 7 of the shard, at the moment 2026-11-20T18:00:00.123Z. */
export const AT_MS = Date.UTC(2026, 10, 20, 18, 0, 0, 123)

function encoded(shard: number, outcome: Outcome | 'garbage'): ByteReader {
  const writer = new ByteWriter()
  writePosition(writer, { shard, seq: 7, timeMs: AT_MS })
  if (outcome === 'garbage') writer.u8(250)
  else writeOutcome(writer, outcome)
  return new ByteReader(writer.view().slice())
}
