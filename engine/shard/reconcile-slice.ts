/**
 * Which counters a reconciliation counts at a time: all of them where they are few, otherwise a part that fits into a bound.
 *
 *     rows     ordinals in pages of 2,048; a page is in when the low bits of a hash of shard and page are those of the pick
 *     users    by a hash of their name, likewise
 *
 * What is in is known from the name alone, so a slice can be made narrower while it is being counted: what stays in was counted
 * since the beginning of the log. Picks follow each other, so after 2^bits rounds every counter had its turn. Campaigns are few and
 * are in every slice.
 */
import type { Bytes } from '../../protocol/bytes.ts'
import { isCampaign } from '../../protocol/ordinals.ts'

export const PAGE_BITS = 11
export const PAGE_ROWS = 1 << PAGE_BITS

const BITS_MAX = 24
const FNV_BEGIN = 0x811c_9dc5
const FNV_PRIME = 0x0100_0193

export class Slice {
  readonly pick: number
  rowBits: number
  userBits: number

  constructor(pick = 0, rowBits = 0, userBits = 0) {
    this.pick = pick
    this.rowBits = rowBits
    this.userBits = userBits
  }

  /** Every counter is in it. */
  get isWhole(): boolean {
    return this.rowBits === 0 && this.userBits === 0
  }

  hasRow(shard: number, ordinal: number): boolean {
    if (this.rowBits === 0 || isCampaign(ordinal)) return true
    return isPicked(pageHash(shard, ordinal >>> PAGE_BITS), this.pick, this.rowBits)
  }

  hasUser(hash: number): boolean {
    return this.userBits === 0 || isPicked(hash, this.pick, this.userBits)
  }

  /** Half of it, by rows or by users; false: it cannot be narrower. */
  narrow(what: 'rows' | 'users'): boolean {
    if ((what === 'rows' ? this.rowBits : this.userBits) === BITS_MAX) return false
    if (what === 'rows') this.rowBits++
    else this.userBits++
    return true
  }

  /** As narrow as this one, about others. */
  next(): Slice {
    return new Slice((this.pick + 1) % 2 ** BITS_MAX, this.rowBits, this.userBits)
  }
}

function isPicked(number: number, pick: number, bits: number): boolean {
  return ((number ^ pick) & ((1 << bits) - 1)) === 0
}

/** Mixes as the end of MurmurHash3 does (Appleby): first pages of all shards are not in one slice. */
function pageHash(shard: number, page: number): number {
  let hash = page ^ Math.imul(shard + 1, 0x9e37_79b1)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/** FNV-1a (Fowler, Noll, Vo) over the bytes of a name, its high bits folded into the low ones. */
export function userHash({ buf, start, end }: Bytes): number {
  let hash = FNV_BEGIN
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ (buf[at] as number), FNV_PRIME)
  return (hash ^ (hash >>> 15)) >>> 0
}
