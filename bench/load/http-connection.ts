// A keep-alive connection of a load generator: one request at a time, its bytes given by the caller, the answer read as cheaply
// as can be (`http-reply.ts`). Whoever asks while an answer is open has made a mistake: there is no pipelining.

import { connect, type Socket } from 'node:net'
import { HttpReplyReader } from './http-reply.ts'

const REPLY_BUFFER_BYTES = 65_536

export class HttpConnection {
  readonly #socket: Socket
  readonly #reader = new HttpReplyReader()
  #isClosed = false
  #answered: (status: number) => void = () => {}
  #lost: (error: Error) => void = () => {}

  private constructor(port: number, opened: (error: Error | null) => void) {
    const buffer = Buffer.allocUnsafeSlow(REPLY_BUFFER_BYTES)
    const callback = (length: number): boolean => {
      this.#feed(buffer, length)
      return true
    }
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true, onread: { buffer, callback } })
    this.#socket.once('connect', () => opened(null))
    this.#socket.on('error', (error) => {
      opened(error)
      this.#lost(error)
    })
    this.#socket.on('close', () => {
      this.#isClosed = true
      this.#lost(new Error('the server closed a connection'))
    })
  }

  static async open(port: number): Promise<HttpConnection> {
    return await new Promise((resolve, reject) => {
      const made: HttpConnection = new HttpConnection(port, (error) => (error === null ? resolve(made) : reject(error)))
    })
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Of the last answer. */
  get lastBody(): string {
    return this.#reader.lastBody
  }

  /** The status of the answer to a whole request. Fails when the connection is lost before. */
  async ask(request: string): Promise<number> {
    if (this.#isClosed) throw new Error('the server has closed a connection')
    return await new Promise((resolve, reject) => {
      this.#answered = resolve
      this.#lost = reject
      this.#socket.write(request)
    })
  }

  close(): void {
    this.#socket.destroy()
  }

  #feed(buffer: Buffer, length: number): void {
    let status: number
    try {
      status = this.#reader.feed(buffer, length)
    } catch (cause) {
      this.#socket.destroy(cause instanceof Error ? cause : new Error(String(cause)))
      return
    }
    if (status > 0) this.#answered(status)
  }
}
