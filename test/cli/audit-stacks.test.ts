// Calls over several shards, all or none: the audit believes a log in which the shards agree, and convicts every one in which a
// branch is missing, differs, or is left behind. Logs are synthetic; expected values are counted by hand from the events.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { acknowledgementFaults } from '../../cli/audit/audit-acknowledgements.ts'
import { type Audit, auditLog } from '../../cli/audit/audit-log.ts'
import { bytesOf } from '../../protocol/bytes.ts'
import { EVENT, type Event } from '../../protocol/events.ts'
import { formatId } from '../../protocol/ids.ts'
import { removeDirectory, temporaryDirectory } from '../support/temporary-directory.ts'
import {
  BEGIN_MS,
  changed,
  created,
  type Group,
  prepared,
  preparedThere,
  redeemed,
  redeemedOverTwo,
  redeemedThere,
  released,
  reserved,
  reservedOverTwo,
  reversedOverTwo,
  reversedThere,
  type Timed,
  writeLog,
} from './synthetic-log.ts'

type Logged = Event | Timed

const UNTIL = BEGIN_MS + 60_000
const A_MINUTE_ON = { afterMs: 60_000 } as const
let dataDir: string

beforeEach(() => {
  dataDir = temporaryDirectory('audit-stacks')
})

afterEach(() => {
  removeDirectory(dataDir)
})

/** The logs of shard 0, which coordinates, and of shard 1. */
async function audited(here: readonly Logged[], there: readonly Logged[], isSettled = true): Promise<Audit> {
  const groups: Group[] = [
    { shard: 0, events: here },
    { shard: 1, events: there },
  ]
  await writeLog(
    dataDir,
    groups.filter(({ events }) => events.length > 0),
  )
  return auditLog(dataDir, { isSettled, isRouted: false })
}

function delivered(...seqs: readonly number[]): Event {
  return { type: EVENT.MESSAGES_DELIVERED, seqs, shards: seqs.map(() => 1) }
}

function aborted(txnSeq: number): Event {
  return { type: EVENT.BRANCH_ABORTED, txn: { shard: 0, seq: txnSeq } }
}

function reservedThere(txnSeq: number, reservationSeq: number, expiresAtMs: number): Event {
  return { type: EVENT.BRANCH_RESERVED, txn: { shard: 0, seq: txnSeq }, reservationSeq, expiresAtMs }
}

function retimedThere(txnSeq: number, expiresAtMs: number): Event {
  return { type: EVENT.BRANCH_RETIMED, txn: { shard: 0, seq: txnSeq }, expiresAtMs }
}

function releasedThere(txnSeq: number, cause: 'RELEASED' | 'EXPIRED' = 'RELEASED'): Event {
  return { type: EVENT.BRANCH_RELEASED, txn: { shard: 0, seq: txnSeq }, cause }
}

/** A redemption of both by ann: on shard 0 at 3, on shard 1 at 3 too. */
const REDEEMED_HERE = [created(0, 'AAA', { maxUses: 1 }), prepared(), redeemedOverTwo({ txnSeq: 2, heldSeqs: [2, 2] })]
const REDEEMED_THERE = [created(0, 'BBB', { maxUses: 1 }), preparedThere(2), redeemedThere(2, 3)]

/** A reservation of both by ann until UNTIL. */
const RESERVED_HERE = [
  created(0, 'AAA', { maxUses: 1 }),
  prepared({ order: null }),
  reservedOverTwo({ txnSeq: 2, heldSeqs: [2, 2], expiresAtMs: UNTIL }),
]
const RESERVED_THERE = [
  created(0, 'BBB', { maxUses: 1 }),
  preparedThere(2, { order: null }),
  reservedThere(2, 3, UNTIL),
]

