/**
 * HttpBody: a long answer of HTTP on its way out, piece by piece. What the socket does not take is held once, and no next piece is
 * asked for before it is gone: an export of any length holds some pages in memory, whatever the client's pace.
 *
 * Must never happen here: touching `res` after it was ended or aborted.
 */
import type { HttpResponse } from 'uWebSockets.js'
import type { AnswerStream, StreamHead } from '../operations/operations.ts'
import { statusLine } from './status-lines.ts'

export class HttpBody implements AnswerStream {
  /** null: ended, or the client went away. */
  private res: HttpResponse | null
  private readonly ended: () => void
  private waiting: ((isOpen: boolean) => void) | null = null

  /** Writes the head. `ended` is called once, however it ends. */
  constructor(res: HttpResponse, head: StreamHead, requestId: string, ended: () => void) {
    this.res = res
    this.ended = ended
    res.onWritable(() => {
      this.settle(true)
      return true
    })
    res.cork(() => {
      res.writeStatus(statusLine(200)).writeHeader('x-request-id', requestId)
      res.writeHeader('content-type', head.contentType)
      res.writeHeader('content-disposition', `attachment; filename="${head.fileName}"`)
      res.writeHeader('cache-control', 'no-store')
      if (head.position !== '') res.writeHeader('x-tearoff-position', head.position)
    })
  }

  async write(piece: Uint8Array): Promise<boolean> {
    const { res } = this
    if (res === null) return false
    let hasRoom = true
    res.cork(() => {
      hasRoom = res.write(piece)
    })
    if (hasRoom) return true
    return await new Promise((resolve) => {
      this.waiting = resolve
    })
  }

  end(): void {
    const res = this.release()
    res?.cork(() => res.end())
  }

  breakOff(): void {
    this.release()?.close()
  }

  /** The client went away. */
  aborted(): void {
    this.release()
  }

  private release(): HttpResponse | null {
    const { res } = this
    if (res === null) return null
    this.res = null
    this.settle(false)
    this.ended()
    return res
  }

  private settle(isOpen: boolean): void {
    const { waiting } = this
    this.waiting = null
    waiting?.(isOpen)
  }
}
