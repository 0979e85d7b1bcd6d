/**
 * One event of every type, those about campaigns aside (`golden-campaign-events.ts`), and the bytes it has on disk for ever.
 * Whoever has to change a line here has broken the logs that exist: add a new type or layout instead. docs/formats/events.md
 * explains the same bytes field by field.
 */
import { bytesOf } from '../../protocol/bytes.ts'
import { currencyNumber } from '../../protocol/currency.ts'
import { EVENT, type Event } from '../../protocol/events.ts'
import { couponWith } from '../engine/support/samples.ts'

const EUR = currencyNumber('EUR')
const AT_MS = 1_760_000_000_000

const SUMMER = couponWith(
  'SUMMER10',
  { category: 'shoes', maxUses: 100, maxUsesPerUser: 1, validUntilMs: AT_MS + 86_400_000 },
  { currency: 'EUR', maxDiscountMinor: 2_000, priority: -1, channels: ['app'], excludedProductIds: ['p9'] },
)

/** Of a call over the shards 3, which coordinates, and 9. */
const TXN = { shard: 3, seq: 200 } as const

const STACK = {
  txnSeq: 200,
  coupons: [
    { shard: 3, ordinal: 7, code: 'SUMMER10', heldSeq: 200 },
    { shard: 9, ordinal: 2, code: 'EXTRA', heldSeq: 300 },
  ],
} as const

const PRICE_OF_TWO = {
  currency: EUR,
  subtotalMinor: 5_000,
  shippingMinor: 0,
  shippingDiscountMinor: 0,
  amounts: [500, 450],
  lines: null,
} as const

export interface Golden {
  readonly name: string
  readonly event: Event
  readonly hex: string
}

