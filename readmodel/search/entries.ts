/**
 * Entries of the index: what can be found, one slot each, as columns. A slot is never used twice: an entry whose words have
 * changed gets a new one, and its old one is dead.
 *
 *     slot   id   created   from   until   flags   category   text sum   terms ──▶ [count│term·kind·impact│…]
 *
 * Ids are those of `list-keys.ts` (ordinal · 1,024 + shard), so coupons and campaigns share one number space.
 */
import { assert } from '../../protocol/assert.ts'
import { withRoom } from './grow.ts'
import { IMPACT_BITS, IMPACT_MAX, offsetOf, Pages } from './postings.ts'

/** Something that can be found. */
export interface SearchEntry {
  readonly id: number
  readonly createdAtMs: number
  readonly validFromMs: number | null
  readonly validUntilMs: number | null
  /** null: that of its campaign, which changes on its own. No filter by type finds it. */
  readonly type: OfferKind | null
  readonly category: string | null
  readonly merchant: string | null
  readonly description: string | null
  /** null: a campaign, whose codes are not found one by one. */
  readonly code: string | null
  readonly isListed: boolean
  readonly isDisabled: boolean
  readonly maxUses: number | null
}

export const OFFER_KINDS = ['PERCENT', 'FIXED', 'FREESHIP'] as const
export type OfferKind = (typeof OFFER_KINDS)[number]

export const FLAG = {
  ALIVE: 1,
  LISTED: 2,
  DISABLED: 4,
  /** maxUses is 1. */
  SINGLE: 8,
  /** maxUses is 2 or more. */
  LIMITED: 16,
} as const
/** Bits of the offer's type, above those of `FLAG`. */
export const TYPE_SHIFT = 5
/** In place of a type: a coupon of a campaign. */
export const NO_TYPE = 3

const IMPACTS = 2 ** IMPACT_BITS
const TERM_KEYS = 2 ** (32 - IMPACT_BITS)

/** Four columns of 8 bytes, three of 4, one of 1. */
const SLOT_BYTES = 45

/** The number of no category. */
const NO_CATEGORY = 0

export class Entries {
  /** Slots, dead ones included. */
  count = 0
  dead = 0
  ids = new Float64Array(1_024)
  createdAtMs = new Float64Array(1_024)
  /** −Infinity: since ever. */
  validFromMs = new Float64Array(1_024)
  /** Infinity: for ever. */
  validUntilMs = new Float64Array(1_024)
  flags = new Uint8Array(1_024)
  categories = new Uint32Array(1_024)
  private textSums = new Uint32Array(1_024)
  private terms = new Uint32Array(1_024)
  private readonly termPages = new Pages()
  /** Open addressing by id, slot + 1. */
  private table = new Uint32Array(4_096)
  private readonly categoryNumbers = new Map<string, number>()

  /** What is in use: columns double, and what is not written yet takes no memory. */
  get bytesInUse(): number {
    return this.count * SLOT_BYTES + this.table.byteLength + this.termPages.bytes
  }

  /** −1: no entry has that id. */
  slotOf(id: number): number {
    return (this.table[this.placeOf(id)] as number) - 1
  }

  textSumOf(slot: number): number {
    return this.textSums[slot] as number
  }

  /** −1: no entry is in that category. */
  categoryNumber(category: string): number {
    return this.categoryNumbers.get(category) ?? -1
  }

  /** A new slot for an entry, without its terms; an older slot of it is dead now. */
  add(entry: SearchEntry, textSum: number): number {
    const slot = this.count
    this.makeRoom(slot + 1)
    this.ids[slot] = entry.id
    this.textSums[slot] = textSum
    this.count = slot + 1
    const place = this.placeOf(entry.id)
    const older = (this.table[place] as number) - 1
    if (older >= 0) {
      this.flags[older] = 0
      this.dead++
    }
    this.table[place] = slot + 1
    this.fill(slot, entry)
    if ((this.count - this.dead) * 2 > this.table.length) this.spread()
    return slot
  }

