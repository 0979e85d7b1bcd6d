// Answers of HTTP out of the bytes of a connection, as they come: by length, in chunks, or to the end of the connection.

import type { HttpAnswer } from '../gateway/support/gateway.ts'

const HEAD_END = '\r\n\r\n'
/** Answers that end with their head. */
const BODILESS = new Set([101, 204, 304])
/** Says that a body may come; the answer is still to come. */
const CONTINUE = 100

export class AnswerReader {
  /** Of the request that is answered next: an answer to HEAD has no body, whatever its head says. */
  isHead = false
  private held: Buffer = Buffer.alloc(0)
  private hasEnded = false

  feed(chunk: Buffer): void {
    this.held = this.held.length === 0 ? chunk : Buffer.concat([this.held, chunk])
  }

  /** The connection is closed: what has no length is whole. */
  end(): void {
    this.hasEnded = true
  }

  /** Bytes that belong to no answer so far. */
  get left(): number {
    return this.held.length
  }

  /** The next answer that is whole; null: none yet. Throws for what is no HTTP. */
  take(): HttpAnswer | null {
    const headEnd = this.held.indexOf(HEAD_END)
    if (headEnd < 0) return null
    const [first = '', ...lines] = this.held.toString('latin1', 0, headEnd).split('\r\n')
    const found = /^HTTP\/1\.1 (\d{3}) /.exec(first)
    if (found === null) throw new Error(`no answer of HTTP: ${JSON.stringify(first.slice(0, 100))}`)
    const status = Number(found[1])
    if (status === CONTINUE) {
      this.cut(0, headEnd + HEAD_END.length)
      return this.take()
    }
    const headers: Record<string, string> = {}
    for (const line of lines)
      headers[line.slice(0, line.indexOf(':')).toLowerCase()] = line.slice(line.indexOf(':') + 2)
    const body = this.body(status, headers, headEnd + HEAD_END.length)
    if (body === null) return null
    const type = headers['content-type'] ?? ''
    const text = body.toString('utf8')
    return { status, headers, text, json: type.includes('json') && text !== '' ? (JSON.parse(text) as unknown) : text }
  }

  private body(status: number, headers: Readonly<Record<string, string>>, from: number): Buffer | null {
    if (this.isHead || BODILESS.has(status)) return this.cut(from, from)
    if (headers['transfer-encoding'] === 'chunked') return this.chunked(from)
    const length = headers['content-length']
    if (length !== undefined)
      return this.held.length < from + Number(length) ? null : this.cut(from, from + Number(length))
    return this.hasEnded ? this.cut(from, this.held.length) : null
  }

  private chunked(from: number): Buffer | null {
    const pieces: Buffer[] = []
    for (let at = from; ; ) {
      const lineEnd = this.held.indexOf('\r\n', at)
      if (lineEnd < 0) return null
      const length = Number.parseInt(this.held.toString('latin1', at, lineEnd), 16)
      const end = lineEnd + 2 + length
      if (this.held.length < end + 2) return null
      if (length === 0) {
        this.cut(from, end + 2)
        return Buffer.concat(pieces)
      }
      pieces.push(this.held.subarray(lineEnd + 2, end))
      at = end + 2
    }
  }

  private cut(from: number, to: number): Buffer {
    const body = this.held.subarray(from, to)
    this.held = this.held.subarray(to)
    return body
  }
}
