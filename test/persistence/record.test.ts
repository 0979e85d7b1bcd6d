import { expect, test } from 'vitest'
import {
  ChainEnd,
  checkRecord,
  type EntryDraft,
  followChain,
  readEntryHead,
  RecordEncoder,
} from '../../persistence/record.ts'
import { errorOf } from './support.ts'

/** Made by another program from the description in docs/formats/journal.md; the same bytes are shown there. */
const GOLDEN = Buffer.from(
  [
    '9e1dd4c9544f4a5201000400020000004d000000f800000002000000',
    '0500000000000000000000000000000000000000',
    'f0406d4de48e1da7ac9803a3844997236d52813a9eb5cf66c265e458ea6c4b59',
    '0000000000000000000000000000000000000000000000000000000000000000',
    '0300010000000000000002000000',
    '0004807e69ab7942',
    '0102030405',
    '0300000002000000090000001c00000001000000',
    '7f868f24a62c4182c352d853cfdc72eb22d8c138012b559d49e3d729127cbcdf',
    '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f',
    '0f00010000000001000001000000',
    '0010807e69ab7942',
    'ffffff',
  ].join(''),
  'hex',
)
const POSITION = { lane: 4, segment: 2, record: 77 }

const drafts: EntryDraft[] = [
  {
    shard: 3,
    firstSeq: 1,
    eventCount: 2,
    timeMs: 1_764_000_000_000.25,
    events: Uint8Array.of(1, 2, 3, 4, 5, 99, 99),
    length: 5,
  },
  {
    shard: 15,
    firstSeq: 2 ** 40 + 1,
    eventCount: 1,
    timeMs: 1_764_000_000_001,
    events: Uint8Array.of(255, 255, 255),
    length: 3,
  },
]

/** Shard 3 has no entry yet, shard 15 has one in another lane. */
function chainsBefore(): Map<number, ChainEnd> {
  const old = Object.assign(new ChainEnd(), { seq: 2 ** 40, lane: 1, segment: 2, record: 9, offset: 28 })
  old.hash.set(Uint8Array.from({ length: 32 }, (_, index) => index))
  return new Map([
    [3, new ChainEnd()],
    [15, old],
  ])
}

function chainIn(chains: Map<number, ChainEnd>): (shard: number) => ChainEnd {
  return (shard) => {
    const chain = chains.get(shard)
    if (chain === undefined) throw new Error(`no chain of shard ${shard}`)
    return chain
  }
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
}

test('a record has the bytes of its description', () => {
  const chains = chainsBefore()
  const bytes = new RecordEncoder(64).encode(POSITION, drafts, chainIn(chains))
  expect(Buffer.from(bytes).toString('hex')).toBe(GOLDEN.toString('hex'))
  expect(chains.get(15)).toMatchObject({ seq: 2 ** 40 + 1, lane: 4, segment: 2, record: 77, offset: 28 + 106 + 5 })
})

test('the bytes of the description are read as what they describe', () => {
  const view = viewOf(GOLDEN)
  expect(checkRecord(GOLDEN, view, 0, GOLDEN.length, POSITION)).toBe(2)
  const first = readEntryHead(view, 0, GOLDEN.length, 28, POSITION)
  expect(first).toEqual({
    offset: 28,
    shard: 3,
    firstSeq: 1,
    eventCount: 2,
    timeMs: 1_764_000_000_000.25,
    previous: null,
    eventsLength: 5,
    endOffset: 139,
  })
  const second = readEntryHead(view, 0, GOLDEN.length, first.endOffset, POSITION)
  expect(second).toMatchObject({
    shard: 15,
    firstSeq: 2 ** 40 + 1,
    previous: { lane: 1, segment: 2, record: 9, offset: 28 },
  })
  expect(GOLDEN.subarray(first.endOffset - first.eventsLength, first.endOffset)).toEqual(Buffer.from([1, 2, 3, 4, 5]))

  const chain = chainIn(chainsBefore())
  followChain(GOLDEN, 0, first, POSITION, chain(3))
  followChain(GOLDEN, 0, second, POSITION, chain(15))
})

test('an entry does not follow a chain with another hash or sequence', () => {
  const view = viewOf(GOLDEN)
  const second = readEntryHead(view, 0, GOLDEN.length, 139, POSITION)
  const follow = (change: (chain: ChainEnd) => void) => {
    const chain = chainIn(chainsBefore())(15)
    change(chain)
    return errorOf(() => followChain(GOLDEN, 0, second, POSITION, chain))
  }
  const otherHash = follow((chain) => chain.hash.writeUInt8(7, 31))
  expect(otherHash.message).toContain('lane 4, segment 2, record 77: the entry of shard 15')
  expect(otherHash.message).toContain('does not name the hash of the entry before it')
  expect(follow((chain) => (chain.seq -= 1)).message).toContain('where 1099511627776 has to follow')

  const changed = Buffer.from(GOLDEN)
  changed[changed.length - 1] = 0
  const own = errorOf(() => followChain(changed, 0, second, POSITION, chainIn(chainsBefore())(15)))
  expect(own.message).toContain('does not have the hash it names')
})

test('a record of another place is not taken', () => {
  const wrong = { lane: 4, segment: 2, record: 78 }
  const error = errorOf(() => checkRecord(GOLDEN, viewOf(GOLDEN), 0, GOLDEN.length, wrong))
  expect(error.message).toContain('lane 4, segment 2, record 78 is the record of another place')
})

test('no single changed bit of a record passes', () => {
  for (let bit = 0; bit < GOLDEN.length * 8; bit++) {
    const changed = Buffer.from(GOLDEN)
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    expect(errorOf(() => checkRecord(changed, viewOf(changed), 0, changed.length, POSITION)).code).toBe(
      'JOURNAL_DAMAGED',
    )
  }
})

test('a broken invariant of the caller stops the encoder', () => {
  const encode = (change: Partial<EntryDraft>) => () => {
    const [draft] = drafts
    if (draft === undefined) throw new Error('no draft')
    new RecordEncoder().encode(POSITION, [{ ...draft, ...change }], chainIn(chainsBefore()))
  }
  expect(encode({ firstSeq: 2 })).toThrow('starts at 2, the log ends at 0')
  expect(encode({ eventCount: 0 })).toThrow('shard 3: 0 events')
  expect(encode({ timeMs: Number.NaN })).toThrow('time NaN')
})
