/**
 * The end of an answer of HTTP whose body is known whole. What the socket does not take stays with the answer until the client
 * reads, and the answer stays pending meanwhile: a further request on the connection then closes it.
 *
 *     tryEnd ──▶ taken whole ──▶ next request
 *        └─────▶ rest ──(writable)──▶ … ──▶ taken whole
 *                 └─ next request: closed
 *
 * `res.end` would put the rest into a buffer without a bound and take the next request: a client that asks and never reads then
 * grows the process by as much as it asks for (3,000 pipelined requests for the contract, 120 kB, were 530 MB).
 *
 * Must never happen here: touching `res` after it was ended or aborted.
 */
import type { HttpResponse } from 'uWebSockets.js'

/** What a client has not read yet. Whoever ended the answer tells it when the client goes away. */
export class UnreadRest {
  /** null: gone, one way or the other. */
  private res: HttpResponse | null
  private readonly bytes: Buffer
  /** The offset of the body's first byte as the socket counts. */
  private readonly from: number

  constructor(res: HttpResponse, body: string, from: number) {
    this.res = res
    this.bytes = Buffer.from(body)
    this.from = from
    res.onWritable((offset) => this.goOn(offset))
  }

  aborted(): void {
    this.res = null
  }

  /** Whether the socket takes more. */
  private goOn(offset: number): boolean {
    const { res, bytes } = this
    if (res === null) return true
    let isWritable = true
    res.cork(() => {
      const [hasRoom, isEnded] = res.tryEnd(bytes.subarray(offset - this.from), bytes.length)
      isWritable = hasRoom
      if (isEnded) this.res = null
    })
    return isWritable
  }
}

/**
 * Within `cork`, after the head. null: all of it is on its way. Otherwise `res` has to have an `onAborted` that tells the rest.
 */
export function endAnswer(res: HttpResponse, body: string): UnreadRest | null {
  const from = res.getWriteOffset()
  const [, isEnded] = res.tryEnd(body, Buffer.byteLength(body))
  return isEnded ? null : new UnreadRest(res, body, from)
}