describe('a log in which the shards agree', () => {
  it('counts a redemption over two shards once on each coupon, under the id of the coordinator', async () => {
    const audit = await audited([...REDEEMED_HERE, delivered(3)], REDEEMED_THERE)
    expect(audit.faults).toEqual([])
    expect(audit.open).toEqual([])
    for (const [code, discountMinor] of [
      ['AAA', 100],
      ['BBB', 90],
    ] as const) {
      expect(audit.coupons.get(code)).toMatchObject({ uses: 1, reserved: 0, maxSeen: 1 })
      expect(audit.coupons.get(code)?.redemptions).toEqual([
        { orderId: 'o', userId: 'ann', shard: 0, seq: 3, atMs: BEGIN_MS, discountMinor, reversed: false },
      ])
    }
  })

  it('knows which amount is whose, in whatever order the coupons were asked for', async () => {
    const whole = redeemedOverTwo({ txnSeq: 2, heldSeqs: [2, 2], amounts: [90, 100] })
    if (whole.type !== EVENT.REDEEMED || whole.stack === null) throw new Error('no redemption over two shards')
    const swapped = { ...whole, stack: { ...whole.stack, coupons: whole.stack.coupons.toReversed() } }
    const audit = await audited([...REDEEMED_HERE.slice(0, 2), swapped], REDEEMED_THERE)
    expect(audit.faults).toEqual([])
    expect(audit.coupons.get('AAA')?.redemptions[0]?.discountMinor).toBe(100)
    expect(audit.coupons.get('BBB')?.redemptions[0]?.discountMinor).toBe(90)
  })

  it('has what clients were told by that id, on every coupon of the call', async () => {
    const audit = await audited(REDEEMED_HERE, REDEEMED_THERE)
    const told = ['AAA', 'BBB'].map((code) => ({
      redemptionId: formatId('rdm_', 0, 3),
      code,
      userId: 'ann',
      orderId: 'o',
    }))
    expect(acknowledgementFaults(audit, told, { isComplete: true })).toEqual([])
    expect(acknowledgementFaults(audit, told.slice(0, 1), { isComplete: true })).toEqual([
      'rdm_003 of BBB is in the log and nobody was told',
    ])
  })

  it('may hold a whole life: reserved, extended, redeemed, reversed, and taken again', async () => {
    const here = [
      ...RESERVED_HERE, // 1 to 3
      { type: EVENT.RESERVATION_RETIMED, reservationSeq: 3, expiresAtMs: UNTIL + 1 } as const, // 4
      prepared({ reservationTxnSeq: 2 }), // 5
      redeemedOverTwo({ txnSeq: 5, heldSeqs: [2, 2], reservationSeq: 3 }), // 6
      delivered(3, 4, 6), // 7
      reversedOverTwo(6, 'ann', 2), // 8
      prepared({ user: 'bob', order: 'p' }), // 9
      redeemedOverTwo({ txnSeq: 9, heldSeqs: [9, 8], user: 'bob', order: 'p' }), // 10
      delivered(8, 10), // 11
    ]
    const there = [
      ...RESERVED_THERE, // 1 to 3
      retimedThere(2, UNTIL + 1), // 4
      preparedThere(5, { reservationTxnSeq: 2 }), // 5
      redeemedThere(5, 6), // 6
      reversedThere(6, 2), // 7
      preparedThere(9, { user: 'bob', order: 'p' }), // 8
      redeemedThere(9, 10, { user: 'bob', order: 'p' }), // 9
    ]
    const audit = await audited(here, there)
    expect(audit.faults).toEqual([])
    for (const code of ['AAA', 'BBB']) {
      expect(audit.coupons.get(code)).toMatchObject({ uses: 1, reserved: 0, maxSeen: 1 })
      expect(audit.coupons.get(code)?.redemptions.map(({ seq, reversed }) => [seq, reversed])).toEqual([
        [6, true],
        [10, false],
      ])
    }
  })

  it('may redeem late what had run out, though a coupon has been switched off meanwhile', async () => {
    const here = [
      ...RESERVED_HERE,
      { event: released(3, 'EXPIRED', UNTIL), ...A_MINUTE_ON }, // 4
      prepared(), // 5
      redeemedOverTwo({ txnSeq: 5, heldSeqs: [5, 6], reservationSeq: 3, late: true }), // 6
      delivered(3, 4, 6),
    ]
    const there = [
      ...RESERVED_THERE,
      releasedThere(2, 'EXPIRED'), // 4
      { type: EVENT.COUPON_SWITCHED, ordinal: 0, by: null, change: 'DISABLED' } as const, // 5
      preparedThere(5), // 6
      redeemedThere(5, 6),
    ]
    const audit = await audited(here, there)
    expect(audit.faults).toEqual([])
    expect(audit.coupons.get('BBB')).toMatchObject({ uses: 1, reserved: 0 })
  })

  it('may let go and abort: the capacity is free for the next', async () => {
    const here = [...RESERVED_HERE, released(3, 'RELEASED', UNTIL), prepared(), aborted(5), delivered(3, 4, 6)]
    const there = [...RESERVED_THERE, releasedThere(2), preparedThere(5), aborted(5), redeemed('bob', 'p')]
    const audit = await audited(here, there)
    expect(audit.faults).toEqual([])
    expect(audit.coupons.get('AAA')).toMatchObject({ uses: 0, reserved: 0, maxSeen: 1 })
    expect(audit.coupons.get('BBB')).toMatchObject({ uses: 1, reserved: 0, maxSeen: 1 })
  })

  it('may go on with a reservation whose redemption was aborted', async () => {
    const here = [
      ...RESERVED_HERE,
      prepared({ reservationTxnSeq: 2 }),
      aborted(4),
      { event: released(3, 'EXPIRED', UNTIL), ...A_MINUTE_ON },
    ]
    const there = [
      ...RESERVED_THERE,
      preparedThere(4, { reservationTxnSeq: 2 }),
      aborted(4),
      releasedThere(2, 'EXPIRED'),
    ]
    expect((await audited(here, there)).faults).toEqual([])
  })

  it('decides an undecided reservation after its time, where it was in time when it was prepared', async () => {
    const here = [
      ...RESERVED_HERE,
      prepared({ reservationTxnSeq: 2 }),
      { event: redeemedOverTwo({ txnSeq: 4, heldSeqs: [2, 2], reservationSeq: 3 }), ...A_MINUTE_ON },
    ]
    const there = [...RESERVED_THERE, preparedThere(4, { reservationTxnSeq: 2 }), redeemedThere(4, 5)]
    expect((await audited(here, there)).faults).toEqual([])
  })

  it('counts a use under a limit per user that began while it was held', async () => {
    const limit = { maxUses: null, maxUsesPerUser: 1 }
    // The hold does not count, the use does: a second one by the same user is one too many, on either shard.
    const here = [
      created(0, 'AAA'), // 1
      prepared(), // 2
      changed(0, 'AAA', limit), // 3
      redeemedOverTwo({ txnSeq: 2, heldSeqs: [2, 2] }), // 4
      redeemed('ann', 'p'), // 5
    ]
    const there = [
      created(0, 'BBB'),
      preparedThere(2),
      changed(0, 'BBB', limit),
      redeemedThere(2, 4),
      redeemed('ann', 'p'),
    ]
    expect((await audited(here, there)).faults).toEqual([
      expect.stringContaining('AAA'),
      expect.stringContaining('BBB'),
    ])
  })
})

