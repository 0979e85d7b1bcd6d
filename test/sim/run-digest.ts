/** A digest over every byte that a run moves: commands, messages, answers, log. Two runs with one digest were the same run. */
import { createHash } from 'node:crypto'

const BUFFER_BYTES = 64 * 1024
const HEAD_BYTES = 12

export class RunDigest {
  private readonly hash = createHash('sha256')
  private readonly buffer = Buffer.alloc(BUFFER_BYTES)
  private used = 0

  /** `what` and `where` say what kind of thing it is and whose; `atMs` when it happened. */
  add(what: number, where: number, atMs: number, bytes: Uint8Array, start = 0, end = bytes.length): void {
    if (this.used + HEAD_BYTES + (end - start) > BUFFER_BYTES) this.drain()
    this.used = this.buffer.writeUInt16LE(what, this.used)
    this.used = this.buffer.writeUInt16LE(where, this.used)
    this.used = this.buffer.writeUInt32LE(atMs, this.used)
    this.used = this.buffer.writeUInt32LE(end - start, this.used)
    if (end - start > BUFFER_BYTES - HEAD_BYTES) {
      this.drain()
      this.hash.update(bytes.subarray(start, end))
      return
    }
    this.buffer.set(bytes.subarray(start, end), this.used)
    this.used += end - start
  }

  /** Ends it. */
  hex(): string {
    this.drain()
    return this.hash.digest('hex')
  }

  private drain(): void {
    this.hash.update(this.buffer.subarray(0, this.used))
    this.used = 0
  }
}
