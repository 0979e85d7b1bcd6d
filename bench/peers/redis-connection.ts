// The way to a Redis, as lean as it can be made in Node: what is sent within one turn of the event loop leaves in one write
// on one connection, and answers come back in the order of the commands.
//
//   turn:  *3 ⏎ $6 ⏎ INCRBY ⏎ …*3 ⏎ …*10 ⏎ …   ──▶  one write          ◀──  :1 ⏎ $2 ⏎ ab ⏎ $-1 ⏎ -ERR … ⏎
//
// Written for this bench, because the usual client spends more on a command than the gateway on the whole rest of a call,
// and a peer should lose by its design, not by its client; redis-usual-client.ts has the other for comparison. Nothing is
// ever sent again: a lost connection fails everything that was on it, since what was sent may have been done.

import { connect, type Socket } from 'node:net'

export type RedisReply = string | number | null

export interface RedisConnection {
  /** Rejects with what Redis said, or when the connection is lost. */
  send(command: readonly string[]): Promise<RedisReply>
  /** A command whose first words are always the same, and which has `more` others: how often-used ones are sent. */
  template(words: readonly string[], more: number): (rest: readonly string[]) => Promise<RedisReply>
  close(): Promise<void>
}

/** Redis refused a command. */
export class RedisError extends Error {
  override readonly name = 'RedisError'
}

/** Words as Redis reads them, each with its length in bytes. Before those of a command stands `*<number of words>`. */
function encodeWords(words: readonly string[]): string {
  let text = ''
  for (const word of words) text += `$${Buffer.byteLength(word)}\r\n${word}\r\n`
  return text
}

export async function connectRedis(socketPath: string): Promise<RedisConnection> {
  const socket = connect(socketPath)
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', reject)
  })
  return new SocketConnection(socket)
}

interface Waiting {
  readonly resolve: (reply: RedisReply) => void
  readonly reject: (error: Error) => void
}

class SocketConnection implements RedisConnection {
  private readonly socket: Socket
  private readonly reader: ReplyReader
  private waiting: Waiting[] = []
  /** Place of the oldest that waits; the list is cut when it is long. */
  private first = 0
  private outgoing = ''
  private lost: Error | null = null
  private readonly flush = (): void => {
    const text = this.outgoing
    this.outgoing = ''
    this.socket.write(text)
  }

  constructor(socket: Socket) {
    this.socket = socket
    this.reader = new ReplyReader((reply) => this.answered(reply))
    socket.on('data', (bytes) => this.reader.feed(bytes as Buffer))
    socket.on('error', (error) => this.lose(error))
    socket.on('close', () => this.lose(new Error('the connection to Redis is closed')))
  }

  send(command: readonly string[]): Promise<RedisReply> {
    return this.sendEncoded(`*${command.length}\r\n${encodeWords(command)}`)
  }

  template(words: readonly string[], more: number): (rest: readonly string[]) => Promise<RedisReply> {
    const start = `*${words.length + more}\r\n${encodeWords(words)}`
    return (rest) => this.sendEncoded(start + encodeWords(rest))
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      if (this.socket.destroyed) resolve()
      else this.socket.once('close', () => resolve()).end()
    })
  }

  private sendEncoded(command: string): Promise<RedisReply> {
    return new Promise((resolve, reject) => {
      if (this.lost !== null) {
        reject(this.lost)
        return
      }
      this.waiting.push({ resolve, reject })
      if (this.outgoing === '') setImmediate(this.flush)
      this.outgoing += command
    })
  }

  private answered(reply: RedisReply | RedisError): void {
    const waiting = this.waiting[this.first++]
    if (waiting === undefined) throw new Error('Redis answered a command that nobody sent')
    if (this.first === this.waiting.length) {
      this.waiting = []
      this.first = 0
    }
    if (reply instanceof RedisError) waiting.reject(reply)
    else waiting.resolve(reply)
  }

  private lose(error: Error): void {
    this.lost ??= error
    const waiting = this.waiting.slice(this.first)
    this.waiting = []
    this.first = 0
    for (const { reject } of waiting) reject(this.lost)
  }
}

const PLUS = 0x2b
const MINUS = 0x2d
const COLON = 0x3a
const DOLLAR = 0x24
const CR = 0x0d

/** Takes bytes in any pieces and hands out replies: numbers, texts, null and errors, which is all that scripts here answer. */
export class ReplyReader {
  private held: Buffer = Buffer.alloc(0)
  private readonly reply: (reply: RedisReply | RedisError) => void

  constructor(reply: (reply: RedisReply | RedisError) => void) {
    this.reply = reply
  }

  feed(bytes: Buffer): void {
    const all = this.held.length === 0 ? bytes : Buffer.concat([this.held, bytes])
    let at = 0
    for (;;) {
      const next = this.read(all, at)
      if (next < 0) break
      at = next
    }
    this.held = at === all.length ? Buffer.alloc(0) : all.subarray(at)
  }

  /** Reads the reply at a place; the place behind it, or -1 while it is not whole. */
  private read(bytes: Buffer, start: number): number {
    const lineEnd = bytes.indexOf(CR, start)
    if (lineEnd < 0 || lineEnd + 1 >= bytes.length) return -1
    const kind = bytes[start]
    if (kind === COLON) {
      this.reply(wholeNumber(bytes, start + 1, lineEnd))
      return lineEnd + 2
    }
    if (kind === DOLLAR) {
      const length = wholeNumber(bytes, start + 1, lineEnd)
      if (length < 0) {
        this.reply(null)
        return lineEnd + 2
      }
      const end = lineEnd + 2 + length
      if (bytes.length < end + 2) return -1
      this.reply(bytes.toString('utf8', lineEnd + 2, end))
      return end + 2
    }
    const line = bytes.toString('utf8', start + 1, lineEnd)
    if (kind !== PLUS && kind !== MINUS) throw new Error(`Redis answered something unexpected: ${line.slice(0, 100)}`)
    this.reply(kind === PLUS ? line : new RedisError(line))
    return lineEnd + 2
  }
}

function wholeNumber(bytes: Buffer, start: number, end: number): number {
  const negative = bytes[start] === MINUS
  let value = 0
  for (let at = negative ? start + 1 : start; at < end; at++) value = value * 10 + (bytes[at] as number) - 0x30
  return negative ? -value : value
}
