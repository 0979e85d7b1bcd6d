// Sends columns over one WebSocket as fast as they are answered, a fixed number of frames in flight.
//
// A closed loop on purpose: this measures throughput. Encoding and masking happen before the clock starts; while it
// runs, a frame costs this side one write and one comparison of its answer (the first answer is decoded in full).

import type { Socket } from 'node:net'
import { performance } from 'node:perf_hooks'
import { type ColumnsFrames, encodeColumnsFrames } from './columns-frames.ts'
import { ColumnsReplyJudge, type ColumnsTally } from './columns-reply.ts'
import { type LatencySummary, latencyHistogram, recordMs, summarise } from './latency.ts'
import { closeWords, openWebSocket, pong } from './open-websocket.ts'
import { OPCODE, WebSocketReader } from './websocket-reader.ts'

export interface ColumnsInput {
  readonly port: number
  readonly code: string
  readonly seconds: number
  readonly rowsPerFrame: number
  readonly rowsMax: number
  readonly framesInFlight: number
  readonly discountMinor: number
  /** Users and orders are numbered from here, so that a second run on the same coupon has new ones; 0 when left out. */
  readonly firstRow?: number
}

export interface ColumnsResult extends ColumnsTally {
  readonly framesSent: number
  readonly framesPrepared: number
  readonly encodedBytes: number
  /** From the first write to the last answer. */
  readonly elapsedSeconds: number
  readonly redeemedPerSecond: number
  /** Rows answered in each second of the run; shows whether the pace holds. */
  readonly rowsBySecond: readonly number[]
  /** Of a whole frame, from its write to its answer. */
  readonly frameLatency: LatencySummary
  /** Share of one core that the client itself used. */
  readonly clientCpu: number
}

/** A server that answers nothing for so long has failed. */
const SILENCE_LIMIT_MS = 15_000

export async function runColumns(input: ColumnsInput): Promise<ColumnsResult> {
  const frames = encodeColumnsFrames({ ...input, firstRow: input.firstRow ?? 0 })
  const socket = await openWebSocket(input.port)
  try {
    return await new ColumnsRun(input, frames, socket).run()
  } finally {
    socket.destroy()
  }
}

class ColumnsRun {
  readonly #input: ColumnsInput
  readonly #frames: readonly Buffer[]
  readonly #socket: Socket
  readonly #judge: ColumnsReplyJudge
  readonly #latency = latencyHistogram()
  readonly #rowsBySecond: number[] = []
  readonly #sentAtMs: Float64Array
  #sent = 0
  #answered = 0
  #startMs = 0
  #lastAnswerMs = 0

  constructor(input: ColumnsInput, frames: ColumnsFrames, socket: Socket) {
    this.#input = input
    this.#frames = frames.frames
    this.#socket = socket
    this.#judge = new ColumnsReplyJudge(input.rowsPerFrame, input.discountMinor)
    this.#sentAtMs = new Float64Array(frames.frames.length)
  }

  async run(): Promise<ColumnsResult> {
    const cpuBefore = process.cpuUsage()
    this.#startMs = performance.now()
    const silence = setInterval(() => {
      const silentMs = performance.now() - this.#startMs - this.#lastAnswerMs
      if (silentMs > SILENCE_LIMIT_MS) this.#socket.destroy(new Error(`no answer for ${SILENCE_LIMIT_MS} ms`))
    }, 1_000)
    try {
      await this.#exchange()
    } finally {
      clearInterval(silence)
    }
    const cpu = process.cpuUsage(cpuBefore)
    const elapsedSeconds = this.#lastAnswerMs / 1_000
    return {
      ...this.#judge.tally,
      framesSent: this.#sent,
      framesPrepared: this.#frames.length,
      encodedBytes: this.#frames.reduce((sum, frame) => sum + frame.length, 0),
      elapsedSeconds,
      redeemedPerSecond: this.#judge.tally.redeemed / elapsedSeconds,
      rowsBySecond: this.#rowsBySecond,
      frameLatency: summarise(this.#latency),
      clientCpu: (cpu.user + cpu.system) / 1e6 / elapsedSeconds,
    }
  }

  /** Sends and counts until every sent frame is answered; fails when the connection ends before. */
  #exchange(): Promise<void> {
    return new Promise((resolve, reject) => {
      const reader = new WebSocketReader((opcode, payload) => {
        if (opcode === OPCODE.binary && this.#answer(payload)) resolve()
        else if (opcode === OPCODE.ping) this.#socket.write(pong(payload))
        else if (opcode === OPCODE.close) reject(new Error(`closed by the server: ${closeWords(payload)}`))
        else if (opcode === OPCODE.text) reject(new Error(`a text frame: ${payload.toString('utf8', 0, 300)}`))
      })
      this.#socket.on('data', (chunk: Buffer) => {
        try {
          reader.feed(chunk, chunk.length)
        } catch (cause) {
          reject(cause)
        }
      })
      this.#socket.once('error', reject)
      this.#socket.once('close', () => reject(new Error('the server closed the connection')))
      for (let index = 0; index < this.#input.framesInFlight; index++) this.#send()
    })
  }

  /** Sends the next frame while there is time and a frame. */
  #send(): void {
    const frame = this.#frames[this.#sent]
    const nowMs = performance.now() - this.#startMs
    if (frame === undefined || nowMs >= this.#input.seconds * 1_000) return
    this.#sentAtMs[this.#sent] = nowMs
    this.#sent += 1
    this.#socket.write(frame)
  }

  /** Counts a message and sends as many frames as it answered. True when the run is over. */
  #answer(payload: Buffer): boolean {
    const answers = this.#judge.take(payload)
    const nowMs = performance.now() - this.#startMs
    const second = Math.floor(nowMs / 1_000)
    while (this.#rowsBySecond.length <= second) this.#rowsBySecond.push(0)
    this.#rowsBySecond[second] = (this.#rowsBySecond[second] as number) + answers * this.#input.rowsPerFrame
    this.#lastAnswerMs = nowMs
    for (let index = 0; index < answers; index++) {
      // Frames of one coupon go to one shard and come back in the order sent, so the oldest open one is meant.
      recordMs(this.#latency, nowMs - (this.#sentAtMs[this.#answered] as number))
      this.#answered += 1
      this.#send()
    }
    return this.#answered === this.#sent
  }
}
