// Single coupons under crashes: redemptions, reservations, reversals and columns on a few hot coupons, over HTTP and two sessions.

import { HttpClient } from '../support/http-client.ts'
import type { SeededRandom } from '../support/seeded-random.ts'
import type { ServerProcess } from '../support/server-process.ts'
import { connectCalls } from '../support/ws-calls.ts'
import { HttpCheckout, WsCheckout } from './checkout.ts'
import { checkAll, type Since } from './checks.ts'
import type { CrashLoad, Work } from './crash-load.ts'
import type { Way } from './deaths.ts'
import type { Facts, LogEnd } from './judge.ts'
import { type CouponEntry, Ledger, Violation } from './ledger.ts'
import { couponBody, type Doubt, Load, type Stock } from './load.ts'

const SESSIONS = 2
/** Buyers of each connection: HTTP, and each session. */
const BUYERS_EACH = 8
const PREPARED_LIVES_OF_A_STOCK = 4
const SAMPLE = 100
const FROM_THE_BEGINNING: Since = { redemptions: 0, reservations: 0, rows: 0, coupons: 0 }

/** Around the flush of a group of calls, and where reservations that ran out are let go. */
const WAYS: readonly Way[] = [
  { point: 'lane.flush-begins', when: 'now', timesMax: 40 },
  { point: 'lane.flush-ended', when: 'now', timesMax: 40 },
  { point: 'sweep.logged', when: 'now', timesMax: 2 },
  { point: 'sweep.logged', when: 'flushed', timesMax: 2 },
]

export class SingleCrash implements CrashLoad {
  readonly name = 'single'
  readonly workers = [1, 2, 3]
  readonly loadMsMax = 700
  readonly ways = WAYS
  readonly isJobUnderWay = false
  private readonly random: SeededRandom
  private readonly ledger = new Ledger()
  private http: HttpCheckout | null = null
  private sessions: WsCheckout[] = []
  private stock: Stock | null = null
  private since = FROM_THE_BEGINNING
  private prepared = 0
  private readonly doubts: Doubt[] = []
  private doubted = 0
  private checked = 0

  constructor(random: SeededRandom) {
    this.random = random
  }

  async connect({ port }: ServerProcess): Promise<void> {
    this.http = new HttpCheckout(new HttpClient(port, BUYERS_EACH * 4))
    for (let i = 0; i < SESSIONS; i++) this.sessions.push(new WsCheckout(await connectCalls(port, `s${i}-`)))
  }

  disconnect(): void {
    this.http?.http.close()
    for (const { session } of this.sessions) session.close()
    this.http = null
    this.sessions = []
  }

  async settle(): Promise<void> {
    const { doubts, http, sessions } = this
    // One that could not be settled stays, should the server be the reason.
    for (let settle = doubts[0]; settle !== undefined; settle = doubts[0]) {
      if (!(await settle(http as HttpCheckout, sessions[0] as WsCheckout))) {
        throw new Violation('a call in doubt was not settled by a quiet server')
      }
      doubts.shift()
    }
  }

  async check(isWhole: boolean): Promise<void> {
    const ws = this.sessions[0] as WsCheckout
    // Mostly over the session, which is quicker, and now and then over HTTP.
    const checkout = this.random.below(5) === 0 ? (this.http as HttpCheckout) : ws
    const since = isWhole ? FROM_THE_BEGINNING : this.since
    this.checked += await checkAll(this.ledger, checkout, ws, since, this.random, SAMPLE)
    const { redemptions, reservations, rows, coupons } = this.ledger
    this.since = {
      redemptions: redemptions.length,
      reservations: reservations.length,
      rows: rows.length,
      coupons: coupons.length,
    }
  }

  async prepare(round: number): Promise<void> {
    if (this.prepared % PREPARED_LIVES_OF_A_STOCK === 0) this.stock = await this.newStock(round)
    this.prepared++
  }

  begin(round: number): Work {
    const { ledger, random, http, sessions, stock } = this
    if (stock === null || http === null) return { done: Promise.resolve(), stop: () => {} }
    const load = new Load(ledger, random, round)
    const done = load.run(stock, http, sessions, BUYERS_EACH).then(() => {
      this.doubts.push(...load.doubts)
      this.doubted += load.doubts.length
    })
    return { done, stop: () => load.stop() }
  }

  facts(end: LogEnd): Facts {
    const { rows, redemptions, coupons } = this.ledger
    return {
      end,
      redemptions: [
        ...rows.map(({ coupon, orderId, userId }) => ({ code: coupon.code, orderId, userId, isReversed: false })),
        ...redemptions.map(({ coupon, orderId, userId, isReversed }) => {
          return { code: coupon.code, orderId, userId, isReversed }
        }),
      ],
      coupons: coupons.map((coupon) => {
        return { code: coupon.code, maxUses: coupon.maxUses, uses: this.ledger.uses(coupon) }
      }),
      jobs: [],
    }
  }

  counts(): Readonly<Record<string, number>> {
    const { redemptions, reservations, rows } = this.ledger
    return {
      redemptions: redemptions.length,
      reservations: reservations.length,
      rows: rows.length,
      doubts: this.doubted,
      checks: this.checked,
    }
  }

  private async newStock(round: number): Promise<Stock> {
    const create = async (
      name: string,
      maxUses: number | null,
      maxUsesPerUser: number | null,
    ): Promise<CouponEntry> => {
      const coupon = { code: `${name}-${round}`, maxUses, maxUsesPerUser }
      const answer = await (this.http as HttpCheckout).createCoupon(couponBody(coupon))
      if (answer.kind !== 'done') throw new Violation(`${coupon.code} was not created: ${JSON.stringify(answer)}`)
      this.ledger.addCoupon(coupon)
      return coupon
    }
    return {
      limited: await create('LIMITED', 1_500, null),
      perUser: await create('PERUSER', null, 5),
      reserved: await create('RESERVED', 600, 3),
      columns: await create('COLUMNS', 40_000, 8),
    }
  }
}
