/**
 * Shoppers of a campaign over WebSocket: each claims a coupon, most of those who get one buy with it, some let it run out, and
 * some pay so late that only `allowLate` could save them, which this shop does not ask for.
 *
 *     claim ──▶ coupon ─┬─▶ redeemReservation ──▶ bought
 *                       └─▶ nothing               the coupon goes to somebody else
 *           └─▶ refused  (the pool is empty, the campaign is used up, they had theirs today)
 */
import type { Acknowledgement } from '../../audit/audit-acknowledgements.ts'
import { connectWebSocket, type WebSocketConnection } from '../websocket-connection.ts'

export interface SaleTally {
  readonly claimed: number
  readonly bought: number
  readonly letGo: number
  /** By code. */
  readonly refusals: ReadonlyMap<string, number>
  readonly acknowledgements: readonly Acknowledgement[]
}

export interface SaleProgress {
  /** Shoppers who are done, however it went. */
  readonly done: number
  readonly bought: number
}

const CONNECTIONS = 16
const UNDER_WAY_MAX = 128
/** Every third who has a coupon lets it run out. */
const LET_GO_EVERY = 3
/** Cents. */
const CART_MIN = 1_000
const CART_MAX = 20_000

/** How a shopper may go home empty-handed; any other refusal is a defect. */
const MISSED: ReadonlySet<string> = new Set([
  'POOL_EMPTY',
  'CAMPAIGN_EXHAUSTED',
  'BUDGET_EXHAUSTED',
  'DAILY_LIMIT_REACHED',
  'USER_LIMIT_REACHED',
  'COUPON_LOCKED',
  'RESERVATION_EXPIRED',
])
const AGAIN: ReadonlySet<string> = new Set(['OVERLOADED', 'SHARD_UNAVAILABLE', 'OUTCOME_UNKNOWN'])

interface Message {
  readonly id: number
  readonly result?: {
    readonly reservationId?: string
    readonly redemptionId?: string
    readonly coupon?: { readonly code: string }
  }
  readonly error?: { readonly code: string; readonly detail: string }
}

/** A shopper who waits for an answer: to the claim, or to the purchase of this coupon. */
interface Waiting {
  readonly shopper: number
  readonly code: string
  readonly message: Readonly<Record<string, unknown>>
}

/** Sends shoppers `from` to before `to` through. Throws when a connection breaks or an answer makes no sense. */
export async function shop(
  port: number,
  campaignId: string,
  from: number,
  to: number,
  onProgress: (progress: SaleProgress) => void,
): Promise<SaleTally> {
  const crowd = new Crowd(campaignId, from, to, onProgress)
  const connections = await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => await connectWebSocket(port, '/v1/ws')),
  )
  try {
    await Promise.all(connections.map(async (connection) => await new Till(connection, crowd).run()))
  } finally {
    for (const connection of connections) connection.close()
  }
  return crowd
}

class Crowd implements SaleTally {
  claimed = 0
  bought = 0
  letGo = 0
  readonly refusals = new Map<string, number>()
  readonly acknowledgements: Acknowledgement[] = []
  private readonly campaignId: string
  private readonly to: number
  private readonly onProgress: (progress: SaleProgress) => void
  private next: number
  private done = 0

  constructor(campaignId: string, from: number, to: number, onProgress: (progress: SaleProgress) => void) {
    this.campaignId = campaignId
    this.next = from
    this.to = to
    this.onProgress = onProgress
  }

  /** The next shopper's claim; null: all have come. */
  nextClaim(): Waiting | null {
    if (this.next >= this.to) return null
    const shopper = this.next++
    const message = { op: 'claim', campaignId: this.campaignId, userId: `shopper-${shopper}` }
    return { shopper, code: '', message }
  }

  /** What the shopper does next; null: nothing more. */
  hears({ shopper, code, message }: Waiting, { result, error }: Message): Waiting | null {
    if (error !== undefined) {
      if (AGAIN.has(error.code)) return { shopper, code, message }
      if (!MISSED.has(error.code)) throw new Error(`a shopper was refused with ${error.code}: ${error.detail}`)
      this.refusals.set(error.code, (this.refusals.get(error.code) ?? 0) + 1)
      return this.leaves()
    }
    if (result?.redemptionId !== undefined) {
      const { redemptionId } = result
      this.bought++
      this.acknowledgements.push({ redemptionId, code, userId: `shopper-${shopper}`, orderId: `order-${shopper}` })
      return this.leaves()
    }
    if (result?.reservationId === undefined) throw new Error(`an answer that makes no sense: ${JSON.stringify(result)}`)
    this.claimed++
    if (shopper % LET_GO_EVERY === 0) {
      this.letGo++
      return this.leaves()
    }
    const orderTotal = CART_MIN + ((shopper * 7_919) % (CART_MAX - CART_MIN))
    const cart = { orderTotal, currency: 'EUR' }
    const { reservationId, coupon } = result
    const buy = { op: 'redeemReservation', reservationId, orderId: `order-${shopper}`, cart }
    return { shopper, code: coupon?.code ?? '', message: buy }
  }

  private leaves(): null {
    this.done++
    this.onProgress({ done: this.done, bought: this.bought })
    return null
  }
}

/** One connection, with many shoppers under way at once. */
class Till {
  private readonly connection: WebSocketConnection
  private readonly crowd: Crowd
  private readonly waiting = new Map<number, Waiting>()
  private readonly outgoing: Record<string, unknown>[] = []
  private lastId = 0
  private finished: () => void = () => {}

  constructor(connection: WebSocketConnection, crowd: Crowd) {
    this.connection = connection
    this.crowd = crowd
  }

  async run(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.finished = resolve
      this.connection.listen((text) => this.heard(text), reject)
      this.refill()
    })
  }

  private heard(text: string): void {
    const frame = JSON.parse(text) as Message | readonly Message[]
    for (const message of Array.isArray(frame) ? (frame as readonly Message[]) : [frame as Message]) {
      const waiting = this.waiting.get(message.id)
      if (waiting === undefined) throw new Error(`an answer to nothing: ${JSON.stringify(message)}`)
      this.waiting.delete(message.id)
      const next = this.crowd.hears(waiting, message)
      if (next !== null) this.ask(next)
    }
    this.refill()
  }

  private ask(waiting: Waiting): void {
    const id = ++this.lastId
    this.waiting.set(id, waiting)
    this.outgoing.push({ id, ...waiting.message })
  }

  private refill(): void {
    for (let room = UNDER_WAY_MAX - this.waiting.size; room > 0; room--) {
      const claim = this.crowd.nextClaim()
      if (claim === null) break
      this.ask(claim)
    }
    if (this.outgoing.length > 0) this.connection.send(JSON.stringify(this.outgoing.splice(0)))
    if (this.waiting.size === 0) this.finished()
  }
}
