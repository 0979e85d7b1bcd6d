/**
 * A block: some hundred postings, sorted, as bytes. Postings are what the read model has most of, eight bytes of number in
 * memory and about fifteen bytes each here, because neighbours have much in common:
 *
 *     count varint │ key Δ varint │ atMs or Δ varint │ place varint │ ref varint │ …
 *
 * A key is the difference from the one before; under an unchanged key so is the time. Order: key, then time, then place.
 */
import { assert } from '../protocol/assert.ts'
import { ByteReader, ByteWriter } from '../protocol/bytes.ts'

/** Postings of a full block. */
export const BLOCK_POSTINGS = 512

/** One place in one list. */
export interface Posting {
  readonly key: number
  readonly atMs: number
  readonly place: number
  /** Where the bytes of the event lie, see `facts.ts`; 0: they are not kept. */
  readonly ref: number
}

/** Postings as columns. */
export interface Postings {
  readonly count: number
  readonly keys: Float64Array
  readonly atMs: Float64Array
  readonly places: Float64Array
  readonly refs: Float64Array
}

/** Columns that grow; used again and again. */
export class PostingColumns implements Postings {
  count = 0
  keys: Float64Array
  atMs: Float64Array
  places: Float64Array
  refs: Float64Array

  constructor(capacity = BLOCK_POSTINGS) {
    this.keys = new Float64Array(capacity)
    this.atMs = new Float64Array(capacity)
    this.places = new Float64Array(capacity)
    this.refs = new Float64Array(capacity)
  }

  add(key: number, atMs: number, place: number, ref: number): void {
    const at = this.count
    if (at === this.keys.length) this.grow()
    this.keys[at] = key
    this.atMs[at] = atMs
    this.places[at] = place
    this.refs[at] = ref
    this.count = at + 1
  }

  private grow(): void {
    this.keys = doubled(this.keys)
    this.atMs = doubled(this.atMs)
    this.places = doubled(this.places)
    this.refs = doubled(this.refs)
  }
}

function doubled(column: Float64Array): Float64Array {
  const grown = new Float64Array(column.length * 2)
  grown.set(column)
  return grown
}

/** Below zero when the posting at `i` of `a` comes before the one at `j` of `b`. */
export function comparePostings(a: Postings, i: number, b: Postings, j: number): number {
  return comparePlaces(
    a.keys[i] as number,
    a.atMs[i] as number,
    a.places[i] as number,
    b.keys[j] as number,
    b.atMs[j] as number,
    b.places[j] as number,
  )
}

export function comparePlaces(
  keyA: number,
  atMsA: number,
  placeA: number,
  keyB: number,
  atMsB: number,
  placeB: number,
): number {
  return keyA - keyB || atMsA - atMsB || placeA - placeB
}

const writer = new ByteWriter(16 * 1_024)

/** The bytes of the postings `order[from … to)`, which are in order. Valid until the next call. */
export function encodeBlock(postings: Postings, order: Uint32Array, from: number, to: number): Uint8Array {
  writer.clear()
  writer.varint(to - from)
  let key = 0
  let atMs = 0
  for (let index = from; index < to; index++) {
    const posting = order[index] as number
    const nextKey = postings.keys[posting] as number
    const nextAtMs = postings.atMs[posting] as number
    writer.varint(nextKey - key)
    writer.varint(nextKey === key && index > from ? nextAtMs - atMs : nextAtMs)
    writer.varint(postings.places[posting] as number)
    writer.varint(postings.refs[posting] as number)
    key = nextKey
    atMs = nextAtMs
  }
  return writer.view()
}

const reader = new ByteReader()

/** Reads a block into `into`, which is emptied first. */
export function decodeBlock(bytes: Uint8Array, into: PostingColumns): void {
  reader.reset(bytes, 0, bytes.length)
  const count = reader.varint()
  into.count = 0
  let key = 0
  let atMs = 0
  for (let i = 0; i < count; i++) {
    const keyMore = reader.varint()
    const time = reader.varint()
    atMs = keyMore === 0 && i > 0 ? atMs + time : time
    key += keyMore
    into.add(key, atMs, reader.varint(), reader.varint())
  }
  assert(reader.done, 'a block of postings has another length than it says')
}
