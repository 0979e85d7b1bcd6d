// The audit finds what is planted. Every log here is whole and chained, written by the real journal; only what it says is
// wrong, unless the test damages it. Expected values are counted by hand from the events written.

import { createHash } from 'node:crypto'
import { closeSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { acknowledgementFaults } from '../../cli/audit/audit-acknowledgements.ts'
import { idOf } from '../../cli/audit/audit-ids.ts'
import { type Audit, auditLog } from '../../cli/audit/audit-log.ts'
import { proofOf } from '../../cli/audit/audit-proof.ts'
import { bytesOf } from '../../protocol/bytes.ts'
import { EVENT, type Event } from '../../protocol/events.ts'
import { formatId } from '../../protocol/ids.ts'
import { removeDirectory, temporaryDirectory } from '../support/temporary-directory.ts'
import {
  BEGIN_MS,
  changed,
  created,
  type Group,
  redeemed,
  released,
  reserved,
  reversed,
  writeLog,
} from './synthetic-log.ts'

const USES = 1_000
/** Codes of these logs have the names that read well, on the shards that the tests want. */
const UNROUTED = { isSettled: false, isRouted: false } as const
let dataDir: string

beforeEach(() => {
  dataDir = temporaryDirectory('audit')
})

afterEach(() => {
  removeDirectory(dataDir)
})

async function auditOf(groups: readonly Group[]): Promise<Audit> {
  await writeLog(dataDir, groups)
  return auditLog(dataDir, UNROUTED)
}

async function faultsOf(...events: readonly Group['events'][number][]): Promise<readonly string[]> {
  return (await auditOf([{ shard: 0, events }])).faults
}

/** A sale of so many redemptions to different users, a hundred in each commit. */
function sale(redemptions: number, maxUses: number): Group[] {
  const groups: Group[] = [{ shard: 2, events: [created(0, 'FLASH', { maxUses, maxUsesPerUser: 1 })] }]
  for (let first = 1; first <= redemptions; first += 100) {
    const events: Event[] = []
    for (let n = first; n < first + 100 && n <= redemptions; n++) events.push(redeemed(`user-${n}`, `order-${n}`))
    groups.push({ shard: 2, events })
  }
  return groups
}

function saleAcknowledgements(redemptions: number) {
  return Array.from({ length: redemptions }, (_, index) => ({
    // The coupon took sequence 1, so redemption n has sequence n + 1.
    redemptionId: formatId('rdm_', 2, index + 2),
    code: 'FLASH',
    userId: `user-${index + 1}`,
    orderId: `order-${index + 1}`,
  }))
}

describe('a sale', () => {
  it('that kept every promise has no fault, and its figures are those of the events', async () => {
    const audit = await auditOf(sale(USES, USES))
    expect(audit.faults).toEqual([])
    expect({ records: audit.records, entries: audit.entries, events: audit.events }).toEqual({
      records: 11,
      entries: 11,
      events: 1_001,
    })
    const coupon = audit.coupons.get('FLASH')
    expect(coupon).toMatchObject({ couponId: 'cpn_020', maxUses: USES, uses: USES, reserved: 0, maxSeen: USES })
    expect(coupon?.redemptions[0]).toMatchObject({
      userId: 'user-1',
      orderId: 'order-1',
      shard: 2,
      seq: 2,
      atMs: BEGIN_MS,
      discountMinor: 100,
    })
    const acknowledgements = saleAcknowledgements(USES)
    const proof = proofOf(audit, { code: 'FLASH', maxUses: USES, winners: USES, acknowledgements })
    expect(proof.map(({ isTrue }) => isTrue)).toEqual([true, true, true, true])
  })

  it('with one redemption too many is found out', async () => {
    const audit = await auditOf(sale(USES + 1, USES))
    expect(audit.faults).toEqual(['shard 2: FLASH: 1001 used and 0 reserved, and the limit is 1000'])
    expect(audit.coupons.get('FLASH')?.maxSeen).toBe(1_001)
    const acknowledgements = saleAcknowledgements(USES + 1)
    const proof = proofOf(audit, { code: 'FLASH', maxUses: USES, winners: USES, acknowledgements })
    expect(proof.map(({ isTrue }) => isTrue)).toEqual([false, false, false, true])
  })

  it('in which a user won twice is found out', async () => {
    const audit = await auditOf([...sale(USES - 1, USES), { shard: 2, events: [redeemed('user-7', 'another order')] }])
    expect(audit.faults).toEqual(['shard 2: FLASH: a user has it 2 times, and the limit for a user is 1'])
    const proof = proofOf(audit, { code: 'FLASH', maxUses: USES, winners: USES, acknowledgements: [] })
    expect(proof[1]?.faults).toEqual(['1,000 redemptions went to 999 users'])
  })

  it('of which the log does not know an acknowledgement, or nobody a redemption, is found out', async () => {
    const audit = await auditOf(sale(10, USES))
    const told = saleAcknowledgements(10)
    expect(acknowledgementFaults(audit, told, { isComplete: true })).toEqual([])
    expect(acknowledgementFaults(audit, saleAcknowledgements(11), { isComplete: true })).toEqual([
      'rdm_02c of FLASH was acknowledged and is not in the log',
    ])
    expect(acknowledgementFaults(audit, told.slice(1), { isComplete: true })).toEqual([
      'rdm_022 of FLASH is in the log and nobody was told',
    ])
    expect(acknowledgementFaults(audit, told.slice(1), { isComplete: false })).toEqual([])
    const swapped = told.map((one) => ({ ...one, userId: one.userId === 'user-3' ? 'user-4' : one.userId }))
    expect(acknowledgementFaults(audit, swapped, { isComplete: true })).toEqual([
      'rdm_024 of FLASH was acknowledged to another user or order than the log says',
    ])
    const short = proofOf(audit, { code: 'FLASH', maxUses: USES, winners: 11, acknowledgements: told })
    expect(short.map(({ isTrue }) => isTrue)).toEqual([true, false, true, true])
  })
})

describe('rules', () => {
  const until = BEGIN_MS + 60_000

  it('are kept by a life of reservations, reversals and changes', async () => {
    const events = [
      created(0, 'ONE', { maxUses: 2, maxUsesPerUser: 1 }), // 1
      reserved('ann', until), // 2
      reserved('bob', until), // 3
      released(2, 'RELEASED', until), // 4
      reserved('ann', until), // 5
      redeemed('bob', 'o1', { reservationSeq: 3 }), // 6
      { event: released(5, 'EXPIRED', until), afterMs: 60_000 }, // 7
      redeemed('ann', 'o2', { reservationSeq: 5, late: true }), // 8
      reversed(6, 'bob'), // 9
      redeemed('bob', 'o3'), // 10
      changed(0, 'ONE', { maxUses: 3, maxUsesPerUser: null }), // 11
      redeemed('bob', 'o4'), // 12
    ]
    const audit = await auditOf([{ shard: 0, events }])
    expect(audit.faults).toEqual([])
    expect(audit.coupons.get('ONE')).toMatchObject({
      maxUses: 3,
      maxUsesPerUser: null,
      uses: 3,
      reserved: 0,
      maxSeen: 3,
    })
    expect(audit.coupons.get('ONE')?.redemptions.map(({ seq, reversed: isReversed }) => [seq, isReversed])).toEqual([
      [6, true],
      [8, false],
      [10, false],
      [12, false],
    ])
    expect(audit.shards.get(0)).toEqual({ entries: 1, events: 12, lastTimeMs: BEGIN_MS + 60_000 })
  })

  const DISABLED: Event = { type: EVENT.COUPON_SWITCHED, ordinal: 0, by: null, change: 'DISABLED' }
  const cases: [string, readonly Group['events'][number][], string][] = [
    [
      'a reservation beyond the limit',
      [created(0, 'AAA', { maxUses: 1 }), redeemed('u', 'o'), reserved('v', until)],
      '1 used and 1 reserved',
    ],
    [
      'a limit below what is used',
      [created(0, 'AAA'), redeemed('u', 'o'), redeemed('v', 'p'), changed(0, 'AAA', { maxUses: 1 })],
      '2 used',
    ],
    [
      'an order that redeems twice',
      [created(0, 'AAA'), redeemed('u', 'o'), redeemed('u', 'o')],
      'one order redeemed it twice, at 2 and 3',
    ],
    ['a use while disabled', [created(0, 'AAA'), DISABLED, redeemed('u', 'o')], 'while it was disabled'],
    ['a use too early', [created(0, 'AAA', { validFromMs: until }), redeemed('u', 'o')], 'before it began'],
    [
      'a use at the very end',
      [created(0, 'AAA', { validUntilMs: until }), { event: redeemed('u', 'o'), afterMs: 60_000 }],
      'after it had expired',
    ],
    ['a use by somebody else', [created(0, 'AAA', { userId: 'ann' }), redeemed('bob', 'o')], 'somebody it is not for'],
    [
      'a reservation that outlives its coupon',
      [created(0, 'AAA', { validUntilMs: until - 1 }), reserved('u', until)],
      'outlives',
    ],
    [
      'a reservation redeemed by another',
      [created(0, 'AAA'), reserved('u', until), redeemed('v', 'o', { reservationSeq: 2 })],
      'another user',
    ],
    [
      'a reservation redeemed after its time',
      [created(0, 'AAA'), reserved('u', until), { event: redeemed('u', 'o', { reservationSeq: 2 }), afterMs: 60_000 }],
      'after its time',
    ],
    [
      'a reservation redeemed twice',
      [
        created(0, 'AAA'),
        reserved('u', until),
        redeemed('u', 'o', { reservationSeq: 2 }),
        redeemed('u', 'p', { reservationSeq: 2 }),
      ],
      'is not open',
    ],
    [
      'a reservation that ran out too early',
      [created(0, 'AAA'), reserved('u', until), released(2, 'EXPIRED', until)],
      'before its time',
    ],
    [
      'a late redemption of what had not run out',
      [created(0, 'AAA'), reserved('u', until), redeemed('u', 'o', { reservationSeq: 2, late: true })],
      'had not run out',
    ],
    ['a reversal of nothing', [created(0, 'AAA'), reversed(1, 'u')], 'does not exist'],
    [
      'a second reversal',
      [created(0, 'AAA'), redeemed('u', 'o'), redeemed('v', 'p'), reversed(2, 'u'), reversed(2, 'u')],
      'reversed twice',
    ],
    ['a coupon that is not there', [redeemed('u', 'o')], 'there is no coupon 0 yet'],
    ['a code that changes', [created(0, 'AAA'), changed(0, 'BBB', {})], 'a code never changes'],
    ['a code made twice', [created(0, 'AAA'), created(1, 'AAA')], 'exists twice'],
    [
      'a discount above the price',
      [
        created(0, 'AAA'),
        redeemed('u', 'o', {
          price: {
            currency: 1,
            subtotalMinor: 99,
            shippingMinor: 0,
            shippingDiscountMinor: 0,
            amounts: [100],
            lines: null,
          },
        }),
      ],
      'a discount is larger',
    ],
    [
      'lines that do not add up',
      [
        created(0, 'AAA'),
        redeemed('u', 'o', {
          price: {
            currency: 1,
            subtotalMinor: 900,
            shippingMinor: 0,
            shippingDiscountMinor: 0,
            amounts: [100],
            lines: [{ lineId: 'a', amountMinor: 900, perCoupon: [99] }],
          },
        }),
      ],
      'do not add up',
    ],
  ]

  it.each(cases)('find %s', async (_, events, expected) => {
    const faults = await faultsOf(...events)
    expect(faults).toHaveLength(1)
    expect(faults[0]).toContain(expected)
  })

  it('find an operation with a key that was done twice, and nothing in one that was done once', async () => {
    const operation = bytesOf('sixteen bytes ..')
    const claim: Event = {
      type: EVENT.KEY_CLAIMED,
      scope: 'key_1',
      key: 'k',
      digest: bytesOf('d'.repeat(32)),
      operation,
    }
    const done: Event = { type: EVENT.OPERATION_DONE, operation, shows: 'COUPON', number: 0, again: false }
    const answer = { status: 201, body: '{}', position: '0:2@5', location: '/x', etag: '"1"', retryAfterSeconds: 0 }
    const told: Event = { type: EVENT.KEY_ANSWERED, scope: 'key_1', key: 'k', claimSeq: 1, answer }
    const freed: Event = { type: EVENT.KEY_ANSWERED, scope: null, key: 'l', claimSeq: 9, answer: null }
    const forgotten: Event = { type: EVENT.KEYS_FORGOTTEN, beforeSeq: 3 }
    const once = [claim, created(0, 'AAA'), done, told, freed, forgotten]
    expect(await faultsOf(...once)).toEqual([])
    removeDirectory(dataDir)
    dataDir = temporaryDirectory('audit')
    const faults = await faultsOf(...once, created(1, 'BBB'), done)
    expect(faults).toHaveLength(1)
    expect(faults[0]).toMatch(/operation [0-9a-f]{32} was done at 3 and again at 8/)
  })

  it('do not hold an order twice against a shard that forgot it', async () => {
    const forgotten: Event = { type: EVENT.ORDERS_FORGOTTEN, beforeSeq: 3 }
    expect(await faultsOf(created(0, 'AAA'), redeemed('u', 'o'), forgotten, redeemed('u', 'o'))).toEqual([])
  })
})

describe('the files', () => {
  it('are read in the order of the shard, whichever lanes they lie in', async () => {
    await writeLog(dataDir, [{ shard: 0, events: [created(0, 'AAA', { maxUses: 3 }), redeemed('u', 'o1')] }], 0)
    await writeLog(
      dataDir,
      [
        { shard: 0, events: [redeemed('v', 'o2')] },
        { shard: 1, events: [created(0, 'BBB')] },
      ],
      1,
    )
    await writeLog(dataDir, [{ shard: 0, events: [redeemed('w', 'o3')] }], 0)
    const audit = auditLog(dataDir, UNROUTED)
    expect(audit.faults).toEqual([])
    expect(audit.segments).toBe(3)
    expect(audit.coupons.get('AAA')?.redemptions.map(({ userId }) => userId)).toEqual(['u', 'v', 'w'])
    expect(audit.coupons.get('BBB')?.couponId).toBe('cpn_010')
  })

  it('with records too large for one page, and with many of them, are read whole', async () => {
    const groups = [
      ...sale(900, USES),
      ...Array.from({ length: 400 }, (_, n) => ({ shard: 2, events: [reserved(`late-${n}`, BEGIN_MS + 1)] })),
    ]
    // 900 uses and 100 reservations fit; the 300 behind them are faults, of which a hundred are kept.
    const audit = await auditOf(groups)
    expect(audit.events).toBe(1_301)
    expect(audit.faults).toHaveLength(101)
    expect(audit.faults.at(-1)).toBe('and 200 more')
  })

  it('are not believed when a byte was changed', async () => {
    await writeLog(dataDir, sale(10, USES))
    const path = join(dataDir, 'lanes', '00', '000001.mdb')
    change(path, readFileSync(path).indexOf('user-5'), 'USER-5')
    const { faults } = auditLog(dataDir, UNROUTED)
    expect(faults).toEqual([expect.stringContaining('record 2: does not fit its check sum')])
  })

  it('are not believed when a forger made the check sum fit, and the hash as well', async () => {
    await writeLog(dataDir, sale(150, USES))
    const path = join(dataDir, 'lanes', '00', '000001.mdb')
    const bytes = readFileSync(path)
    // Record 2 of 3, with the first hundred redemptions, in one entry.
    const at = recordWith(bytes, 'user-5')
    const record = bytes.subarray(at, at + bytes.readUInt32LE(at + 20))
    record.write('USER-5', record.indexOf('user-5'), 'latin1')
    record.writeUInt32LE(crc32(record.subarray(4)), 0)
    writeFileSync(path, bytes)
    expect(auditLog(dataDir, UNROUTED).faults).toEqual([
      expect.stringContaining('after sequence 1: an entry does not have the hash'),
    ])
    record.set(
      createHash('sha256')
        .update(record.subarray(28 + 52))
        .digest(),
      28 + 20,
    )
    record.writeUInt32LE(crc32(record.subarray(4)), 0)
    writeFileSync(path, bytes)
    expect(auditLog(dataDir, UNROUTED).faults).toEqual([
      expect.stringContaining('after sequence 101: an entry does not name the hash of the one before it'),
    ])
  })

  it('are missed when one is gone from the middle or the end', async () => {
    for (const n of [1, 2, 3]) {
      await writeLog(dataDir, n === 1 ? sale(10, USES) : [{ shard: 2, events: [redeemed(`more-${n}`, `more-${n}`)] }])
    }
    expect(auditLog(dataDir, UNROUTED).faults).toEqual([])
    rmSync(join(dataDir, 'lanes', '00', '000003.mdb'))
    expect(auditLog(dataDir, UNROUTED).faults).toEqual(['lane 00: segment 3 was written and is missing'])
    rmSync(join(dataDir, 'lanes', '00', '000003.opened'))
    rmSync(join(dataDir, 'lanes', '00', '000001.mdb'))
    rmSync(join(dataDir, 'lanes', '00', '000001.opened'))
    expect(auditLog(dataDir, UNROUTED).faults).toEqual([
      'lane 00: segment 1 is missing',
      'shard 2, after sequence 0: sequence 12 follows 0; what follows was not read',
    ])
  })

  it('that are none are an error, not a clean audit', () => {
    expect(() => auditLog(dataDir, UNROUTED)).toThrow('holds no log')
  })
})

it('ids are spelt as clients see them', () => {
  for (const [shard, number] of [
    [0, 0],
    [0, 31],
    [31, 32],
    [1_023, 2 ** 53 - 1],
  ] as const) {
    expect(idOf('rdm_', shard, number)).toBe(formatId('rdm_', shard, number))
  }
})

/** Where the record begins that holds the text. */
function recordWith(bytes: Buffer, text: string): number {
  return bytes.lastIndexOf('TOJR', bytes.indexOf(text)) - 4
}

function change(path: string, at: number, text: string): void {
  expect(at).toBeGreaterThan(0)
  const fd = openSync(path, 'r+')
  writeSync(fd, text, at)
  closeSync(fd)
}
