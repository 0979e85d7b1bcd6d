// Sends inputs, one at a time, and judges what comes. Kept connections are opened anew whenever the server has closed them.
//
// Nothing waits for longer than a bound; what is not there by then is a fault, never a reason to go on waiting.

import { connect, type Socket } from 'node:net'
import type { Contract } from '../gateway/support/contract.ts'
import { connectWebSocket, contentOf, type WsClient } from '../support/ws-client.ts'
import { AnswerReader } from './answer-reader.ts'
import type { Frames, Input, Messages, Raw, Request } from './input.ts'
import { faultsOfAnswer, faultsOfClose, faultsOfMessage, faultsOfRawAnswer } from './judge.ts'
import type { World } from './world.ts'

/** For what is never answered; nothing that is answered takes so long, unless the machine does everything else first. */
const ANSWER_MS_MAX = 30_000
/** A connection that says nothing whole is given up after some ten seconds, by a clock that ticks every four. */
const DAWDLE_MS_MAX = 30_000
const LATE = 'nothing within the bound'
const LAST_MESSAGE_ID = 'the end'

type Tally = (what: string) => void

export class Sender {
  private readonly port: number
  private readonly contract: Contract
  private readonly authorization: string
  private readonly tally: Tally
  private kept: Connection | null = null
  private session: WsClient | null = null

  /** `tally` hears of every status, close and code that answered. */
  constructor(port: number, contract: Contract, world: World, tally: Tally) {
    this.port = port
    this.contract = contract
    this.authorization = `Bearer ${world.keys.operations}`
    this.tally = tally
  }

  /** What is wrong with what answered it; nothing is wrong with a connection that could not be made. */
  async send({ way, pieces }: Input): Promise<string[]> {
    switch (way.via) {
      case 'http':
        return await this.request(way, pieces)
      case 'raw':
        return await this.raw(way, pieces)
      case 'messages':
        return await this.messages(way, pieces)
      case 'frames':
        return await this.frames(way, pieces)
    }
  }

  close(): void {
    this.kept?.destroy()
    this.session?.socket.destroy()
  }

  private async request(way: Request, pieces: readonly Buffer[]): Promise<string[]> {
    const isKept = this.kept?.isOpen === true
    const connection = this.kept?.isOpen === true ? this.kept : await Connection.open(this.port)
    this.kept = connection
    connection.reader.isHead = way.method === 'HEAD'
    await connection.write(pieces)
    const answer = await connection.answer(ANSWER_MS_MAX)
    if (answer === LATE) {
      connection.destroy()
      return [LATE]
    }
    if (answer === null) {
      connection.destroy()
      // A kept connection may have been closed for its idleness while the request was on its way; a new one may not.
      if (isKept) return await this.request(way, pieces)
      this.tally('closed')
      return way.mayBreak ? [] : ['closed without an answer']
    }
    this.tally(String(answer.status))
    const { left } = connection.reader
    if (left > 0 || answer.headers['connection'] === 'close') connection.destroy()
    const surplus = left > 0 && !way.mayBreak ? [`${left} bytes behind the answer`] : []
    return [...faultsOfAnswer(this.contract, way, answer), ...surplus]
  }

  private async raw({ answers, isSlow, isSound }: Raw, pieces: readonly Buffer[]): Promise<string[]> {
    const connection = await Connection.open(this.port)
    try {
      await connection.write(pieces)
      const faults: string[] = []
      if (answers === null && !isSlow) connection.endWriting()
      for (let count = 0; answers === null || count < answers; count++) {
        const answer = await connection.answer(isSlow ? DAWDLE_MS_MAX : ANSWER_MS_MAX)
        if (answer === LATE) return [...faults, LATE]
        if (answer === null) {
          this.tally('closed')
          return answers === null ? faults : [...faults, `closed after ${count} of ${answers} answers`]
        }
        this.tally(String(answer.status))
        faults.push(...faultsOfRawAnswer(answer, isSound))
      }
      return faults
    } finally {
      connection.destroy()
    }
  }

