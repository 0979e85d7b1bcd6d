// A file of coupons, as it is sent and as it has to be there: every row once, with the uses that it came with.

import type { HttpClient, HttpReply } from '../support/http-client.ts'
import type { SeededRandom } from '../support/seeded-random.ts'
import type { CouponFact } from './judge.ts'
import { Violation } from './ledger.ts'

const MAX_USES = 5

export class ImportFile {
  readonly rows: number
  private readonly prefix: string

  /** `prefix` begins its codes, which nobody else uses. */
  constructor(prefix: string, rows: number) {
    this.prefix = prefix
    this.rows = rows
  }

  send(http: HttpClient, headers: Readonly<Record<string, string>>): Promise<HttpReply> {
    const lines = Array.from({ length: this.rows }, (_, i) => `${this.codeOf(i)},PERCENT,10,${MAX_USES},${usesOf(i)}`)
    const text = ['code,type,value,maxUses,uses', ...lines, ''].join('\n')
    return http.call('POST', '/v1/imports/coupons', text, { ...headers, 'content-type': 'text/csv' })
  }

  /** What the log has to hold when the import has ended. */
  facts(): CouponFact[] {
    return Array.from({ length: this.rows }, (_, i) => ({ code: this.codeOf(i), maxUses: MAX_USES, uses: usesOf(i) }))
  }

  /** The first row, the last and some between. */
  async check(http: HttpClient, random: SeededRandom, sample: number): Promise<void> {
    const places = Array.from({ length: sample }, () => random.below(this.rows))
    for (const i of [0, this.rows - 1, ...places]) {
      const { status, json, text } = await http.get(`/v1/coupons/${this.codeOf(i)}`)
      const isThere = status === 200 && json['uses'] === usesOf(i) && json['maxUses'] === MAX_USES
      // A row that was put twice after a crash is no change of the coupon.
      if (!isThere || json['version'] !== 1) {
        throw new Violation(`row ${i} of ${this.prefix} was imported with ${usesOf(i)} uses: ${text}`)
      }
    }
  }

  private codeOf(row: number): string {
    return `${this.prefix}-${row}`
  }
}

function usesOf(row: number): number {
  return row % 3
}
