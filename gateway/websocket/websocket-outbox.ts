/**
 * Outbox: what one connection is to be sent at the end of this turn. Answers that arrive together leave together, in one
 * corked write, and answers to messages that came in arrays leave in arrays. A client that sends single messages gets
 * single answers.
 *
 * Must never happen here: a message longer than a frame may be split, or one lost.
 */
import { ByteWriter } from '../../protocol/bytes.ts'
import { writeArrayHead } from './columns-elements.ts'
import { ANSWER_FRAME_BYTES } from './websocket-limits.ts'

/** Sends one frame. */
export type SendFrame = (payload: string | Uint8Array, isBinary: boolean) => void

export class Outbox {
  private texts: string[] = []
  private groupedTexts: string[] = []
  private binaries: Uint8Array[] = []
  private groupedBinaries: Uint8Array[] = []

  get isEmpty(): boolean {
    return this.texts.length + this.groupedTexts.length + this.binaries.length + this.groupedBinaries.length === 0
  }

  /** `message` is kept as it is until it is sent. */
  add(message: string | Uint8Array, grouped: boolean): void {
    if (typeof message === 'string') (grouped ? this.groupedTexts : this.texts).push(message)
    else (grouped ? this.groupedBinaries : this.binaries).push(message)
  }

  /** Arrays first, so that the answer to a subscription leaves before its first push, which is never in an array. */
  sendAll(send: SendFrame): void {
    if (this.groupedTexts.length > 0) {
      for (const frame of joinedTexts(this.groupedTexts)) send(frame, false)
      this.groupedTexts = []
    }
    if (this.groupedBinaries.length > 0) {
      for (const frame of joinedBinaries(this.groupedBinaries)) send(frame, true)
      this.groupedBinaries = []
    }
    if (this.texts.length > 0) {
      for (const text of this.texts) send(text, false)
      this.texts = []
    }
    if (this.binaries.length > 0) {
      for (const binary of this.binaries) send(binary, true)
      this.binaries = []
    }
  }
}

function* joinedTexts(messages: readonly string[]): Generator<string> {
  let frame = ''
  for (const message of messages) {
    if (frame !== '' && frame.length + message.length > ANSWER_FRAME_BYTES) {
      yield `${frame}]`
      frame = ''
    }
    frame += (frame === '' ? '[' : ',') + message
  }
  yield `${frame}]`
}

function* joinedBinaries(messages: readonly Uint8Array[]): Generator<Uint8Array> {
  let from = 0
  let bytes = 0
  for (let i = 0; i < messages.length; i++) {
    const length = (messages[i] as Uint8Array).length
    if (i > from && bytes + length > ANSWER_FRAME_BYTES) {
      yield binaryArray(messages, from, i, bytes)
      from = i
      bytes = 0
    }
    bytes += length
  }
  yield binaryArray(messages, from, messages.length, bytes)
}

function binaryArray(messages: readonly Uint8Array[], from: number, to: number, bytes: number): Uint8Array {
  const w = new ByteWriter(bytes + 5)
  writeArrayHead(w, to - from)
  for (let i = from; i < to; i++) {
    const message = messages[i] as Uint8Array
    w.raw(message, 0, message.length)
  }
  return w.view()
}
