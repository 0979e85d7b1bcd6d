// A server under strace and a load on it: redemptions over HTTP and WebSocket, frames of columns, a coupon that runs out, and
// reads of its counter meanwhile. What comes back is the trace and what the clients were told.

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { HttpClient, type HttpReply } from '../support/http-client.ts'
import { type ServerOptions, startServer } from '../support/server-process.ts'
import { removeDirectory, temporaryDirectory } from '../support/temporary-directory.ts'
import { connectCalls, type WsCalls } from '../support/ws-calls.ts'
import type { Told } from './judge.ts'

const CALLS = 'write,writev,send,sendto,sendmsg,pwrite64,pwritev,pwritev2,fdatasync,fsync,msync,sync_file_range'
/** Longer than any page run or reply of the load: a cut string would hide an order. */
const STRING_BYTES_MAX = 4_194_304

/** Order ids of the load, found in the bytes of a page. */
export const ORDER_PATTERN = /ord-[a-z]+-\d+-end/g

const CART = { orderTotal: 5_000, currency: 'EUR' } as const
const OPEN_COUPON = 'TRACED'
const SCARCE_COUPON = 'SCARCE'
const COLUMNS_COUPON = 'TRACED-COLUMNS'
const ROWS = 100

export interface LoadSize {
  /** Redemptions over HTTP, and as many over WebSocket. */
  readonly redemptions: number
  readonly frames: number
  readonly racers: number
  readonly scarceUses: number
}

export interface TracedRun {
  readonly trace: string
  readonly told: Told
  /** Acknowledgements that clients counted: the judge has to find as many. */
  readonly acknowledged: number
  readonly refused: number
  readonly reads: number
}

/** Whether this machine has strace and lets us use it. */
export function canTrace(): boolean {
  try {
    execFileSync('strace', ['-qq', '-o', '/dev/null', process.execPath, '-e', '0'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

export async function runTraced(
  size: LoadSize,
  server: Pick<ServerOptions, 'settings' | 'entry'> = {},
): Promise<TracedRun> {
  const directory = temporaryDirectory('trace')
  const path = join(directory, 'trace')
  try {
    const traced = await startServer({ ...server, dataDir: join(directory, 'data'), wrap: tracer(path) })
    const http = new HttpClient(traced.port, 16)
    const sessions = await Promise.all([connectCalls(traced.port, 'a'), connectCalls(traced.port, 'b')])
    try {
      const load = await new TracedLoad(http, sessions).run(size)
      http.close()
      for (const session of sessions) session.close()
      await traced.stop()
      return { trace: readFileSync(path, 'latin1'), ...load }
    } finally {
      if (traced.isRunning) await traced.kill()
    }
  } finally {
    removeDirectory(directory)
  }
}

/** `-D`: the server stays our child and gets our signals, the tracer is its grandchild. */
function tracer(path: string): string[] {
  return [
    'strace',
    '-D',
    '-f',
    '-qq',
    '-ttt',
    '-yy',
    '-e',
    'signal=none',
    '-e',
    `trace=${CALLS}`,
    '-s',
    String(STRING_BYTES_MAX),
    '-o',
    path,
  ]
}

class TracedLoad {
  private readonly http: HttpClient
  private readonly sessions: readonly WsCalls[]
  private readonly orders = new Set<string>()
  private readonly rowsOf = new Map<string, readonly string[]>()
  private readonly winners: string[] = []
  private acknowledged = 0
  private refused = 0
  /** The answer to its creation shows the scarce coupon as well. */
  private reads = 1

  constructor(http: HttpClient, sessions: readonly WsCalls[]) {
    this.http = http
    this.sessions = sessions
  }

  async run({ redemptions, frames, racers, scarceUses }: LoadSize): Promise<Omit<TracedRun, 'trace'>> {
    await this.create(OPEN_COUPON, {})
    await this.create(SCARCE_COUPON, { maxUses: scarceUses })
    await this.create(COLUMNS_COUPON, { maxUsesPerUser: 1 })
    const work: Promise<void>[] = []
    for (let i = 0; i < redemptions; i++) {
      work.push(this.redeemOverHttp(OPEN_COUPON, this.order('http', i)))
      work.push(this.redeemOverWebSocket(OPEN_COUPON, this.order('ws', i), i))
    }
    for (let i = 0; i < frames; i++) work.push(this.columns(i))
    for (let i = 0; i < racers; i++) {
      const order = this.order('race', i)
      work.push(
        i % 2 === 0 ? this.redeemOverHttp(SCARCE_COUPON, order) : this.redeemOverWebSocket(SCARCE_COUPON, order, i),
      )
      if (i % 4 === 0) work.push(this.read())
    }
    await Promise.all(work)
    const told: Told = { orders: this.orders, rowsOf: this.rowsOf, winnersOf: new Map([[SCARCE_COUPON, this.winners]]) }
    return { told, acknowledged: this.acknowledged, refused: this.refused, reads: this.reads }
  }

  private order(way: string, i: number): string {
    const orderId = `ord-${way}-${i}-end`
    this.orders.add(orderId)
    return orderId
  }

  private async create(code: string, limits: Record<string, unknown>): Promise<void> {
    const { status, text } = await this.http.post('/v1/coupons', { code, type: 'PERCENT', value: 10, ...limits })
    if (status !== 201) throw new Error(`the coupon ${code} was not created: ${text}`)
  }

  private async redeemOverHttp(code: string, orderId: string): Promise<void> {
    const { status, json }: HttpReply = await this.http.post('/v1/redemptions', bodyOf(code, orderId))
    this.count(code, orderId, status === 201, json['code'])
  }

  private async redeemOverWebSocket(code: string, orderId: string, i: number): Promise<void> {
    const session = this.sessions[i % this.sessions.length] as WsCalls
    const { ok, error } = await session.call('redeem', bodyOf(code, orderId))
    this.count(code, orderId, ok, error?.['code'])
  }

  private count(code: string, orderId: string, isRedeemed: boolean, refusal: unknown): void {
    if (isRedeemed) {
      this.acknowledged++
      if (code === SCARCE_COUPON) this.winners.push(orderId)
    } else if (refusal === 'COUPON_EXHAUSTED') {
      this.refused++
    } else {
      throw new Error(`order ${orderId} was refused with ${String(refusal)}`)
    }
  }

  private async read(): Promise<void> {
    await this.http.get(`/v1/coupons/${SCARCE_COUPON}`)
    this.reads++
  }

  private async columns(frame: number): Promise<void> {
    const orderIds = Array.from({ length: ROWS }, (_, i) => this.order('rows', frame * ROWS + i))
    const session = this.sessions[frame % this.sessions.length] as WsCalls
    const { id, outcomes } = await session.call('redeemColumns', {
      code: COLUMNS_COUPON,
      currency: 'EUR',
      userIds: orderIds.map((order) => `of-${order}`),
      orderIds,
      orderTotals: 5_000,
    })
    if (outcomes?.every((outcome) => outcome === 0) !== true)
      throw new Error('rows of new users and orders were refused')
    this.rowsOf.set(id, orderIds)
    this.acknowledged += ROWS
  }
}

function bodyOf(code: string, orderId: string): Record<string, unknown> {
  return { codes: [code], userId: `of-${orderId}`, orderId, cart: CART }
}
