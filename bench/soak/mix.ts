// What a soak does, and how often: every operation with its rate at the full load, and the refusals that it may meet because the
// load itself provokes them. Whatever else is refused is a surprise and shown as one.
//
// Rates are those of arrivals. What follows from an arrival (a reservation is redeemed, released or left to lapse) comes when it
// is due and has no rate of its own.

export const OPERATIONS = [
  'redeem',
  'redeem again',
  'redeem stacked',
  'redeem single-use',
  'redeem reserved',
  'redeem late',
  'redeem claimed',
  'reserve',
  'reserve stacked',
  'reserve scarce',
  'extend',
  'release',
  'reverse',
  'claim',
  'validate',
  'read coupon',
  'read redemption',
  'read reservation',
  'read job',
  'list coupons',
  'list redemptions',
  'list reservations',
  'list campaigns',
  'history',
  'search',
  'page events',
  'create coupon',
  'change coupon',
  'switch coupon',
  'expire coupon',
  'generate coupons',
  'create campaign',
  'begin job',
  'cancel job',
  'export codes',
  'import coupons',
] as const
export type OperationName = (typeof OPERATIONS)[number]

/** Operations a second that the rates below come to, with what follows from them. */
export const FULL_RATE_PER_SECOND = 2_000

/** Arrivals a second at the full load. */
export const FULL_RATES = {
  redeem: 620,
  'redeem again': 40,
  'redeem stacked': 100,
  'redeem single-use': 8,
  reserve: 180,
  'reserve stacked': 25,
  'reserve scarce': 40,
  reverse: 40,
  claim: 80,
  validate: 150,
  'read coupon': 250,
  'read redemption': 60,
  'read reservation': 40,
  'list coupons': 3,
  'list redemptions': 5,
  'list reservations': 3,
  'list campaigns': 1,
  history: 2,
  search: 10,
  'page events': 1,
  'create coupon': 4,
  'change coupon': 1,
  'switch coupon': 0.5,
  'expire coupon': 0.5,
  'generate coupons': 0.1,
} as const satisfies Partial<Record<OperationName, number>>
export type ArrivingName = keyof typeof FULL_RATES

/** Refusals that the load provokes on purpose, or cannot avoid because it does not wait for itself. */
export const PROVOKED: Partial<Record<OperationName, readonly string[]>> = {
  'reserve scarce': ['COUPON_LOCKED'],
  // The first answer may still be on its way when the order is reversed.
  'redeem again': ['REDEMPTION_REVERSED'],
  // What has closed a reservation is remembered for as long as orders are.
  'read reservation': ['RESERVATION_NOT_FOUND'],
  claim: ['POOL_EMPTY', 'DAILY_LIMIT_REACHED'],
  'change coupon': ['VERSION_CONFLICT', 'INVALID_TRANSITION'],
  'expire coupon': ['INVALID_TRANSITION'],
  'cancel job': ['INVALID_TRANSITION'],
}

export interface SoakSize {
  readonly seconds: number
  /** Share of the full rates. */
  readonly share: number
  /** No operation comes less often, so that a short run sees them all. */
  readonly arrivalsPerSecondMin: number
  readonly connections: number
  readonly sampleEverySeconds: number
  /** A campaign, its codes, their export, a job to be cancelled and an import. */
  readonly jobsEverySeconds: number
  readonly codesOfJob: number
  /** Far more than are made before its end is asked for. */
  readonly codesOfCancelledJob: number
  readonly rowsOfImport: number
  /** Reservations that are left to lapse, and claims. */
  readonly lapseSeconds: number
  /** Between two steps of the same shopper; well below that. */
  readonly thinkSeconds: number
  readonly snapshotEvents: number
  readonly snapshotsMin: number
  /** Of memory beyond the state, after the warm-up; null: the run is too short to tell. */
  readonly growthMbPerMinuteMax: number | null
  /** After the last arrival: until everything is answered and every reservation has lapsed. */
  readonly drainSeconds: number
}

/** Orders are remembered so long, hours: two minutes, so that their memory is steady soon. */
export const ORDER_WINDOW_HOURS = 0.0334

/** Only the state may grow. Megabytes are 10^6 bytes. */
const GROWTH_MB_PER_MINUTE_MAX = 1

/** Of the run, from its beginning: tables, caches and compiled code are made in it. */
export const WARMUP_SHARE = 0.2

const FULL_SECONDS_MIN = 120

/** `ratePerSecond`: of all operations together. */
export function soakSize(minutes: number, ratePerSecond: number): SoakSize {
  const seconds = minutes * 60
  if (seconds < FULL_SECONDS_MIN) return smallSize(seconds)
  const share = ratePerSecond / FULL_RATE_PER_SECOND
  return {
    seconds,
    share,
    arrivalsPerSecondMin: 0,
    connections: 48,
    sampleEverySeconds: seconds <= 300 ? 2 : 5,
    jobsEverySeconds: seconds <= 300 ? 20 : 60,
    codesOfJob: 10_000,
    codesOfCancelledJob: 200_000,
    rowsOfImport: 2_000,
    lapseSeconds: 5,
    thinkSeconds: 1,
    // More than one a minute, or three in a run of two minutes.
    snapshotEvents: Math.round((seconds <= 300 ? 50_000 : 200_000) * share),
    snapshotsMin: 3,
    growthMbPerMinuteMax: GROWTH_MB_PER_MINUTE_MAX,
    drainSeconds: 15,
  }
}

/** Seconds that mean nothing as figures: everything happens, and the judges see it. */
function smallSize(seconds: number): SoakSize {
  return {
    seconds,
    share: 0.1,
    arrivalsPerSecondMin: 1,
    connections: 16,
    sampleEverySeconds: 0.5,
    jobsEverySeconds: 2,
    codesOfJob: 500,
    codesOfCancelledJob: 200_000,
    rowsOfImport: 50,
    lapseSeconds: 2,
    thinkSeconds: 0.5,
    snapshotEvents: 500,
    snapshotsMin: 2,
    growthMbPerMinuteMax: null,
    drainSeconds: 5,
  }
}
