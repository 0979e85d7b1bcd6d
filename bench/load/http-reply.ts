// Reads HTTP/1.1 replies off a keep-alive connection, as cheaply as a load generator has to: the status, and where
// the reply ends. Bytes in, statuses out; no sockets here, so tests can feed it byte by byte.
//
// It understands what a server under load answers (a Content-Length or status 204, no pipelining) and refuses everything
// else with an error, because a generator that guesses measures its guess.

const HEAD_END = '\r\n\r\n'
/** Such an answer has neither a body nor a length (RFC 9110). */
const NO_CONTENT = 'HTTP/1.1 204 '
const CONTENT_LENGTH = /\r\ncontent-length: *(\d+)\r\n/i
const REPLY_BYTES_MAX = 65_536

export class HttpReplyReader {
  /** Bytes of an unfinished reply, one letter a byte. */
  #held = ''
  /** Body of the last finished reply, one letter a byte; for messages only. */
  lastBody = ''

  /** The status of the reply that these bytes complete; 0 while more is to come. */
  feed(bytes: Buffer, length: number): number {
    const text = this.#held + bytes.toString('latin1', 0, length)
    const headEnd = text.indexOf(HEAD_END)
    if (headEnd < 0) return this.#hold(text)
    const bodyStart = headEnd + HEAD_END.length
    const end = bodyStart + bodyLength(text, headEnd)
    if (text.length < end) return this.#hold(text)
    if (text.length > end) throw new Error('bytes after the end of a reply although one request was open')
    this.#held = ''
    this.lastBody = text.slice(bodyStart)
    return Number(text.slice(9, 12))
  }

  #hold(text: string): 0 {
    if (text.length > REPLY_BYTES_MAX) throw new Error(`a reply of more than ${REPLY_BYTES_MAX} bytes`)
    this.#held = text
    return 0
  }
}

function bodyLength(text: string, headEnd: number): number {
  if (text.startsWith(NO_CONTENT)) return 0
  const found = CONTENT_LENGTH.exec(text)
  if (found === null || found.index >= headEnd) {
    throw new Error(`a reply without Content-Length: ${text.slice(0, headEnd)}`)
  }
  return Number(found[1])
}
