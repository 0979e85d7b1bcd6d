/**
 * The events of idempotency keys as bytes: the part of `event-codec.ts` that deals with calls instead of coupons. Layouts
 * by example: docs/formats/events.md.
 */
import { assert } from './assert.ts'
import type { ByteReader, ByteWriter } from './bytes.ts'
import {
  DONE_KINDS,
  EVENT,
  type KeyAnswered,
  type KeyClaimed,
  type KeysForgotten,
  type OperationDone,
} from './events.ts'
import { readRecordedAnswer, writeRecordedAnswer } from './recorded-answer.ts'

export type KeyEvent = KeyClaimed | KeyAnswered | OperationDone | KeysForgotten

/** Behind the type byte. */
export function writeKeyEvent(w: ByteWriter, event: KeyEvent): void {
  switch (event.type) {
    case EVENT.KEY_CLAIMED:
      w.maybeText(event.scope)
      w.text(event.key)
      w.range(event.digest)
      w.range(event.operation)
      return
    case EVENT.KEY_ANSWERED:
      w.maybeText(event.scope)
      w.text(event.key)
      w.varint(event.claimSeq)
      w.u8(event.answer === null ? 0 : 1)
      if (event.answer !== null) writeRecordedAnswer(w, event.answer)
      return
    case EVENT.OPERATION_DONE:
      w.range(event.operation)
      w.u8(DONE_KINDS.indexOf(event.shows))
      w.varint(event.number)
      w.u8(event.again ? 1 : 0)
      return
    case EVENT.KEYS_FORGOTTEN:
      w.varint(event.beforeSeq)
      return
  }
}

export function readKeyEvent(r: ByteReader, type: KeyEvent['type']): KeyEvent {
  switch (type) {
    case EVENT.KEY_CLAIMED:
      return { type, scope: r.maybeText(), key: r.text(), digest: r.range(), operation: r.range() }
    case EVENT.KEY_ANSWERED:
      return {
        type,
        scope: r.maybeText(),
        key: r.text(),
        claimSeq: r.varint(),
        answer: r.u8() === 1 ? readRecordedAnswer(r) : null,
      }
    case EVENT.OPERATION_DONE: {
      const operation = r.range()
      const shows = DONE_KINDS[r.u8()]
      assert(shows !== undefined, 'an operation shows something unknown')
      return { type, operation, shows, number: r.varint(), again: r.u8() === 1 }
    }
    case EVENT.KEYS_FORGOTTEN:
      return { type, beforeSeq: r.varint() }
  }
}
