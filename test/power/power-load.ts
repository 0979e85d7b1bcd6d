// What is asked of the server whose disk is recorded: of everything a little, in waves that make many small commits, until it has
// changed segments, made snapshots and moved segments to the archive.

import { setTimeout as wait } from 'node:timers/promises'
import { HttpClient, type HttpReply } from '../support/http-client.ts'
import type { ServerProcess } from '../support/server-process.ts'
import { connectCalls, type WsCalls } from '../support/ws-calls.ts'

const CART = { orderTotal: 5_000, currency: 'EUR' } as const
const CSV = { 'content-type': 'text/csv' }
const LOOK_EVERY_MS = 10
/** Between waves: the maker of snapshots looks once a second. */
const PAUSE_MS = 40

export const OPEN_COUPON = 'OPEN'
export const SCARCE_COUPON = 'SCARCE'
export const SCARCE_USES = 12

export interface LoadSize {
  readonly waves: number
  /** Redemptions of each wave, over both wires. */
  readonly perWave: number
  readonly importRows: number
  readonly codes: number
  /** Runs of the maker of snapshots that are awaited while waves go on. */
  readonly snapshotRuns: number
}

export async function runLoad(server: ServerProcess, size: LoadSize): Promise<void> {
  const http = new HttpClient(server.port, 8)
  const session = await connectCalls(server.port, 'w')
  try {
    await new PowerLoad(http, session, server).run(size)
  } finally {
    http.close()
    session.close()
  }
}

class PowerLoad {
  private readonly http: HttpClient
  private readonly session: WsCalls
  private readonly server: ServerProcess
  private orders = 0
  private campaignId = ''

  constructor(http: HttpClient, session: WsCalls, server: ServerProcess) {
    this.http = http
    this.session = session
    this.server = server
  }

  async run({ waves, perWave, importRows, codes, snapshotRuns }: LoadSize): Promise<void> {
    await this.create(OPEN_COUPON, {})
    await this.create(SCARCE_COUPON, { maxUses: SCARCE_USES })
    await this.create('STACK-A', { stacking: 'STACKABLE' })
    await this.create('STACK-B', { stacking: 'STACKABLE' })
    await this.create('COLUMNS', { maxUsesPerUser: 1 })
    const offer = { type: 'PERCENT', value: 20 }
    const campaign = await this.told(201, this.http.post('/v1/campaigns', { name: 'Power', offer, maxUses: 500 }))
    this.campaignId = String(campaign['campaignId'])
    await this.told(202, this.http.post(`/v1/campaigns/${this.campaignId}/codes`, { count: codes }))
    const snapshots = (): number => this.server.log.filter(({ msg }) => msg === 'snapshots made').length
    for (let wave = 0; wave < waves || snapshots() < snapshotRuns; wave++) {
      // Half of the rows at the beginning, half when there are snapshots and an archive.
      if (wave === 0 || wave === waves - 1) await this.import(wave, importRows)
      await this.wave(wave, perWave)
      await wait(PAUSE_MS)
    }
    await this.importsEnded()
  }

  private async wave(wave: number, perWave: number): Promise<void> {
    const calls: Promise<unknown>[] = [this.columns(wave), this.stack(), this.claim(wave), this.reservation(wave)]
    for (let i = 0; i < perWave; i++) {
      const code = i % 4 === 0 ? SCARCE_COUPON : OPEN_COUPON
      const body = this.redemption([code])
      calls.push(i % 2 === 0 ? this.http.post('/v1/redemptions', body) : this.session.call('redeem', body))
    }
    await Promise.all(calls)
  }

  private redemption(codes: readonly string[]): Record<string, unknown> {
    const orderId = `order-${++this.orders}`
    return { codes, userId: `of-${orderId}`, orderId, cart: CART }
  }

  private async stack(): Promise<void> {
    await this.told(201, this.http.post('/v1/redemptions', this.redemption(['STACK-A', 'STACK-B'])))
  }

  private async claim(wave: number): Promise<void> {
    await this.http.post(`/v1/campaigns/${this.campaignId}/claims`, { userId: `claimer-${wave}` })
  }

  private async reservation(wave: number): Promise<void> {
    const body = { codes: [OPEN_COUPON], userId: `reserver-${wave}`, cart: CART, ttlSeconds: wave % 3 === 0 ? 1 : 300 }
    const { reservationId } = await this.told(201, this.http.post('/v1/reservations', body))
    if (wave % 2 === 0) await this.told(204, this.http.call('DELETE', `/v1/reservations/${String(reservationId)}`))
  }

  private async columns(wave: number): Promise<void> {
    const names = Array.from({ length: 30 }, (_, row) => `row-${wave}-${row}`)
    const { ok } = await this.session.call('redeemColumns', {
      code: 'COLUMNS',
      currency: 'EUR',
      userIds: names,
      orderIds: names,
      orderTotals: 5_000,
    })
    if (!ok) throw new Error('rows of new users were refused')
  }

  private async import(wave: number, rows: number): Promise<void> {
    const lines = Array.from({ length: rows }, (_, row) => `IMPORTED-${wave}-${row},PERCENT,10,imported in ${wave}`)
    const file = `code,type,value,description\n${lines.join('\n')}\n`
    await this.told(202, this.http.call('POST', '/v1/imports/coupons', file, CSV))
  }

  /** The log of the server tells the end of each. */
  private async importsEnded(): Promise<void> {
    while (this.server.log.filter(({ msg }) => msg === 'an import has ended').length < 2) await wait(LOOK_EVERY_MS)
  }

  private async create(code: string, limits: Record<string, unknown>): Promise<void> {
    await this.told(201, this.http.post('/v1/coupons', { code, type: 'PERCENT', value: 10, ...limits }))
  }

  private async told(status: number, call: Promise<HttpReply>): Promise<Record<string, unknown>> {
    const reply = await call
    if (reply.status !== status) throw new Error(`answered ${reply.status} instead of ${status}: ${reply.text}`)
    return reply.json
  }
}
