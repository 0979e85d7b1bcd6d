/**
 * The message bus as the transport between processes needs it: subjects, at most once, in order from one sender to one listener
 * while a connection lasts. NATS implements it (connection.ts); tests have one in memory.
 */

export interface BusMessage {
  readonly subject: string
  /** Valid during the call only. */
  readonly payload: Uint8Array
  /** Where an answer is heard; '' when nobody listens for one. */
  readonly replyTo: string
  /** It is no message but the word that one with this subject as `replyTo` had no listener, so that nobody has it. */
  readonly isUndelivered: boolean
}

export interface BusSubscription {
  /** What has not been heard yet is not heard any more. */
  end(): void
}

export interface Bus {
  /** The largest payload, bytes. */
  readonly payloadBytesMax: number
  /** False: what is published now may be lost without a word, or arrive much later. */
  readonly isConnected: boolean
  /** The payload is the bus's own from now on. */
  publish(subject: string, payload: Uint8Array, replyTo?: string): void
  /** `*` stands for one token, `>` for the rest, as in NATS. */
  subscribe(subject: string, heard: (message: BusMessage) => void): BusSubscription
}
