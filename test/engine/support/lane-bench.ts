/**
 * A lane on this thread, with a journal whose flushes settle when the test says so, a disk as full as the test says, and a
 * clock that the test moves. What leaves is read from the ring of replies, as the gateway would.
 */
import { ByteReader, type Bytes, ByteWriter } from '../../../protocol/bytes.ts'
import { writeCommand } from '../../../protocol/command-codec.ts'
import type { Command } from '../../../protocol/commands.ts'
import { readOutcome, readPosition } from '../../../protocol/outcome-codec.ts'
import type { Outcome, Position } from '../../../protocol/outcomes.ts'
import { SteadyClock } from '../../../engine/clock.ts'
import { KeyHash } from '../../../engine/domain/key-hash.ts'
import { ShardState } from '../../../engine/domain/state.ts'
import { ShardActor } from '../../../engine/shard/actor.ts'
import { Lane } from '../../../engine/shard/lane.ts'
import { stateTables } from '../../../engine/shard/state-tables.ts'
import { RingConsumer, ringMemory, RingProducer } from '../../../engine/transport/byte-ring.ts'
import type { Settled } from '../../../engine/transport/port.ts'
import { HeldJournal } from './held-journal.ts'

const LANE_BEGIN_MS = 1_760_000_000_000
const SECRET = new Uint8Array(32).fill(9)

export interface Reply {
  readonly id: number
  readonly kind: Settled
  readonly position: Position
  readonly outcome: Outcome
}

export class LaneBench {
  readonly journal = new HeldJournal()
  readonly lane: Lane
  readonly failures: Error[] = []
  readonly clockGaps: number[] = []
  readonly actors = new Map<number, ShardActor>()
  /** The wall clock; the monotonic one goes with it unless `wallJumpMs` says otherwise. */
  elapsedMs = 0
  wallJumpMs = 0
  readonly requests: RingConsumer
  private readonly intoLane: RingProducer
  private readonly outOfLane: RingConsumer
  private readonly writer = new ByteWriter()

  constructor({ relaxed = false, shards = 2, ringBytes = 2 ** 22, replyBytes = 2 ** 22 } = {}) {
    const requests = ringMemory(ringBytes)
    const replies = ringMemory(replyBytes)
    this.requests = new RingConsumer(requests)
    this.intoLane = new RingProducer(requests)
    this.outOfLane = new RingConsumer(replies)
    const source = {
      wallMs: () => LANE_BEGIN_MS + this.elapsedMs + this.wallJumpMs,
      monotonicMs: () => this.elapsedMs,
    }
    this.lane = new Lane({
      actors: (post) => {
        for (let shard = 0; shard < shards; shard++) {
          const state = new ShardState(shard, stateTables(SECRET), new KeyHash(SECRET))
          this.actors.set(shard, new ShardActor(state, this.journal, post))
        }
        return this.actors
      },
      journal: this.journal,
      clock: new SteadyClock(source),
      requests: this.requests,
      replies: new RingProducer(replies),
      relaxed,
      orderWindowMs: 1_000_000_000,
      orderEntriesMax: 1_000_000,
      onFailed: (error) => this.failures.push(error),
      onClockDiffered: (gapMs) => this.clockGaps.push(gapMs),
    })
  }

  /** Puts a command into the ring; the lane has not seen it yet. */
  push(id: number, shard: number, command: Command<string | Bytes>): void {
    this.writer.clear()
    writeCommand(this.writer, command)
    if (!this.intoLane.push(id, shard, this.writer.buf, 0, this.writer.pos))
      throw new Error('the ring of requests is full')
  }

  /** Puts a command in and lets the lane take a turn. */
  send(id: number, shard: number, command: Command<string | Bytes>): void {
    this.push(id, shard, command)
    this.lane.turn()
  }

  /** What has left since the last look. */
  left(): Reply[] {
    const replies: Reply[] = []
    this.outOfLane.drain((id, kind, data, start, end) => {
      const reader = new ByteReader(data.slice(start, end))
      replies.push({ id, kind: kind as Settled, position: readPosition(reader), outcome: readOutcome(reader) })
      return true
    })
    return replies
  }

  idsLeft(): number[] {
    return this.left().map(({ id }) => id)
  }
}
