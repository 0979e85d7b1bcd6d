// Reads what a WebSocket server sends, frame by frame: unmasked, never fragmented under load, pings between.
// Bytes in, calls out; no sockets here, so tests can feed it byte by byte.
//
//   byte 0: fin(1) rsv(3) opcode(4)   byte 1: mask(1)=0 length(7)   126: two more length bytes, 127: eight more

export const OPCODE = { text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

/** A server's answer to one frame of columns is some 20 KiB; anything near this is not one. */
const FRAME_BYTES_MAX = 4 * 2 ** 20

export class WebSocketReader {
  #held: Buffer = Buffer.allocUnsafeSlow(65_536)
  #length = 0
  readonly #onFrame: (opcode: number, payload: Buffer) => void

  /** The payload is valid during the call only. */
  constructor(onFrame: (opcode: number, payload: Buffer) => void) {
    this.#onFrame = onFrame
  }

  feed(bytes: Buffer, length: number): void {
    this.#makeRoom(length)
    bytes.copy(this.#held, this.#length, 0, length)
    this.#length += length
    let from = 0
    for (let end = this.#frameEnd(from); end > 0; end = this.#frameEnd(from)) from = end
    this.#held.copy(this.#held, 0, from, this.#length)
    this.#length -= from
  }

  /** Hands out the frame that starts there and returns where it ends; 0 when it is not complete. */
  #frameEnd(from: number): number {
    const have = this.#length - from
    if (have < 2) return 0
    const first = this.#held[from] as number
    if ((first & 0xf0) !== 0x80) throw new Error('a fragmented or compressed frame')
    const short = this.#held[from + 1] as number
    if (short > 127) throw new Error('a masked frame from the server')
    const headBytes = short === 127 ? 10 : short === 126 ? 4 : 2
    if (have < headBytes) return 0
    let payloadBytes = short
    if (short === 126) payloadBytes = this.#held.readUInt16BE(from + 2)
    if (short === 127) payloadBytes = Number(this.#held.readBigUInt64BE(from + 2))
    if (payloadBytes > FRAME_BYTES_MAX) throw new Error(`a frame of ${payloadBytes} bytes`)
    if (have < headBytes + payloadBytes) return 0
    const start = from + headBytes
    this.#onFrame(first & 0x0f, this.#held.subarray(start, start + payloadBytes))
    return start + payloadBytes
  }

  #makeRoom(more: number): void {
    if (this.#length + more <= this.#held.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#held.length * 2, this.#length + more))
    this.#held.copy(larger, 0, 0, this.#length)
    this.#held = larger
  }
}
