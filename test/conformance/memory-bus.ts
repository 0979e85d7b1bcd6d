/**
 * A bus in memory, as NATS is while it is well: a message arrives a turn later, whole, in order, or comes back as undelivered. It
 * loses and doubles messages when it is told to.
 */
import type { Bus, BusMessage, BusSubscription } from '../../engine/transport/nats/bus.ts'

interface Listener {
  readonly pattern: string
  readonly heard: (message: BusMessage) => void
}

export class MemoryBus implements Bus {
  isConnected = true
  readonly payloadBytesMax: number
  /** What becomes of the next message to a subject that begins so. */
  private next: { readonly prefix: string; readonly times: number } | null = null
  private readonly listeners = new Set<Listener>()

  constructor(payloadBytesMax: number) {
    this.payloadBytesMax = payloadBytesMax
  }

  /** The next message whose subject begins so arrives so many times: 0 is lost. */
  nextArrives(prefix: string, times: number): void {
    this.next = { prefix, times }
  }

  publish(subject: string, payload: Uint8Array, replyTo = ''): void {
    let times = 1
    if (this.next !== null && subject.startsWith(this.next.prefix)) {
      times = this.next.times
      this.next = null
    }
    for (let i = 0; i < times; i++) setImmediate(() => this.deliver(subject, payload, replyTo))
  }

  subscribe(pattern: string, heard: (message: BusMessage) => void): BusSubscription {
    const listener = { pattern, heard }
    this.listeners.add(listener)
    return { end: () => this.listeners.delete(listener) }
  }

  private deliver(subject: string, payload: Uint8Array, replyTo: string): void {
    const listeners = [...this.listeners].filter(({ pattern }) => fits(pattern, subject))
    for (const { heard } of listeners) heard({ subject, payload, replyTo, isUndelivered: false })
    if (listeners.length > 0 || replyTo === '') return
    const undelivered = { subject: replyTo, payload: new Uint8Array(0), replyTo: '', isUndelivered: true }
    for (const { pattern, heard } of this.listeners) if (fits(pattern, replyTo)) heard(undelivered)
  }
}

/** With `*` at the end of the pattern, the only place where it is used. */
function fits(pattern: string, subject: string): boolean {
  if (!pattern.endsWith('.*')) return pattern === subject
  const prefix = pattern.slice(0, -1)
  return subject.startsWith(prefix) && !subject.slice(prefix.length).includes('.')
}
