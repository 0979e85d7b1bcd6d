// A store in memory that does what a peer's parts do, and can be told to do one thing wrong: for trying the transport and the
// proof without servers.

import type { PeerCoupon, PeerStore, Redeemed, RedemptionFacts, Remembered } from '../../../bench/peers/peer-store.ts'

/** `awaitBetween`: looks first and counts a turn later, the mistake that races are there to find. */
export type Mistake = 'none' | 'awaitBetween' | 'forgetsOrders' | 'forgetsUsers'

export class MemoryStore implements PeerStore {
  mistake: Mistake
  /** Thrown by the next redemption. */
  failure: Error | null = null
  private readonly uses = new Map<number, number>()
  private readonly users = new Map<string, number>()
  private readonly orders = new Map<string, Remembered>()

  constructor(mistake: Mistake = 'none') {
    this.mistake = mistake
  }

  async createCoupon(coupon: PeerCoupon): Promise<void> {
    this.uses.set(coupon.ordinal, 0)
    await Promise.resolve()
  }

  async redeem(coupon: PeerCoupon, facts: RedemptionFacts): Promise<Redeemed> {
    const { failure } = this
    if (failure !== null) {
      this.failure = null
      throw failure
    }
    const { ordinal, definition } = coupon
    const earlier = this.orders.get(`${ordinal} ${facts.orderId}`)
    if (earlier !== undefined) return earlier
    const user = `${ordinal} ${facts.userId}`
    const mine = this.users.get(user) ?? 0
    if (definition.maxUsesPerUser !== null && mine >= definition.maxUsesPerUser) return 'USER_LIMIT_REACHED'
    const uses = this.uses.get(ordinal) ?? 0
    if (definition.maxUses !== null && uses >= definition.maxUses) return 'COUPON_EXHAUSTED'
    if (this.mistake === 'awaitBetween') await new Promise((resolve) => setImmediate(resolve))
    const seq = uses + 1
    this.uses.set(ordinal, seq)
    if (this.mistake !== 'forgetsUsers') this.users.set(user, mine + 1)
    if (this.mistake !== 'forgetsOrders') this.orders.set(`${ordinal} ${facts.orderId}`, { ...facts, seq })
    return seq
  }

  redemptionOf(coupon: PeerCoupon, orderId: string): Promise<Remembered | null> {
    return Promise.resolve(this.orders.get(`${coupon.ordinal} ${orderId}`) ?? null)
  }

  usesOf(coupon: PeerCoupon): Promise<number> {
    return Promise.resolve(this.uses.get(coupon.ordinal) ?? 0)
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}
