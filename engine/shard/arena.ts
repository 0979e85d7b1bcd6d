/**
 * An arena: memory for copies that live a little longer than the frame they were made of. Many small copies share one buffer,
 * because a buffer of its own costs more than what is copied; it goes when the last copy in it is forgotten.
 */
import { Bytes } from '../../protocol/bytes.ts'

const CHUNK_BYTES = 64 * 1024

export class Arena {
  private chunk = new Uint8Array(CHUNK_BYTES)
  private used = 0

  /** A copy of `buf[start, end)`, valid for as long as anybody holds it. */
  copy(buf: Uint8Array, start: number, end: number): Bytes {
    const length = end - start
    if (length > CHUNK_BYTES / 4) return new Bytes(buf.slice(start, end), 0, length)
    if (this.used + length > CHUNK_BYTES) {
      this.chunk = new Uint8Array(CHUNK_BYTES)
      this.used = 0
    }
    const { chunk, used } = this
    chunk.set(buf.subarray(start, end), used)
    this.used += length
    return new Bytes(chunk, used, used + length)
  }
}