describe('what is left open at the end', () => {
  const cases: [string, readonly Logged[], readonly Logged[], string][] = [
    [
      'a transaction nobody has decided',
      REDEEMED_HERE.slice(0, 2),
      REDEEMED_THERE.slice(0, 2),
      'transaction 0:2 is undecided at the end',
    ],
    [
      'a redemption that the other shard is yet to log',
      REDEEMED_HERE,
      REDEEMED_THERE.slice(0, 2),
      'shard 1 is undecided at the end about transaction 0:2, which was redeemed',
    ],
    [
      'a reservation that the other shard is yet to log',
      RESERVED_HERE,
      RESERVED_THERE.slice(0, 2),
      'shard 1 is undecided at the end about transaction 0:2, which was reserved',
    ],
    [
      'an abort that the other shard is yet to log',
      [...REDEEMED_HERE.slice(0, 2), aborted(2)],
      REDEEMED_THERE.slice(0, 2),
      'shard 1 is undecided at the end about transaction 0:2, which was aborted',
    ],
    [
      'an abort that came before a late preparation',
      [...REDEEMED_HERE.slice(0, 2), aborted(2), delivered(3)],
      REDEEMED_THERE.slice(0, 2),
      'shard 1 is undecided at the end about transaction 0:2, which was aborted',
    ],
    [
      'a release that the other shard is yet to log',
      [...RESERVED_HERE, released(3, 'RELEASED', UNTIL)],
      RESERVED_THERE,
      'shard 1 still holds the reservation of transaction 0:2, which was released',
    ],
    [
      'a reversal that the other shard is yet to log',
      [...REDEEMED_HERE, reversedOverTwo(3, 'ann', 2)],
      REDEEMED_THERE,
      'shard 1 has not logged that the redemption of transaction 0:2 was reversed',
    ],
  ]

  it.each(cases)('%s is told, and a fault where everything had settled', async (_, here, there, expected) => {
    const audit = await audited(here, there, false)
    expect(audit.open).toEqual([expected])
    expect(audit.faults).toEqual([])
    expect(auditLog(dataDir, { isSettled: true, isRouted: false }).faults).toEqual([expected])
  })

  it('takes capacity all the while', async () => {
    const there = [...REDEEMED_THERE.slice(0, 2), reserved('bob', UNTIL)]
    const audit = await audited(REDEEMED_HERE.slice(0, 2), there, false)
    expect(audit.faults).toEqual(['shard 1: BBB: 0 used and 2 reserved, and the limit is 1'])
  })
})

