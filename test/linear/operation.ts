// What clients did to one coupon, and what they were told: the words in which a history is written down.
//
//     invokedAt                       returnedAt
//        |------- the call takes effect at one instant in here, or was refused at one -------|
//
// Instants are ticks of one counter in the process of the clients, so "ended before the other began" is exact. An answer that
// never came leaves an operation open: it may have taken effect at any later instant or never, but not after the death of the
// process that it was sent to. Nothing here knows the engine; the names are the contract's.

export type Call =
  | { readonly type: 'REDEEM'; readonly user: string; readonly order: string; readonly totalMinor: number }
  | {
      readonly type: 'RESERVE'
      readonly user: string
      /** null: for no order yet. */
      readonly order: string | null
      readonly totalMinor: number
      readonly ttlSeconds: number
    }
  | {
      readonly type: 'REDEEM_RESERVATION'
      readonly reservationId: string
      readonly order: string
      /** null: at the reserved price. */
      readonly totalMinor: number | null
      readonly allowLate: boolean
    }
  | { readonly type: 'RELEASE'; readonly reservationId: string }
  | { readonly type: 'REVERSE'; readonly redemptionId: string }
  | { readonly type: 'SWITCH'; readonly enabled: boolean }
  | { readonly type: 'READ_COUPON' }
  | { readonly type: 'READ_RESERVATION'; readonly reservationId: string }
  | { readonly type: 'READ_REDEMPTION'; readonly redemptionId: string }
  /** Without a user: the state of the coupon, and whether uses are left. */
  | { readonly type: 'VALIDATE'; readonly totalMinor: number }

export interface CouponView {
  readonly uses: number
  readonly reserved: number
  /** null: unlimited. */
  readonly remaining: number | null
  readonly status: string
}

export type Answer =
  | {
      readonly kind: 'REDEMPTION'
      /** False: the first answer again, or a read. */
      readonly isNew: boolean
      /** null: the form of the answer does not tell. */
      readonly redemptionId: string | null
      /** undefined: the form of the answer does not tell; null: redeemed without one. */
      readonly reservationId: string | null | undefined
      readonly discountMinor: number
      /** null: the form of the answer does not tell. */
      readonly status: string | null
    }
  | {
      readonly kind: 'RESERVATION'
      /** null: the form of the answer does not tell. */
      readonly isNew: boolean | null
      readonly reservationId: string
      readonly expiresAtMs: number
      readonly discountMinor: number
      readonly status: string
    }
  | { readonly kind: 'RELEASED' }
  | ({ readonly kind: 'COUPON' } & CouponView)
  /** null: applicable, with this amount. */
  | { readonly kind: 'VALIDATED'; readonly reason: string | null; readonly amountMinor: number | null }
  | { readonly kind: 'REFUSED'; readonly code: string }

export interface Operation {
  /** Its place in the history, by `invokedAt`. */
  readonly id: number
  readonly client: string
  readonly call: Call
  readonly invokedAt: number
  /** Infinity: open. */
  readonly returnedAt: number
  readonly answer: Answer | null
  /** The shard's time of the answer; null: not told, or not looked at in this history. */
  readonly timeMs: number | null
  /** Of an open operation: the instant after which it cannot take effect any more, as the process that had it was dead. */
  readonly openUntil: number
}

/** The rules of the coupon. */
export interface CouponRules {
  readonly code: string
  readonly maxUses: number | null
  readonly maxUsesPerUser: number | null
  /** Off the order, in hundredths of a percent. */
  readonly percentBps: number
}

export interface History {
  readonly rules: CouponRules
  /** Whether reservations run out within it: then times are looked at. */
  readonly isTimed: boolean
  readonly operations: readonly Operation[]
}
