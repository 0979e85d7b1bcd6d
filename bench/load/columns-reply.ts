// Judges an answer to `redeemColumns`: how many rows were redeemed, replayed, refused.
//
// Nearly every answer says "redeemed" for all rows, and then its outcomes are a run of zero bytes behind a known
// beginning, which one comparison finds. Everything else is decoded in full. The first answer always is, so that the
// short way is only taken by a server whose answers have been understood.

import { Unpackr } from 'msgpackr'

export interface ColumnsTally {
  frames: number
  failedFrames: number
  redeemed: number
  replayed: number
  refused: number
  /** The first refused outcome or failed frame in words; empty when there was none. */
  firstProblem: string
}

function emptyTally(): ColumnsTally {
  return { frames: 0, failedFrames: 0, redeemed: 0, replayed: 0, refused: 0, firstProblem: '' }
}

interface ColumnsAnswer {
  readonly id: number
  readonly ok: boolean
  readonly outcomes?: readonly number[]
  readonly discounts?: readonly number[]
  readonly error?: { readonly code: string; readonly detail?: string }
}

export class ColumnsReplyJudge {
  readonly tally: ColumnsTally = emptyTally()
  readonly #unpackr = new Unpackr({ useRecords: false })
  readonly #rows: number
  readonly #discountMinor: number
  readonly #zeros: Buffer
  readonly #marker: Buffer

  /** `discountMinor` is what every redeemed row of the first answer has to be given. */
  constructor(rows: number, discountMinor: number) {
    this.#rows = rows
    this.#discountMinor = discountMinor
    this.#zeros = Buffer.alloc(rows)
    const name = Buffer.from('outcomes')
    const head = rows < 16 ? [0x90 + rows] : [0xdc, rows >>> 8, rows & 0xff]
    this.#marker = Buffer.concat([Buffer.from([0xa0 + name.length]), name, Buffer.from(head)])
  }

  /** Counts one message, which holds one answer or an array of them; returns how many answers it held. */
  take(payload: Buffer): number {
    if (this.tally.frames > 0 && this.#allRedeemed(payload)) {
      this.tally.frames += 1
      this.tally.redeemed += this.#rows
      return 1
    }
    const message = this.#unpackr.unpack(payload) as ColumnsAnswer | readonly ColumnsAnswer[]
    const answers = Array.isArray(message) ? (message as readonly ColumnsAnswer[]) : [message as ColumnsAnswer]
    for (const answer of answers) this.#count(answer)
    return answers.length
  }

  /** A map whose outcomes are zeros throughout; an array of answers goes the long way. */
  #allRedeemed(payload: Buffer): boolean {
    const first = payload[0] as number
    if ((first & 0xf0) !== 0x80 && first !== 0xde) return false
    const found = payload.indexOf(this.#marker)
    if (found < 0) return false
    const from = found + this.#marker.length
    return (
      payload.length >= from + this.#rows && payload.compare(this.#zeros, 0, this.#rows, from, from + this.#rows) === 0
    )
  }

  #count(answer: ColumnsAnswer): void {
    this.tally.frames += 1
    const { outcomes, discounts } = answer
    if (!answer.ok || outcomes === undefined || discounts === undefined) {
      this.tally.failedFrames += 1
      this.#problem(`frame ${answer.id}: ${answer.error?.code ?? 'no outcomes'} ${answer.error?.detail ?? ''}`)
      return
    }
    if (outcomes.length !== this.#rows || discounts.length !== this.#rows) {
      this.tally.failedFrames += 1
      this.#problem(`frame ${answer.id}: ${outcomes.length} outcomes, ${discounts.length} discounts`)
      return
    }
    for (let row = 0; row < this.#rows; row++) this.#countRow(answer.id, row, outcomes[row], discounts[row])
  }

  #countRow(frame: number, row: number, outcome: number | undefined, discountMinor: number | undefined): void {
    if (outcome === 0) this.tally.redeemed += 1
    else if (outcome === 1) this.tally.replayed += 1
    else {
      this.tally.refused += 1
      this.#problem(`frame ${frame}, row ${row}: outcome ${outcome}`)
    }
    if (outcome === 0 && discountMinor !== this.#discountMinor) {
      this.#problem(`frame ${frame}, row ${row}: a discount of ${discountMinor}, not ${this.#discountMinor}`)
    }
  }

  #problem(words: string): void {
    if (this.tally.firstProblem === '') this.tally.firstProblem = words
  }
}
