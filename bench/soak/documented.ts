// The refusals that a client may meet, from the contract's table, by status. Written down here a second time on purpose: the
// soak holds the server against the page, not against the server's own list.

const DOCUMENTED: Readonly<Record<number, readonly string[]>> = {
  400: ['INVALID_REQUEST'],
  401: ['UNAUTHENTICATED'],
  403: ['FORBIDDEN'],
  404: [
    'COUPON_NOT_FOUND',
    'CAMPAIGN_NOT_FOUND',
    'RESERVATION_NOT_FOUND',
    'REDEMPTION_NOT_FOUND',
    'JOB_NOT_FOUND',
    'NOT_FOUND',
  ],
  405: ['METHOD_NOT_ALLOWED'],
  409: [
    'CODE_TAKEN',
    'COUPON_EXHAUSTED',
    'CAMPAIGN_EXHAUSTED',
    'BUDGET_EXHAUSTED',
    'USER_LIMIT_REACHED',
    'DAILY_LIMIT_REACHED',
    'POOL_EMPTY',
    'RESERVATION_CLOSED',
    'ORDER_CONFLICT',
    'REDEMPTION_REVERSED',
    'INVALID_TRANSITION',
  ],
  410: ['RESERVATION_EXPIRED'],
  412: ['VERSION_CONFLICT'],
  413: ['PAYLOAD_TOO_LARGE'],
  415: ['UNSUPPORTED_MEDIA_TYPE'],
  422: [
    'COUPON_NOT_FOUND',
    'COUPON_NOT_STARTED',
    'COUPON_EXPIRED',
    'COUPON_DISABLED',
    'MIN_ORDER_NOT_MET',
    'MIN_QUANTITY_NOT_MET',
    'NOT_APPLICABLE',
    'USER_NOT_ELIGIBLE',
    'CURRENCY_MISMATCH',
    'CHANNEL_NOT_ALLOWED',
    'NOT_STACKABLE',
    'IDEMPOTENCY_KEY_CONFLICT',
    'CODE_SPACE_TOO_SMALL',
  ],
  423: ['COUPON_LOCKED'],
  428: ['PRECONDITION_REQUIRED'],
  429: ['RATE_LIMITED'],
  503: ['OVERLOADED', 'SHARD_UNAVAILABLE', 'OUTCOME_UNKNOWN', 'STORAGE_UNAVAILABLE'],
}

export function isDocumented(status: number, code: string): boolean {
  return DOCUMENTED[status]?.includes(code) === true
}