  /** Everything but the words. */
  fill(slot: number, entry: SearchEntry): void {
    this.createdAtMs[slot] = entry.createdAtMs
    this.validFromMs[slot] = entry.validFromMs ?? Number.NEGATIVE_INFINITY
    this.validUntilMs[slot] = entry.validUntilMs ?? Number.POSITIVE_INFINITY
    this.categories[slot] = entry.category === null ? NO_CATEGORY : this.numberOf(entry.category)
    this.flags[slot] =
      FLAG.ALIVE |
      (entry.isListed ? FLAG.LISTED : 0) |
      (entry.isDisabled ? FLAG.DISABLED : 0) |
      (entry.maxUses === null ? 0 : entry.maxUses === 1 ? FLAG.SINGLE : FLAG.LIMITED) |
      ((entry.type === null ? NO_TYPE : OFFER_KINDS.indexOf(entry.type)) << TYPE_SHIFT)
  }

  /** `keys` are terms with their kind, `impacts` what each says. */
  setTerms(slot: number, keys: readonly number[], impacts: readonly number[]): void {
    const ref = this.termPages.allocate(keys.length + 1)
    const page = this.termPages.pageOf(ref)
    const offset = offsetOf(ref)
    page[offset] = keys.length
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i] as number
      assert(key < TERM_KEYS, 'there are more different words than this index can number')
      page[offset + 1 + i] = key * IMPACTS + (impacts[i] as number)
    }
    this.terms[slot] = ref
  }

  /** The greatest impact times factor, which is by term and kind, over the terms of a slot. */
  greatestImpact(slot: number, factors: Uint8Array): number {
    const ref = this.terms[slot] as number
    const page = this.termPages.pageOf(ref)
    const offset = offsetOf(ref)
    const end = offset + (page[offset] as number)
    let greatest = 0
    for (let at = offset + 1; at <= end; at++) {
      const word = page[at] as number
      const impact = (factors[word >>> IMPACT_BITS] ?? 0) * (word & IMPACT_MAX)
      if (impact > greatest) greatest = impact
    }
    return greatest
  }

  private makeRoom(count: number): void {
    if (count <= this.ids.length) return
    this.ids = withRoom(this.ids, count)
    this.createdAtMs = withRoom(this.createdAtMs, count)
    this.validFromMs = withRoom(this.validFromMs, count)
    this.validUntilMs = withRoom(this.validUntilMs, count)
    this.flags = withRoom(this.flags, count)
    this.categories = withRoom(this.categories, count)
    this.textSums = withRoom(this.textSums, count)
    this.terms = withRoom(this.terms, count)
  }

  private numberOf(category: string): number {
    const known = this.categoryNumbers.get(category)
    if (known !== undefined) return known
    const number = this.categoryNumbers.size + 1
    this.categoryNumbers.set(category, number)
    return number
  }

  private placeOf(id: number): number {
    const mask = this.table.length - 1
    for (let place = hashOf(id) & mask; ; place = (place + 1) & mask) {
      const slot = (this.table[place] as number) - 1
      if (slot < 0 || this.ids[slot] === id) return place
    }
  }

  private spread(): void {
    const table = new Uint32Array(this.table.length * 2)
    const mask = table.length - 1
    for (const value of this.table) {
      if (value === 0) continue
      let place = hashOf(this.ids[value - 1] as number) & mask
      while (table[place] !== 0) place = (place + 1) & mask
      table[place] = value
    }
    this.table = table
  }
}

function hashOf(id: number): number {
  let hash = Math.imul((id | 0) ^ Math.imul(Math.floor(id / 4_294_967_296), 0x9e37_79b1), 0x85eb_ca6b)
  hash = Math.imul(hash ^ (hash >>> 15), 0xc2b2_ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
