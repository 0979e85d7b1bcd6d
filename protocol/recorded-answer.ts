/**
 * The answer that a call with an `Idempotency-Key` got, as it is kept for its replays: the words that were said, not the
 * facts behind them, because a replay has to say the same even when the facts have moved on.
 *
 * A body that was a refusal is the whole problem as HTTP has it, with the id of the request that was refused. Gateways
 * write and read these texts; to a shard they are bytes with a length.
 */
import type { ByteReader, ByteWriter } from './bytes.ts'

export interface RecordedAnswer {
  /** HTTP; 200 to 299 is a success, everything else a refusal. */
  readonly status: number
  /** JSON text; '' with 204. */
  readonly body: string
  /** `X-Tearoff-Position`; '' where no shard answered. */
  readonly position: string
  /** `Location`; '' where nothing was created. */
  readonly location: string
  /** `ETag` with its quotes; '' where the answer is no coupon. */
  readonly etag: string
  /** `Retry-After`; 0: none. */
  readonly retryAfterSeconds: number
}

export function writeRecordedAnswer(w: ByteWriter, answer: RecordedAnswer): void {
  w.u16(answer.status)
  w.text(answer.body)
  w.text(answer.position)
  w.text(answer.location)
  w.text(answer.etag)
  w.varint(answer.retryAfterSeconds)
}

export function readRecordedAnswer(r: ByteReader): RecordedAnswer {
  return {
    status: r.u16(),
    body: r.text(),
    position: r.text(),
    location: r.text(),
    etag: r.text(),
    retryAfterSeconds: r.varint(),
  }
}
