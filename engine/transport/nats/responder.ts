/**
 * The owner's side of the transport over a bus: calls for the shards that live here go to whatever reaches them in this process,
 * and their answers back to who asked, as one message a turn and caller.
 */
import type { ByteReader } from '../../../protocol/bytes.ts'
import type { ReplyHandler, Settled, ShardTransport } from '../port.ts'
import type { Bus, BusMessage, BusSubscription } from './bus.ts'
import { BadFrame, FrameGatherer, FrameReader } from './frames.ts'
import type { Subjects } from './subjects.ts'

/** Callers whose inbox is kept ready; more than there are processes. */
const CALLERS_MAX = 4_096

export interface ResponderOptions {
  readonly bus: Bus
  readonly subjects: Subjects
  /** Reaches the shards in this process. */
  readonly transport: ShardTransport
  /** A message could not be read: another version, or a defect. Its calls are not done. */
  readonly onBadMessage: (error: BadFrame) => void
}

export class BusResponder {
  private readonly options: ResponderOptions
  private readonly subscriptions = new Map<number, BusSubscription>()
  private readonly inboxes = new Map<string, Inbox>()
  private readonly dirty: Inbox[] = []
  private willFlush = false
  private readonly flush = (): void => {
    this.willFlush = false
    for (const inbox of this.dirty.splice(0)) inbox.flush()
  }

  constructor(options: ResponderOptions) {
    this.options = options
  }

  /** Listens for calls of this shard from now on. */
  serve(shard: number): void {
    if (this.subscriptions.has(shard)) return
    const { bus, subjects } = this.options
    this.subscriptions.set(
      shard,
      bus.subscribe(subjects.shard(shard), (message) => this.hear(shard, message)),
    )
  }

  /** Takes no more calls of this shard; those that it has are answered. */
  leave(shard: number): void {
    this.subscriptions.get(shard)?.end()
    this.subscriptions.delete(shard)
  }

  private hear(shard: number, { payload, replyTo }: BusMessage): void {
    const { transport, onBadMessage } = this.options
    const inbox = this.inboxOf(replyTo)
    try {
      inbox.frames.read(payload, (call, _kind, bytes, start, end) => {
        transport.call(shard, bytes.subarray(start, end), end - start, new Answer(this, inbox, call))
      })
    } catch (error) {
      if (!(error instanceof BadFrame)) throw error
      onBadMessage(error)
    }
  }

  answer(inbox: Inbox, call: number, kind: Settled, reply: ByteReader): void {
    if (inbox.isEmpty) this.dirty.push(inbox)
    inbox.add(call, kind, reply)
    if (this.willFlush) return
    this.willFlush = true
    setImmediate(this.flush)
  }

  /** One for each caller, whatever message of it: its subject without the last token. */
  private inboxOf(replyTo: string): Inbox {
    const caller = replyTo.slice(0, replyTo.lastIndexOf('.'))
    let inbox = this.inboxes.get(caller)
    if (inbox === undefined) {
      inbox = new Inbox(this.options.bus, `${caller}.0`)
      this.inboxes.set(caller, inbox)
      if (this.inboxes.size > CALLERS_MAX) this.inboxes.delete(this.inboxes.keys().next().value as string)
    }
    return inbox
  }
}

/** What goes back to one caller. */
class Inbox {
  readonly frames = new FrameReader()
  private readonly gatherer: FrameGatherer

  constructor(bus: Bus, subject: string) {
    this.gatherer = new FrameGatherer(bus.payloadBytesMax, (message) => bus.publish(subject, message))
  }

  get isEmpty(): boolean {
    return this.gatherer.isEmpty
  }

  add(call: number, kind: Settled, reply: ByteReader): void {
    this.gatherer.add(call, kind, reply.buf, reply.pos, reply.end)
  }

  flush(): void {
    this.gatherer.flush()
  }
}

class Answer implements ReplyHandler {
  private readonly responder: BusResponder
  private readonly inbox: Inbox
  private readonly call: number

  constructor(responder: BusResponder, inbox: Inbox, call: number) {
    this.responder = responder
    this.inbox = inbox
    this.call = call
  }

  settled(kind: Settled, reply: ByteReader): void {
    this.responder.answer(this.inbox, this.call, kind, reply)
  }
}
