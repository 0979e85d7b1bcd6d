/** The transport over a bus: a caller, an owner's responder, and behind it shards that the test plays. */
import type { Bus } from '../../engine/transport/nats/bus.ts'
import { BusCaller } from '../../engine/transport/nats/caller.ts'
import { BusResponder } from '../../engine/transport/nats/responder.ts'
import { Subjects } from '../../engine/transport/nats/subjects.ts'
import { type ReplyHandler, SETTLED, type ShardTransport } from '../../engine/transport/port.ts'
import { ByteReader } from '../../protocol/bytes.ts'
import type { Arrival, MediumFaults, TransportRig } from './transport-suite.ts'

const SHARDS = 2
/** In the rig's own time, which stands still. */
const DEADLINE_MS = 1_000
const CALLER = 'rig'

/** What a bus can be told to do to the next message; absent: it cannot. */
export interface BusFaults {
  nextArrives(prefix: string, times: number): void
}

/** Shards of the owner's process: they keep calls until they are told what to answer. */
class PlayedShards implements ShardTransport {
  readonly shards = SHARDS
  readonly arrived: Arrival[] = []
  readonly handlers: ReplyHandler[] = []
  onArrival: () => void = () => {}

  get inFlight(): number {
    return this.handlers.length
  }

  call(shard: number, bytes: Uint8Array, length: number, handler: ReplyHandler): void {
    const token = this.handlers.push(handler) - 1
    this.arrived.push({ shard, bytes: [...bytes.subarray(0, length)], token })
    this.onArrival()
  }
}

export class BusRig implements TransportRig {
  readonly transport: BusCaller
  readonly responder: BusResponder
  readonly subjects: Subjects
  readonly faults: MediumFaults
  private readonly played = new PlayedShards()
  private nowMs = 0

  /** `cluster`: subjects that no other rig on the same bus uses. `faults` absent: the suite's tests of them are not made. */
  constructor(bus: Bus, cluster: string, { roomCalls, faults }: { roomCalls?: number; faults?: BusFaults } = {}) {
    this.subjects = new Subjects(cluster)
    const shared = { bus, subjects: this.subjects, onBadMessage: () => {} }
    this.responder = new BusResponder({ ...shared, transport: this.played })
    for (let shard = 0; shard < SHARDS; shard++) this.responder.serve(shard)
    this.transport = new BusCaller({
      ...shared,
      shards: SHARDS,
      name: CALLER,
      deadlineMs: DEADLINE_MS,
      nowMs: () => this.nowMs,
      ...(roomCalls === undefined ? {} : { callsMax: roomCalls }),
    })
    const tell = (prefix: string, times: number): void => faults?.nextArrives(prefix, times)
    this.faults = {
      loseNextCall: () => tell(this.subjects.shard(0), 0),
      doubleNextCall: () => tell(this.subjects.shard(0), 2),
      answerTwice: (arrival, bytes) => {
        tell(this.subjects.inbox(CALLER), 2)
        this.answer(arrival, bytes)
      },
      giveUp: () => {
        this.nowMs += DEADLINE_MS
        this.transport.giveUp()
      },
    }
  }

  get waiting(): number {
    return this.played.arrived.length
  }

  async arrivals(count: number): Promise<readonly Arrival[]> {
    const { played } = this
    while (played.arrived.length < count) {
      await new Promise<void>((resolve) => {
        played.onArrival = resolve
      })
    }
    return played.arrived.splice(0, count)
  }

  answer({ token }: Arrival, bytes: readonly number[]): void {
    this.played.handlers[token]?.settled(SETTLED.ANSWERED, new ByteReader(Uint8Array.from(bytes)))
  }

  close(kind: typeof SETTLED.UNKNOWN | typeof SETTLED.STORAGE): void {
    this.transport.close(kind)
  }
}
