/**
 * One shard without threads, rings or disk: the real actor, and a log in memory that keeps sealed entries the way the
 * journal does. Commands go in as bytes, as a transport hands them over, and the bytes are spoilt afterwards, so that a
 * range kept beyond its command is found out.
 */
import { ByteReader, ByteWriter, type Bytes } from '../../../protocol/bytes.ts'
import { writeCommand } from '../../../protocol/command-codec.ts'
import type { Command } from '../../../protocol/commands.ts'
import type { Event } from '../../../protocol/events.ts'
import { readEvent } from '../../../protocol/event-codec.ts'
import { readOutcome, readPosition } from '../../../protocol/outcome-codec.ts'
import type { Outcome, Position } from '../../../protocol/outcomes.ts'
import { KeyHash } from '../../../engine/domain/key-hash.ts'
import { ShardState } from '../../../engine/domain/state.ts'
import { ALONE as ALONE_IN_GREENWICH, type Surroundings } from '../../../engine/domain/surroundings.ts'
import { type Post, ShardActor } from '../../../engine/shard/actor.ts'
import type { StoredBytes, StoredEntries } from '../../../engine/shard/history.ts'
import { replayEntry } from '../../../engine/shard/replay.ts'
import { stateTables } from '../../../engine/shard/state-tables.ts'

export const SHARD = 3
export const SECRET = new Uint8Array(32).map((_, i) => i * 7 + 1)

/** What a shard is given from outside: the deployment around it, and randomness (by default unforeseeable). */
export interface Outside {
  readonly around?: Surroundings
  readonly random?: (bytes: number) => Uint8Array
}

const REQUEST = 1

/** There is no other shard to have a part in anything. */
const ALONE: Post = {
  send: () => {
    throw new Error('a shard that is alone has sent a message')
  },
  reply: () => {
    throw new Error('a shard that is alone has answered later')
  },
}

class MemoryLog implements StoredEntries {
  readonly entries: StoredBytes[] = []

  entryOf(_shard: number, seq: number): StoredBytes | null {
    return this.entries.find((entry) => seq >= entry.firstSeq && seq < entry.firstSeq + entry.eventCount) ?? null
  }
}

export interface Answer {
  readonly position: Position
  readonly outcome: Outcome
}

export interface LoggedEvent {
  readonly seq: number
  readonly atMs: number
  readonly event: Event
}

export class LiveShard {
  readonly log = new MemoryLog()
  state: ShardState
  actor: ShardActor
  private readonly request = new ByteWriter(256)
  private readonly answer = new ByteWriter(256)
  private readonly outside: Outside

  constructor(shard = SHARD, outside: Outside = {}) {
    this.outside = outside
    this.state = this.emptyState(shard)
    this.actor = this.actorOf(this.state)
  }

  private emptyState(shard: number): ShardState {
    return new ShardState(shard, stateTables(SECRET), new KeyHash(SECRET), this.outside.around ?? ALONE_IN_GREENWICH)
  }

  private actorOf(state: ShardState): ShardActor {
    const { random } = this.outside
    return random === undefined
      ? new ShardActor(state, this.log, ALONE)
      : new ShardActor(state, this.log, ALONE, random)
  }

  send(command: Command<string | Bytes>, nowMs: number): Answer {
    this.request.clear()
    writeCommand(this.request, command)
    this.answer.clear()
    this.actor.handle(REQUEST, new ByteReader(this.request.buf, 0, this.request.pos), nowMs, this.answer)
    this.request.buf.fill(0xee)
    const reader = new ByteReader(this.answer.buf, 0, this.answer.pos)
    return { position: readPosition(reader), outcome: readOutcome(reader) }
  }

  /** A flush begins: what is open goes to the disk. Does nothing while one is under way. */
  beginFlush(): void {
    const { actor } = this
    if (actor.openEntry.isEmpty || !actor.flushing.isEmpty) return
    const entry = actor.openEntry
    actor.openEntry = actor.flushing
    actor.openEntry.begin(0, 0)
    actor.flushing = entry
  }

  /** The flush under way settles. */
  endFlush(): void {
    const { flushing } = this.actor
    if (flushing.isEmpty) return
    const { firstSeq, eventCount, timeMs, length } = flushing
    this.log.entries.push({
      firstSeq,
      eventCount,
      timeMs,
      events: flushing.events.slice(0, length),
      start: 0,
      end: length,
    })
    flushing.begin(0, 0)
  }

  flushAll(): void {
    this.endFlush()
    this.beginFlush()
    this.endFlush()
  }

  /** Every event so far, from the bytes of the log; flushes. */
  loggedEvents(): LoggedEvent[] {
    this.flushAll()
    const logged: LoggedEvent[] = []
    for (const entry of this.log.entries) {
      const reader = new ByteReader(entry.events, entry.start, entry.end)
      let atMs = entry.timeMs
      while (!reader.done) {
        const event = readEvent(reader)
        if (typeof event === 'number') atMs += event
        else logged.push({ seq: logged.length + 1, atMs, event })
      }
    }
    return logged
  }

  /** The process dies once everything is flushed, and another one starts from the log. */
  crash(): void {
    this.state = this.replayed()
    this.actor = this.actorOf(this.state)
  }

  /** A state built from nothing but the log. */
  replayed(): ShardState {
    this.flushAll()
    const state = this.emptyState(this.state.shard)
    for (const entry of this.log.entries) replayEntry(state, entry)
    return state
  }
}