  private async messages({ answers, mayClose }: Messages, pieces: readonly Buffer[]): Promise<string[]> {
    if (this.session === null || this.session.socket.destroyed) this.session = await this.connectSession()
    const { session } = this
    for (const piece of pieces) session.socket.write(piece)
    const faults: string[] = []
    for (let count = 0; count < answers; ) {
      const frame = await within(Promise.race([session.nextFrame(), session.closed]), ANSWER_MS_MAX)
      if (frame === LATE) {
        session.socket.destroy()
        return [...faults, `${count} of ${answers} answers within the bound`]
      }
      if (frame === null || typeof frame === 'number') {
        this.tally(`close ${String(frame)}`)
        return mayClose ? [...faults, ...faultsOfClose(frame)] : [...faults, `closed with ${String(frame)}`]
      }
      for (const message of messagesOf(contentOf(frame))) {
        faults.push(...this.judged(message))
        if (isAnswer(message)) count++
        // A frame that cannot be read is refused as a whole.
        if (isRefusedWhole(message)) count = Math.max(count, answers)
      }
    }
    return faults
  }

  private async frames({ isWhole }: Frames, pieces: readonly Buffer[]): Promise<string[]> {
    const session = await this.connectSession()
    const faults: string[] = []
    try {
      for (const piece of pieces) {
        session.socket.write(piece)
        await turn()
      }
      if (isWhole) session.say({ id: LAST_MESSAGE_ID, op: 'outcomes' })
      else session.socket.end()
      for (;;) {
        const frame = await within(Promise.race([session.nextFrame(), session.closed]), ANSWER_MS_MAX)
        if (frame === LATE) return [...faults, LATE]
        if (frame === null || typeof frame === 'number') {
          this.tally(`close ${String(frame)}`)
          return [...faults, ...faultsOfClose(frame)]
        }
        const messages = messagesOf(contentOf(frame))
        for (const message of messages) faults.push(...this.judged(message))
        if (isWhole && messages.some((message) => (message as { id?: unknown }).id === LAST_MESSAGE_ID)) return faults
      }
    } finally {
      session.socket.resetAndDestroy()
    }
  }

  private judged(message: unknown): string[] {
    const { ok, error } = (message ?? {}) as { ok?: boolean; error?: { code?: string } }
    if (ok !== undefined) this.tally(ok ? 'message ok' : `message ${String(error?.code)}`)
    return faultsOfMessage(message)
  }

  private async connectSession(): Promise<WsClient> {
    return await connectWebSocket(this.port, '/v1/ws', { authorization: this.authorization })
  }
}

function messagesOf(content: unknown): readonly unknown[] {
  return Array.isArray(content) ? (content as unknown[]) : [content]
}

function isAnswer(message: unknown): boolean {
  return (message as { ok?: unknown } | null)?.ok !== undefined
}

function isRefusedWhole(message: unknown): boolean {
  const { id, error } = message as { id?: unknown; error?: { errors?: readonly { pointer?: string }[] } }
  return id === null && error?.errors?.[0]?.pointer === ''
}

function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}

async function within<Value>(value: Promise<Value>, limitMs: number): Promise<Value | typeof LATE> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<typeof LATE>((resolve) => {
    timer = setTimeout(() => resolve(LATE), limitMs)
  })
  try {
    return await Promise.race([value, late])
  } finally {
    clearTimeout(timer)
  }
}

type HttpAnswerOrNone = ReturnType<AnswerReader['take']>

class Connection {
  readonly reader = new AnswerReader()
  isOpen = true
  private readonly socket: Socket
  private wake: () => void = () => {}

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => {
      this.reader.feed(chunk)
      this.wake()
    })
    // A reset is one way for a server to end a connection.
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.isOpen = false
      this.reader.end()
      this.wake()
    })
  }

  static async open(port: number): Promise<Connection> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true })
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
    const connection = new Connection(socket)
    socket.on('end', () => socket.end())
    return connection
  }

  async write(pieces: readonly Buffer[]): Promise<void> {
    for (const piece of pieces) {
      if (this.socket.writable) this.socket.write(piece)
      if (pieces.length > 1) await turn()
    }
  }

  endWriting(): void {
    this.socket.end()
  }

  destroy(): void {
    this.isOpen = false
    this.socket.resetAndDestroy()
  }

  /** null: closed, and nothing left. */
  async answer(limitMs: number): Promise<HttpAnswerOrNone | typeof LATE> {
    const untilMs = performance.now() + limitMs
    for (;;) {
      const answer = this.reader.take()
      if (answer !== null || !this.isOpen) return answer
      const leftMs = untilMs - performance.now()
      const more = new Promise<null>((resolve) => {
        this.wake = () => resolve(null)
      })
      if (leftMs <= 0 || (await within(more, leftMs)) === LATE) return LATE
    }
  }
}
