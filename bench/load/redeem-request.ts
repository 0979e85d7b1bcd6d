// The bytes of one redemption request, kept once a connection and changed in place: only the digits of the user and
// the order differ from one request to the next, so sending costs two numbers and a write.
//
//   POST /v1/redemptions HTTP/1.1 ⏎ … ⏎⏎ {"codes":["C"],"userId":"u<tag>00000042","orderId":"o<tag>00000042","cart":…}
//                                                             ^ userAt              ^ orderAt
//
// The bytes may be changed only when the reply to the previous request has come: then the kernel has taken them all.

/** Amount of the one line of every cart, in minor units. */
export const LINE_AMOUNT_MINOR = 4_999
export const CURRENCY = 'EUR'

const DIGITS = 8

/** The body for one redemption; `number` makes the user and the order new. Stacked codes have commas between them. */
export function redeemBody(code: string, tag: string, number: number): string {
  const suffix = tag + String(number).padStart(DIGITS, '0')
  return (
    `{"codes":["${code.replaceAll(',', '","')}"],"userId":"u${suffix}","orderId":"o${suffix}",` +
    `"cart":{"currency":"${CURRENCY}","lines":[{"productId":"p1","quantity":1,"unitPrice":${LINE_AMOUNT_MINOR}}]}}`
  )
}

/** The same cart without an order, for `POST /validate`. */
export function validateBody(code: string, tag: string, number: number): string {
  const suffix = tag + String(number).padStart(DIGITS, '0')
  return (
    `{"codes":["${code.replaceAll(',', '","')}"],"userId":"u${suffix}",` +
    `"cart":{"currency":"${CURRENCY}","lines":[{"productId":"p1","quantity":1,"unitPrice":${LINE_AMOUNT_MINOR}}]}}`
  )
}

export class RedeemRequest {
  readonly bytes: Buffer
  readonly #userAt: number
  readonly #orderAt: number

  constructor(code: string, tag: string) {
    const body = redeemBody(code, tag, 0)
    const head =
      'POST /v1/redemptions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n' +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n`
    const zeros = tag + '0'.repeat(DIGITS)
    this.bytes = Buffer.from(head + body, 'latin1')
    this.#userAt = head.length + body.indexOf(`u${zeros}"`) + 1 + tag.length
    this.#orderAt = head.length + body.indexOf(`o${zeros}"`) + 1 + tag.length
  }

  /** Makes it the request of this number: from 0, below 10^8. */
  become(number: number): void {
    let rest = number
    for (let place = DIGITS - 1; place >= 0; place--) {
      const digit = 0x30 + (rest % 10)
      this.bytes[this.#userAt + place] = digit
      this.bytes[this.#orderAt + place] = digit
      rest = Math.floor(rest / 10)
    }
  }
}
