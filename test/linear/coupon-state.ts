// The state of one coupon in the words of the contract: what is reserved, what is redeemed. For the specification.
//
// States are never changed, only made anew. Reservations and redemptions are kept in the order of the operations that made
// them, so equal states look equal whatever way led there.

export interface Reservation {
  /** The operation that made it. */
  readonly by: number
  /** null: no answer has named it yet. */
  readonly id: string | null
  readonly user: string
  readonly order: string | null
  /** Of the cart that it is priced for. */
  readonly totalMinor: number
  /** null: no answer has told it yet. */
  readonly expiresAtMs: number | null
  /** It does not run out before. */
  readonly lastsUntilMs: number
  readonly status: 'RESERVED' | 'REDEEMED' | 'RELEASED' | 'EXPIRED'
}

export interface Redemption {
  readonly by: number
  readonly id: string | null
  readonly user: string
  readonly order: string
  readonly totalMinor: number
  /** The operation that made the reservation it used; null: it used none. */
  readonly reservedBy: number | null
  /** Of a reservation that had run out: at the reserved price, whatever cart was brought. */
  readonly isLate: boolean
  readonly isReversed: boolean
}

export interface CouponState {
  /** The shard's time, as far as answers have told; 0 in a history without times. */
  readonly timeMs: number
  readonly isDisabled: boolean
  readonly reservations: readonly Reservation[]
  readonly redemptions: readonly Redemption[]
}

export const NEW_COUPON: CouponState = { timeMs: 0, isDisabled: false, reservations: [], redemptions: [] }

/** A text that two states share only when they are equal. */
export function keyOf({ timeMs, isDisabled, reservations, redemptions }: CouponState): string {
  let key = `${timeMs}${isDisabled ? 'd' : 'e'}`
  for (const { by, id, totalMinor, expiresAtMs, lastsUntilMs, status } of reservations) {
    key += `;${by},${id},${totalMinor},${expiresAtMs ?? `>${lastsUntilMs}`},${status}`
  }
  for (const { by, id, totalMinor, reservedBy, isLate, isReversed } of redemptions) {
    key += `/${by},${id},${totalMinor},${reservedBy}${isLate ? 'l' : ''}${isReversed ? 'r' : ''}`
  }
  return key
}

export function usesOf(redemptions: readonly Redemption[]): number {
  let uses = 0
  for (const { isReversed } of redemptions) if (!isReversed) uses++
  return uses
}

export function heldIn({ reservations }: CouponState): number {
  let held = 0
  for (const { status } of reservations) if (status === 'RESERVED') held++
  return held
}

export function openOf(state: CouponState, user: string, order: string | null): Reservation | undefined {
  return state.reservations.find((one) => one.status === 'RESERVED' && one.user === user && one.order === order)
}

/** The earliest time at which it may have run out. */
export function endOf({ expiresAtMs, lastsUntilMs }: Reservation): number {
  return expiresAtMs ?? lastsUntilMs
}

/** At that time: what has run out has; where the end is unknown both may be. */
export function lapsed(state: CouponState, timeMs: number): CouponState[] {
  let found: readonly Reservation[][] = [[]]
  for (const one of state.reservations) {
    if (one.status !== 'RESERVED' || endOf(one) > timeMs) {
      found = found.map((before) => [...before, one])
      continue
    }
    const over: Reservation = { ...one, status: 'EXPIRED' }
    const goesOn: Reservation = { ...one, lastsUntilMs: timeMs + 1 }
    const ways = one.expiresAtMs === null ? [over, goesOn] : [over]
    found = found.flatMap((before) => ways.map((way) => [...before, way]))
  }
  return found.map((reservations) => ({ ...state, timeMs, reservations }))
}

interface Made {
  readonly by: number
}

export function inOrder<Item extends Made>(items: readonly Item[], made: Item): Item[] {
  const place = items.findLastIndex(({ by }) => by < made.by) + 1
  return items.toSpliced(place, 0, made)
}

export function replaced<Item extends Made>(items: readonly Item[], item: Item): Item[] {
  return items.map((one) => (one.by === item.by ? item : one))
}

export function withStatus(
  reservations: readonly Reservation[],
  by: number | null,
  status: Reservation['status'],
): readonly Reservation[] {
  return by === null ? reservations : reservations.map((one) => (one.by === by ? { ...one, status } : one))
}

/** null: it has another name, or another one has this name. */
export function withReservationNamed(state: CouponState, one: Reservation, id: string): CouponState | null {
  if (one.id === id) return state
  if (one.id !== null || state.reservations.some((each) => each.id === id)) return null
  return { ...state, reservations: replaced(state.reservations, { ...one, id }) }
}

export function withRedemptionNamed(state: CouponState, one: Redemption, id: string): CouponState | null {
  if (one.id === id) return state
  if (one.id !== null || state.redemptions.some((each) => each.id === id)) return null
  return { ...state, redemptions: replaced(state.redemptions, { ...one, id }) }
}

/** null: it was to end at another time, or would have ended by then. */
export function withEndKnown(state: CouponState, by: number, expiresAtMs: number): CouponState | null {
  const one = state.reservations.find((each) => each.by === by) as Reservation
  if (one.expiresAtMs !== null) return one.expiresAtMs === expiresAtMs ? state : null
  if (expiresAtMs < one.lastsUntilMs) return null
  return { ...state, reservations: replaced(state.reservations, { ...one, expiresAtMs }) }
}