describe('half a call', () => {
  const cases: [string, readonly Logged[], readonly Logged[], string][] = [
    [
      'redeemed on the coordinator alone',
      REDEEMED_HERE,
      [created(0, 'BBB')],
      'transaction 0:2 was redeemed, and shard 1 has no part in it',
    ],
    [
      'redeemed on the coordinator, while the other shard has no log at all',
      REDEEMED_HERE,
      [],
      'transaction 0:2 was redeemed, and shard 1 has no part in it',
    ],
    [
      'reserved on the coordinator alone',
      RESERVED_HERE,
      [created(0, 'BBB')],
      'transaction 0:2 was reserved, and shard 1 has no part in it',
    ],
    [
      'prepared for a coordinator that knows nothing',
      [created(0, 'AAA')],
      REDEEMED_THERE.slice(0, 2),
      'shard 1 has prepared transaction 0:2, of which its coordinator knows nothing',
    ],
    [
      'prepared on a shard that the coordinator does not name',
      [created(0, 'AAA'), { ...prepared(), shards: [2] } as Event, aborted(2)],
      [...REDEEMED_THERE.slice(0, 2), aborted(2)],
      'the coordinator does not name this shard',
    ],
    [
      'redeemed while the coordinator has not decided',
      REDEEMED_HERE.slice(0, 2),
      REDEEMED_THERE,
      'was redeemed, and its coordinator says undecided',
    ],
    [
      'redeemed while the coordinator aborted',
      [...REDEEMED_HERE.slice(0, 2), aborted(2)],
      REDEEMED_THERE,
      'was redeemed, and its coordinator says aborted',
    ],
    [
      'aborted while the coordinator redeemed',
      REDEEMED_HERE,
      [...REDEEMED_THERE.slice(0, 2), aborted(2)],
      'was aborted, and its coordinator says redeemed',
    ],
    [
      'redeemed as another redemption than the coordinator logged',
      REDEEMED_HERE,
      [...REDEEMED_THERE.slice(0, 2), redeemedThere(2, 4)],
      'was redeemed, and its coordinator says redeemed',
    ],
    [
      'redeemed with another amount',
      REDEEMED_HERE,
      [...REDEEMED_THERE.slice(0, 2), redeemedThere(2, 3, { amounts: [91] })],
      'BBB gave 91 here and 90 on the coordinator',
    ],
    [
      'redeemed of another coupon',
      REDEEMED_HERE,
      [
        created(0, 'XXX'),
        created(1, 'BBB'),
        preparedThere(2, { ordinals: [1] }),
        redeemedThere(2, 3, { ordinals: [1] }),
      ],
      'the coordinator names other coupons, or another hold',
    ],
    [
      'redeemed under another code',
      [...REDEEMED_HERE.slice(0, 2), redeemedOverTwo({ txnSeq: 2, heldSeqs: [2, 2], codes: ['AAA', 'CCC'] })],
      REDEEMED_THERE,
      'the coordinator names other coupons, or another hold',
    ],
    [
      'held by another event than the coordinator says',
      [...REDEEMED_HERE.slice(0, 2), redeemedOverTwo({ txnSeq: 2, heldSeqs: [2, 7] })],
      REDEEMED_THERE,
      'the coordinator names other coupons, or another hold',
    ],
    [
      'prepared for another order',
      REDEEMED_HERE,
      [created(0, 'BBB'), preparedThere(2, { order: 'x' }), redeemedThere(2, 3, { order: 'x' })],
      'another user, order or reservation than on its coordinator',
    ],
    [
      'taken after the coupon was switched off',
      REDEEMED_HERE,
      [
        created(0, 'BBB'),
        { event: { type: EVENT.COUPON_SWITCHED, ordinal: 0, by: null, change: 'DISABLED' }, afterMs: 0 },
        preparedThere(2),
        redeemedThere(2, 3),
      ],
      'BBB was taken while it was disabled',
    ],
    [
      'released while the coordinator keeps the reservation',
      RESERVED_HERE,
      [...RESERVED_THERE, releasedThere(2)],
      'its reservation was released, and its coordinator says otherwise',
    ],
    [
      'reversed while the coordinator keeps the redemption',
      REDEEMED_HERE,
      [...REDEEMED_THERE, reversedThere(3, 2)],
      'was reversed otherwise than on its coordinator',
    ],
    [
      'reversed without giving the use back',
      [...REDEEMED_HERE, reversedOverTwo(3, 'ann', 2)],
      [...REDEEMED_THERE, reversedThere(3, 2, false)],
      'was reversed otherwise than on its coordinator',
    ],
    [
      'confirmed and not logged: the redemption',
      [...REDEEMED_HERE, delivered(3)],
      REDEEMED_THERE.slice(0, 2),
      'shard 1 confirmed event 0:3 and has not logged what it means',
    ],
    [
      'confirmed and not logged: the release',
      [...RESERVED_HERE, released(3, 'RELEASED', UNTIL), delivered(4)],
      RESERVED_THERE,
      'shard 1 confirmed event 0:4 and has not logged what it means',
    ],
    [
      'confirmed and not logged: the reversal',
      [...REDEEMED_HERE, reversedOverTwo(3, 'ann', 2), delivered(4)],
      REDEEMED_THERE,
      'shard 1 confirmed event 0:4 and has not logged what it means',
    ],
  ]

  it.each(cases)('%s is convicted, settled or not', async (_, here, there, expected) => {
    const { faults } = await audited(here, there, false)
    expect(faults.filter((fault) => fault.includes(expected))).toHaveLength(1)
  })
})

