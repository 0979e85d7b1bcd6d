// What the load knows of the sale: coupons to redeem, things that were made and can be acted upon again, and how often every
// coupon has been used as far as clients were told. Everything is bounded, so that a soak of hours does not soak itself.
//
// Kinds of users never meet: who reserves is `r…`, who redeems directly `u…`, who claims `c…`. So no call uses up what another
// has reserved, and a surprise is one.

import type { Acknowledgement } from '../../cli/audit/audit-acknowledgements.ts'

const HOT_COUPONS = 64
/** Half of all redemptions go to so many of them. */
const HOTTEST = 4
const STACKABLE_COUPONS = 24
const SCARCE_COUPONS = 8
const USERS = 100_000
const CLAIMING_USERS = 200_000

/** Among them some are a minute old and some are on their way into the archive. */
const RECENT_MAX = 65_536
/** One in so many is remembered for as long as there is room, to be read from the archive. */
const OLD_EVERY = 500
const OLD_MAX = 10_000
/** One in so many acknowledgements is held against the log. */
const ACKNOWLEDGED_EVERY = 50
const ACKNOWLEDGED_MAX = 200_000

export type Bought = {
  readonly redemptionId: string
  readonly codes: readonly string[]
  /** null: not a coupon of its own count. */
  readonly campaignId: string | null
  readonly userId: string
  readonly orderId: string
  /** Whether the order was redeemed in one step, so that it can be sent again. */
  readonly isDirect: boolean
  readonly atMs: number
  isReversed: boolean
}

/** The last so many of something; a new one takes the place of the oldest. */
class Recent<Item> {
  readonly #items: Item[] = []
  readonly #max: number
  #next = 0

  constructor(max: number) {
    this.#max = max
  }

  add(item: Item): void {
    this.#items[this.#next] = item
    this.#next = (this.#next + 1) % this.#max
  }

  any(random: () => number): Item | undefined {
    return this.#items[Math.floor(random() * this.#items.length)]
  }
}

export class Stock {
  readonly hot = codesOf('HOT', HOT_COUPONS)
  readonly stackable = codesOf('STACK', STACKABLE_COUPONS)
  readonly scarce = codesOf('SCARCE', SCARCE_COUPONS)
  readonly bought = new Recent<Bought>(RECENT_MAX)
  readonly old: Bought[] = []
  readonly reservations = new Recent<string>(RECENT_MAX)
  /** Coupons that were made one by one. */
  readonly created = new Recent<string>(1_024)
  /** Codes that are good for one use, each used by one buyer. */
  readonly singleUse: string[] = []
  readonly jobs = new Recent<string>(64)
  /** The one that hands out codes; null: none yet. */
  campaignId: string | null = null
  /** How often each coupon and each campaign was used and is not given back, as far as clients were told. */
  readonly uses = new Map<string, number>()
  /** Some of what clients were told. */
  readonly acknowledged: Acknowledgement[] = []
  readonly random: () => number
  #orders = 0
  #boughtCount = 0
  readonly #reversing = new Set<Bought>()

  constructor(random: () => number) {
    this.random = random
    for (const code of [...this.hot, ...this.stackable, ...this.scarce]) this.uses.set(code, 0)
  }

  buyer(): string {
    return `u${this.#below(USERS)}`
  }

  reserver(): string {
    return `r${this.#below(USERS)}`
  }

  claimer(): string {
    return `c${this.#below(CLAIMING_USERS)}`
  }

  order(): string {
    return `o${this.#orders++}`
  }

  hotCode(): string {
    const among = this.random() < 0.5 ? HOTTEST : HOT_COUPONS
    return this.hot[this.#below(among)] as string
  }

  scarceCode(): string {
    return this.scarce[this.#below(SCARCE_COUPONS)] as string
  }

  /** Two or three, each once. */
  stackedCodes(): string[] {
    const first = this.#below(STACKABLE_COUPONS)
    const count = 2 + this.#below(2)
    return Array.from({ length: count }, (_, i) => this.stackable[(first + i * 7) % STACKABLE_COUPONS] as string)
  }

  /** From now on claims are made of this campaign. */
  handOut(campaignId: string): void {
    this.uses.set(campaignId, 0)
    this.campaignId = campaignId
  }

  /** Somebody was told that this is redeemed. */
  addBought(bought: Bought): void {
    for (const key of countedOf(bought)) this.#count(key, 1)
    this.bought.add(bought)
    const number = this.#boughtCount++
    if (number % OLD_EVERY === 0 && this.old.length < OLD_MAX) this.old.push(bought)
    if (number % ACKNOWLEDGED_EVERY === 0 && this.acknowledged.length < ACKNOWLEDGED_MAX) {
      const { redemptionId, userId, orderId } = bought
      for (const code of bought.codes) this.acknowledged.push({ redemptionId, code, userId, orderId })
    }
  }

  /** One that stands and that nobody else is taking back; undefined: this draw has met none. */
  takeToReverse(): Bought | undefined {
    const bought = this.random() < 0.1 ? this.old[this.#below(this.old.length)] : this.bought.any(this.random)
    if (bought === undefined || bought.isReversed || this.#reversing.has(bought)) return undefined
    this.#reversing.add(bought)
    return bought
  }

  reversed(bought: Bought, isDone: boolean): void {
    this.#reversing.delete(bought)
    if (!isDone) return
    bought.isReversed = true
    for (const key of countedOf(bought)) this.#count(key, -1)
  }

  /** What is used once is not counted: there is no end of it. */
  #count(key: string, change: number): void {
    const uses = this.uses.get(key)
    if (uses !== undefined) this.uses.set(key, uses + change)
  }

  #below(limit: number): number {
    return Math.floor(this.random() * limit)
  }
}

/** Codes of a campaign count there: to know each of them would take as much memory as the server does. */
function countedOf({ codes, campaignId }: Bought): readonly string[] {
  return campaignId === null ? codes : [campaignId]
}

function codesOf(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${name}${String(i).padStart(5, '0')}`)
}
