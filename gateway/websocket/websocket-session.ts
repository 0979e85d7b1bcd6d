/**
 * Session: one WebSocket connection from upgrade to close. It counts what is in flight, keeps the answers of a turn
 * together and sends them, and is the only one to touch the socket.
 *
 * The socket is gone the moment its close handler runs, and using it afterwards brings the process down; so everything
 * goes through `closed` here. An answer that finds the connection closed is dropped: what was decided stays decided, and
 * the client's retry of the same order gets the same answer.
 */
import { Packr } from 'msgpackr'
import type { WebSocket } from 'uWebSockets.js'
import type { Authenticator, Caller } from '../access/authenticate.ts'
import type { Address } from '../guard/checkout-guard.ts'
import { type Problem, problemMembers } from '../problem.ts'
import type { TopicListener, Topics } from './topics.ts'
import { SESSION_IN_FLIGHT_MAX, SESSION_TOPICS_MAX } from './websocket-limits.ts'
import { Outbox } from './websocket-outbox.ts'

/** What uWebSockets.js keeps for us beside the socket. */
export interface SessionSlot {
  readonly session: Session
}

export type SessionSocket = WebSocket<SessionSlot>

/** Close codes of RFC 6455. */
export const CLOSE = { GOING_AWAY: 1001, POLICY: 1008, TOO_BIG: 1009 } as const

/** Why a connection was dropped. */
export type Dropped = 'slow reader' | 'frame too long' | 'key no longer valid'

/** A topic that this connection listens to. */
export interface SessionTopic extends TopicListener {
  /** The session does not want it any more. */
  left(): void
}

export interface SessionPorts {
  /** null: authentication is off. */
  readonly authenticator: Authenticator | null
  readonly topics: Topics
  readonly dropped: (why: Dropped, caller: Caller) => void
}

/** How a message came, and so how its answer leaves. */
export interface AnswerForm {
  readonly binary: boolean
  readonly grouped: boolean
}

/** `send` returns this when the message was not taken because of the buffered bytes before it. */
const SEND_DROPPED = 2

const packr = new Packr({ useRecords: false })

export class Session {
  readonly caller: Caller
  /** Where it comes from; null before it is open. */
  address: Address | null = null
  private readonly ports: SessionPorts
  private readonly authorization: string
  private readonly outbox = new Outbox()
  private readonly subscriptions = new Map<string, SessionTopic>()
  private socket: SessionSocket | null = null
  private inFlight = 0
  private flushPlanned = false
  private finishing = false

  /** `authorization` is the header that the caller was found by. */
  constructor(ports: SessionPorts, caller: Caller, authorization: string) {
    this.ports = ports
    this.caller = caller
    this.authorization = authorization
  }

  get closed(): boolean {
    return this.socket === null
  }

  opened(socket: SessionSocket, address: Address): void {
    this.socket = socket
    this.address = address
  }

  /** The socket is gone. Nothing may be sent, not even from here. */
  lost(): void {
    this.socket = null
    for (const [topic, listener] of this.subscriptions) this.ports.topics.unsubscribe(topic, listener)
    this.subscriptions.clear()
  }

  /** Whether the caller's key is still valid; closes the connection when it is not. */
  authorised(): boolean {
    if (this.ports.authenticator === null) return true
    if (this.ports.authenticator.roleOf(this.authorization) !== null) return true
    this.drop('key no longer valid', CLOSE.POLICY)
    return false
  }

  /** Room for so many more redemptions in flight; every `true` is followed by one answer that gives it back. */
  admit(weight: number): boolean {
    if (this.inFlight + weight > SESSION_IN_FLIGHT_MAX) return false
    this.inFlight += weight
    return true
  }

  /** The answer to something admitted. */
  settle(weight: number, message: string | Uint8Array, form: AnswerForm): void {
    this.inFlight -= weight
    this.say(message, form)
  }

  /** Text is JSON and becomes MessagePack where the message it answers was. */
  say(message: string | Uint8Array, form: AnswerForm): void {
    if (this.closed) return
    const isText = typeof message === 'string'
    this.outbox.add(isText && form.binary ? packr.pack(JSON.parse(message)) : message, form.grouped)
    if (this.flushPlanned) return
    this.flushPlanned = true
    queueMicrotask(() => this.flush())
  }

  /** No further messages: closes when the last answer has left. */
  finish(): void {
    this.finishing = true
    if (!this.flushPlanned) this.endIfDone()
  }

  drop(why: Dropped, code: number): void {
    const socket = this.socket
    if (socket === null) return
    this.ports.dropped(why, this.caller)
    socket.end(code, why)
  }

  hasTopic(topic: string): boolean {
    return this.subscriptions.has(topic)
  }

  get topicsFull(): boolean {
    return this.subscriptions.size >= SESSION_TOPICS_MAX
  }

  addTopic(topic: string, listener: SessionTopic): void {
    this.subscriptions.set(topic, listener)
  }

  /** The listener that goes; undefined when there was none. */
  takeTopic(topic: string): SessionTopic | undefined {
    const listener = this.subscriptions.get(topic)
    this.subscriptions.delete(topic)
    return listener
  }

  private flush(): void {
    this.flushPlanned = false
    const socket = this.socket
    if (socket === null) return
    let taken = true
    socket.cork(() => {
      this.outbox.sendAll((payload, isBinary) => {
        if (taken) taken = socket.send(payload, isBinary) !== SEND_DROPPED
      })
    })
    if (!taken) this.dropSlowReader()
    else this.endIfDone()
  }

  /** Without a close frame: it would wait behind all that the client does not read. */
  private dropSlowReader(): void {
    const socket = this.socket
    if (socket === null) return
    this.ports.dropped('slow reader', this.caller)
    socket.close()
  }

  private endIfDone(): void {
    if (!this.finishing || this.inFlight > 0 || this.socket === null) return
    this.socket.end(CLOSE.GOING_AWAY, 'the server stops')
  }
}

/** `{id, ok: true, result, position?, replayed?}`; the parts are JSON text. */
export function resultText(idJson: string, resultJson: string, position = '', replayed = false): string {
  const rest = (position === '' ? '' : `,"position":"${position}"`) + (replayed ? ',"replayed":true' : '')
  return `{"id":${idJson},"ok":true,"result":${resultJson}${rest}}`
}

/** `{id, ok: false, error: {status, code, detail, …}, position?, replayed?}`. */
export function errorText(idJson: string, found: Problem, position = ''): string {
  const retryAfter = found.retryAfterSeconds > 0 ? `,"retryAfter":${found.retryAfterSeconds}` : ''
  const replayed = found.recordedBody === null ? '' : ',"replayed":true'
  const rest = (position === '' ? '' : `,"position":"${position}"`) + replayed
  return `{"id":${idJson},"ok":false,"error":{"status":${found.status},${problemMembers(found)}${retryAfter}}${rest}}`
}