export const GOLDEN_EVENTS: readonly Golden[] = [
  {
    name: 'CouponCreated',
    event: { type: EVENT.COUPON_CREATED, ordinal: 7, by: 'key_1', definition: SUMMER, imported: null },
    hex: '47010701056b65795f31010853554d4d4552313000000200e807000103455552d10f0000000000010270390001010361707001010000010573686f6573000065020081b8ccea9c33',
  },
  {
    name: 'CouponChanged',
    event: {
      type: EVENT.COUPON_CHANGED,
      ordinal: 300,
      by: null,
      change: 'EXPIRED',
      reason: 'over',
      definition: couponWith('ABC', { validUntilMs: AT_MS }),
      imported: null,
    },
    hex: '3102ac02000201046f766572010341424300000200e8070000000000000000000000000000000000000000008180b3c19c33',
  },
  {
    name: 'CouponSwitched',
    event: { type: EVENT.COUPON_SWITCHED, ordinal: 7, by: null, change: 'DELETED' },
    hex: '0403070002',
  },
  {
    name: 'CouponWindowPassed',
    event: { type: EVENT.COUPON_WINDOW_PASSED, ordinal: 7, edge: 'ENDED' },
    hex: '03040701',
  },
  {
    name: 'Reserved, with an order and a price',
    event: {
      type: EVENT.RESERVED,
      ordinals: [7, 2],
      user: bytesOf('u1'),
      order: bytesOf('o1'),
      expiresAtMs: AT_MS + 300_000,
      price: {
        currency: EUR,
        subtotalMinor: 10_000,
        shippingMinor: 490,
        shippingDiscountMinor: 490,
        amounts: [1_000, 490],
        lines: [{ lineId: 'a', amountMinor: 10_000, perCoupon: [1_000, 0] }],
      },
      stack: null,
    },
    hex: '270502070202753101026f31e0a7c5c19c330103a90c904ee807ea03ea03ea03010161904ee80700',
  },
  {
    name: 'Reserved, without a cart',
    event: {
      type: EVENT.RESERVED,
      ordinals: [7],
      user: bytesOf('ü'),
      order: null,
      expiresAtMs: AT_MS + 300_000,
      price: null,
      stack: null,
    },
    hex: '0e05010702c3bc00e0a7c5c19c3300',
  },
  {
    name: 'ReservationRepriced',
    event: {
      type: EVENT.RESERVATION_REPRICED,
      reservationSeq: 200,
      ordinals: [7],
      price: {
        currency: EUR,
        subtotalMinor: 500,
        shippingMinor: 0,
        shippingDiscountMinor: 0,
        amounts: [50],
        lines: null,
      },
    },
    hex: '0b06c801010700a90cf40332',
  },
  {
    name: 'ReservationRetimed',
    event: { type: EVENT.RESERVATION_RETIMED, reservationSeq: 200, expiresAtMs: AT_MS + 600_000 },
    hex: '0907c801c0cfd7c19c33',
  },
  {
    name: 'ReservationReleased',
    event: {
      type: EVENT.RESERVATION_RELEASED,
      reservationSeq: 200,
      cause: 'COUPON_EXPIRED',
      expiresAtMs: AT_MS + 600_000,
    },
    hex: '0a08c80102c0cfd7c19c33',
  },
  {
    name: 'Redeemed, directly',
    event: {
      type: EVENT.REDEEMED,
      reservationSeq: 0,
      late: false,
      ordinals: [7],
      user: bytesOf('u1'),
      order: bytesOf('o1'),
      price: {
        currency: EUR,
        subtotalMinor: 5_000,
        shippingMinor: 0,
        shippingDiscountMinor: 0,
        amounts: [500],
        lines: null,
      },
      stack: null,
    },
    hex: '10090007027531026f3100a90c8827f403',
  },
  {
    name: 'Redeemed, late, by a reservation of two coupons',
    event: {
      type: EVENT.REDEEMED,
      reservationSeq: 200,
      late: true,
      ordinals: [7, 2],
      user: bytesOf('u1'),
      order: bytesOf('o1'),
      price: {
        currency: EUR,
        subtotalMinor: 2 ** 53 - 1,
        shippingMinor: 0,
        shippingDiscountMinor: 0,
        amounts: [500, 0],
        lines: null,
      },
      stack: null,
    },
    hex: '1b0907c801020702027531026f3100a90cffffffffffffff0ff40300',
  },
  {
    name: 'RedemptionReversed',
    event: {
      type: EVENT.REDEMPTION_REVERSED,
      redemptionSeq: 201,
      ordinals: [7],
      user: bytesOf('u1'),
      reason: 'refund',
      returnUse: true,
      amounts: [],
      stack: null,
    },
    hex: '100ac901010702753106726566756e6401',
  },
  { name: 'OrdersForgotten', event: { type: EVENT.ORDERS_FORGOTTEN, beforeSeq: 1_000_000 }, hex: '040bc0843d' },
  {
    name: 'ClockDiffered',
    event: { type: EVENT.CLOCK_DIFFERED, wallMs: AT_MS + 5_000, stampedMs: AT_MS },
    hex: '0d0c88a7b3c19c338080b3c19c33',
  },
  {
    name: 'Reserved, over two shards',
    event: {
      type: EVENT.RESERVED,
      ordinals: [7],
      user: bytesOf('u1'),
      order: null,
      expiresAtMs: AT_MS + 300_000,
      price: PRICE_OF_TWO,
      stack: STACK,
    },
    hex: '3115010702753100e0a7c5c19c33c8010203070853554d4d45523130c8010902054558545241ac020100a90c8827f403c203',
  },
  {
    name: 'Redeemed, over two shards',
    event: {
      type: EVENT.REDEEMED,
      reservationSeq: 0,
      late: false,
      ordinals: [7],
      user: bytesOf('u1'),
      order: bytesOf('o1'),
      price: PRICE_OF_TWO,
      stack: STACK,
    },
    hex: '2c1a0007027531026f31c8010203070853554d4d45523130c8010902054558545241ac0200a90c8827f403c203',
  },
  {
    name: 'RedemptionReversed, over two shards',
    event: {
      type: EVENT.REDEMPTION_REVERSED,
      redemptionSeq: 201,
      ordinals: [7],
      user: bytesOf('u1'),
      reason: 'refund',
      returnUse: true,
      amounts: [],
      stack: { heldSeq: 200, shards: [9] },
    },
    hex: '141bc901010702753106726566756e6401c8010109',
  },
  {
    name: 'BranchPrepared, on the coordinator',
    event: {
      type: EVENT.BRANCH_PREPARED,
      txn: { shard: 3, seq: 0 },
      ordinals: [7],
      user: bytesOf('u1'),
      order: bytesOf('o1'),
      reservationTxnSeq: 0,
      shards: [9],
      amounts: [],
    },
    hex: '0f0d0300010702753101026f31000109',
  },
  {
    name: 'BranchPrepared, on another shard, to make a reservation final',
    event: {
      type: EVENT.BRANCH_PREPARED,
      txn: { shard: 3, seq: 200 },
      ordinals: [2],
      user: bytesOf('u1'),
      order: bytesOf('o1'),
      reservationTxnSeq: 150,
      shards: [],
      amounts: [],
    },
    hex: '100d03c801010202753101026f31960100',
  },
  { name: 'BranchAborted', event: { type: EVENT.BRANCH_ABORTED, txn: TXN }, hex: '040e03c801' },
  {
    name: 'BranchReserved',
    event: { type: EVENT.BRANCH_RESERVED, txn: TXN, reservationSeq: 201, expiresAtMs: AT_MS + 300_000 },
    hex: '0c0f03c801c901e0a7c5c19c33',
  },
  {
    name: 'BranchRedeemed',
    event: {
      type: EVENT.BRANCH_REDEEMED,
      txn: TXN,
      redemptionSeq: 201,
      ordinals: [2],
      user: bytesOf('u1'),
      order: bytesOf('o1'),
      amounts: [450],
    },
    hex: '101003c801c9010102027531026f31c203',
  },
  {
    name: 'BranchRetimed',
    event: { type: EVENT.BRANCH_RETIMED, txn: TXN, expiresAtMs: AT_MS + 600_000 },
    hex: '0a1103c801c0cfd7c19c33',
  },
  {
    name: 'BranchReleased',
    event: { type: EVENT.BRANCH_RELEASED, txn: TXN, cause: 'COUPON_EXPIRED' },
    hex: '051203c80102',
  },
  {
    name: 'BranchReversed',
    event: {
      type: EVENT.BRANCH_REVERSED,
      redemption: { shard: 3, seq: 201 },
      heldSeq: 300,
      ordinals: [2],
      user: bytesOf('u1'),
      reason: 'refund',
      returnUse: true,
      amounts: [],
    },
    hex: '131303c901ac02010202753106726566756e6401',
  },
  {
    name: 'MessagesDelivered',
    event: { type: EVENT.MESSAGES_DELIVERED, seqs: [201, 205], shards: [9, 300] },
    hex: '091402c901cd0109ac02',
  },
  {
    name: 'KeyClaimed',
    event: {
      type: EVENT.KEY_CLAIMED,
      scope: 'key_1',
      key: 'k-1',
      digest: bytesOf('d'.repeat(32)),
      operation: bytesOf('0123456789abcdef'),
    },
    hex: `3e1601056b65795f31036b2d3120${'64'.repeat(32)}1030313233343536373839616263646566`,
  },
  {
    name: 'KeyAnswered',
    event: {
      type: EVENT.KEY_ANSWERED,
      scope: null,
      key: 'k-1',
      claimSeq: 200,
      answer: {
        status: 201,
        body: '{}',
        position: '3:201@5',
        location: '/v1/x',
        etag: '"1"',
        retryAfterSeconds: 0,
      },
    },
    hex: '211700036b2d31c80101c900027b7d07333a3230314035052f76312f780322312200',
  },
  {
    name: 'KeyAnswered, with nothing',
    event: { type: EVENT.KEY_ANSWERED, scope: 'key_1', key: 'k-1', claimSeq: 200, answer: null },
    hex: '0f1701056b65795f31036b2d31c80100',
  },
  {
    name: 'OperationDone',
    event: {
      type: EVENT.OPERATION_DONE,
      operation: bytesOf('0123456789abcdef'),
      shows: 'RESERVATION',
      number: 300,
      again: true,
    },
    hex: '1618103031323334353637383961626364656601ac0201',
  },
  { name: 'KeysForgotten', event: { type: EVENT.KEYS_FORGOTTEN, beforeSeq: 1_000_000 }, hex: '0419c0843d' },
]