describe('a shard that contradicts itself', () => {
  const cases: [string, readonly Logged[], readonly Logged[], string][] = [
    ['a decision nobody prepared', [created(0, 'AAA'), REDEEMED_HERE[2] as Event], [], 'was not waiting for it'],
    ['a second decision', [...REDEEMED_HERE, aborted(2)], REDEEMED_THERE, 'was not waiting for it'],
    ['a share redeemed twice', REDEEMED_HERE, [...REDEEMED_THERE, redeemedThere(2, 3)], 'was not waiting for it'],
    ['a transaction prepared twice', REDEEMED_HERE, [...REDEEMED_THERE, preparedThere(2)], 'is prepared twice'],
    [
      'a redemption by another user than prepared',
      [...REDEEMED_HERE.slice(0, 2), redeemedOverTwo({ txnSeq: 2, heldSeqs: [2, 2], user: 'bob' })],
      REDEEMED_THERE,
      'shard 0: transaction 0:2 ends otherwise than it was prepared',
    ],
    [
      'a share redeemed for another order than prepared',
      REDEEMED_HERE,
      [...REDEEMED_THERE.slice(0, 2), redeemedThere(2, 3, { order: 'x' })],
      'shard 1: transaction 0:2 ends otherwise than it was prepared',
    ],
    [
      'a reservation released while it is redeemed',
      [...RESERVED_HERE, prepared({ reservationTxnSeq: 2 }), released(3, 'RELEASED', UNTIL)],
      [...RESERVED_THERE, preparedThere(4, { reservationTxnSeq: 2 })],
      'is released while it is redeemed',
    ],
    [
      'a reservation kept for another user than it was made for',
      [...RESERVED_HERE, prepared({ reservationTxnSeq: 2, user: 'bob' })],
      [...RESERVED_THERE, preparedThere(4, { reservationTxnSeq: 2 })],
      'shard 0: transaction 0:4 makes a reservation final for another user or other coupons than it was made',
    ],
    [
      'a reservation redeemed twice at once',
      [...RESERVED_HERE, prepared({ reservationTxnSeq: 2 }), prepared({ reservationTxnSeq: 2 })],
      RESERVED_THERE,
      'is redeemed twice at once',
    ],
    [
      'a reservation redeemed after its time',
      [...RESERVED_HERE, { event: prepared({ reservationTxnSeq: 2 }), ...A_MINUTE_ON }],
      RESERVED_THERE,
      'is redeemed after its time',
    ],
    [
      'a reservation that outlives a coupon of another shard',
      RESERVED_HERE,
      [created(0, 'BBB', { validUntilMs: UNTIL - 1 }), ...RESERVED_THERE.slice(1)],
      'BBB: a reservation outlives the coupon',
    ],
    [
      'a share of the coupon at its limit',
      REDEEMED_HERE,
      [created(0, 'BBB', { maxUses: 1 }), redeemed('bob', 'p'), preparedThere(2), redeemedThere(2, 3)],
      'BBB: 1 used and 1 reserved, and the limit is 1',
    ],
    [
      'an order that redeems a share twice',
      [created(0, 'AAA'), prepared(), redeemedOverTwo({ txnSeq: 2, heldSeqs: [2, 3] })],
      [created(0, 'BBB'), redeemed('ann', 'o'), preparedThere(2), redeemedThere(2, 3)],
      'BBB: one order redeemed it twice, at 2 and 4',
    ],
    [
      'a reversal that names another hold',
      [...REDEEMED_HERE, reversedOverTwo(3, 'ann', 2)],
      [...REDEEMED_THERE, reversedThere(3, 9)],
      'the reversal of redemption 0:3 names another hold',
    ],
    [
      'a reversal that names another hold on the coordinator',
      [...REDEEMED_HERE, reversedOverTwo(3, 'ann', 9)],
      [...REDEEMED_THERE, reversedThere(3, 2)],
      'the reversal of redemption 3 names other shards than the redemption',
    ],
    [
      'a redemption without the reservation that was kept for it',
      [...RESERVED_HERE, prepared({ reservationTxnSeq: 2 }), redeemedOverTwo({ txnSeq: 4, heldSeqs: [2, 2] })],
      [...RESERVED_THERE, preparedThere(4, { reservationTxnSeq: 2 }), redeemedThere(4, 5)],
      'sequence 5: another reservation is redeemed than the transaction kept',
    ],
    [
      'a reservation made of another one',
      [
        ...RESERVED_HERE,
        prepared({ reservationTxnSeq: 2, order: null }),
        reservedOverTwo({ txnSeq: 4, heldSeqs: [2, 2], expiresAtMs: UNTIL }),
      ],
      RESERVED_THERE,
      'transaction 0:4 was to redeem',
    ],
    [
      'a confirmation of what concerns nobody',
      [...REDEEMED_HERE, delivered(2)],
      REDEEMED_THERE,
      'shard 1 confirmed event 2, which does not concern it',
    ],
  ]

  it.each(cases)('by %s is convicted', async (_, here, there, expected) => {
    const { faults } = await audited(here, there, false)
    expect(faults.filter((fault) => fault.includes(expected))).not.toEqual([])
  })
})

it('one user takes no more than a limit per user allows, by shares of calls too', async () => {
  const there = [created(0, 'BBB', { maxUsesPerUser: 1 }), redeemed('ann', 'p'), preparedThere(2), redeemedThere(2, 3)]
  const here = [created(0, 'AAA'), prepared(), redeemedOverTwo({ txnSeq: 2, heldSeqs: [2, 3] })]
  expect((await audited(here, there)).faults).toEqual([
    'shard 1: BBB: a user has it 2 times, and the limit for a user is 1',
  ])
})

it('a log that is damaged is not held against those of the other shards', async () => {
  const broken: Event = { ...(REDEEMED_THERE[1] as Event), user: bytesOf('ann'), ordinals: [9] } as Event
  const { faults, open } = await audited(REDEEMED_HERE, [created(0, 'BBB'), broken], true)
  expect(faults).toEqual(['shard 1, after sequence 2: there is no coupon 9 yet; what follows was not read'])
  expect(open).toEqual([])
})
