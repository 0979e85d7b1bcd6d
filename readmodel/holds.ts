/**
 * Holds: capacity that is taken and not used yet, so that a list can tell what is reserved at any instant.
 *
 * A hold has one owner and may have further names. What is opened and closed within a batch never becomes a row.
 *
 *     reservation 17 of shard 3              owner: the place of its event
 *     transaction 5:204, seen from shard 3   owner: a number below zero made from both
 *     reservation that a transaction made    a further name of the transaction's hold
 *     transaction that redeems it            another one
 *
 * Mirrors engine/domain/branches.ts: while a transaction is undecided, and where another shard decides, no clock lets go.
 */
import type { Database, Sql } from './database.ts'
import { couponNumber, placeOf } from './list-keys.ts'
import { assert } from '../protocol/assert.ts'

/** No clock lets go of it. */
const NEVER_MS = Number.MAX_SAFE_INTEGER

interface Hold {
  readonly coupons: readonly number[]
  readonly expiresAtMs: number
  /** Until when it is promised; 0: nothing is promised yet. */
  readonly untilMs: number
  readonly user: string
}

/** Who owns what a transaction of `txnShard` took on `shard`. Exact for 2^33 events a shard. */
export function transactionOwner(shard: number, txnShard: number, txnSeq: number): number {
  return -1 - placeOf(shard, placeOf(txnShard, txnSeq))
}

export class Holds {
  private readonly insert: Sql
  private readonly select: Sql
  private readonly remove: Sql
  private readonly update: Sql
  private readonly insertAlias: Sql
  private readonly removeAlias: Sql
  private readonly opened = new Map<number, Hold>()
  /** All there are: open reservations over several shards are few. */
  private readonly aliases = new Map<number, number>()

  constructor(database: Database) {
    this.insert = database.sql(
      'INSERT INTO hold SELECT value->>0, value->>1, value->>2, value->>3, value->>4 FROM json_each(?)',
    )
    this.select = database.query('SELECT coupon, expires_at, until_at, user FROM hold WHERE owner = ?')
    this.remove = database.sql('DELETE FROM hold WHERE owner = ?')
    this.update = database.sql('UPDATE hold SET expires_at = ?, until_at = ? WHERE owner = ?')
    this.insertAlias = database.sql('INSERT INTO alias VALUES (?, ?)')
    this.removeAlias = database.sql('DELETE FROM alias WHERE name = ?')
    for (const [name, owner] of database.query('SELECT name, owner FROM alias').all()) {
      this.aliases.set(name as number, owner as number)
    }
  }

  /** A reservation of this shard alone. */
  reserve(owner: number, shard: number, ordinals: readonly number[], expiresAtMs: number, user: string): void {
    const coupons = ordinals.map((ordinal) => couponNumber(shard, ordinal))
    this.opened.set(owner, { coupons, expiresAtMs, untilMs: expiresAtMs, user })
  }

  /** Taken by a transaction whose end is open. */
  prepare(owner: number, shard: number, ordinals: readonly number[], user: string): void {
    const coupons = ordinals.map((ordinal) => couponNumber(shard, ordinal))
    this.opened.set(owner, { coupons, expiresAtMs: NEVER_MS, untilMs: 0, user })
  }

  /** A further name for what an owner or another name holds; lasts until that is taken away, or the name is. */
  name(name: number, of: number): void {
    const owner = this.ownerOf(of)
    this.aliases.set(name, owner)
    this.insertAlias.run(name, owner)
  }

  /** Whether that name is not the owner's. */
  hasAlias(name: number): boolean {
    return this.aliases.has(name)
  }

  unname(name: number): void {
    if (this.aliases.delete(name)) this.removeAlias.run(name)
  }

  /** No clock lets go of it from now on. */
  keep(name: number): void {
    this.change(name, (hold) => ({ ...hold, expiresAtMs: NEVER_MS }))
  }

  /** The clock lets go when it was promised. */
  letGoInTime(name: number): void {
    this.change(name, (hold) => ({ ...hold, expiresAtMs: hold.untilMs }))
  }

  /** `endless`: promised until then, but the clock of another shard decides. */
  promise(name: number, untilMs: number, endless: boolean): void {
    this.change(name, (hold) => ({ ...hold, untilMs, expiresAtMs: endless ? NEVER_MS : untilMs }))
  }

  /** The coupons that are held; none when it is not open. */
  couponsOf(name: number): readonly number[] {
    return this.find(this.ownerOf(name))?.coupons ?? []
  }

  /** Gives back what is held, with all it was called; the coupons. */
  close(name: number): readonly number[] {
    const owner = this.ownerOf(name)
    const hold = this.find(owner)
    this.unname(name)
    if (!this.opened.delete(owner)) this.remove.run(owner)
    return hold?.coupons ?? []
  }

  /** Writes what is still open of this batch; part of the caller's transaction. */
  write(): void {
    if (this.opened.size === 0) return
    const rows: (number | string)[][] = []
    for (const [owner, { coupons, expiresAtMs, untilMs, user }] of this.opened) {
      for (const coupon of coupons) rows.push([owner, coupon, expiresAtMs, untilMs, user])
    }
    this.insert.run(JSON.stringify(rows))
    this.opened.clear()
  }

  private ownerOf(name: number): number {
    return this.aliases.get(name) ?? name
  }

  private find(owner: number): Hold | null {
    const opened = this.opened.get(owner)
    if (opened !== undefined) return opened
    const rows = this.select.all(owner)
    const [first] = rows
    if (first === undefined) return null
    return {
      coupons: rows.map(([coupon]) => coupon as number),
      expiresAtMs: first[1] as number,
      untilMs: first[2] as number,
      user: first[3] as string,
    }
  }

  private change(name: number, changed: (hold: Hold) => Hold): void {
    const owner = this.ownerOf(name)
    const hold = this.find(owner)
    assert(hold !== null, 'what is changed is held by nobody')
    const next = changed(hold)
    if (this.opened.has(owner)) this.opened.set(owner, next)
    else this.update.run(next.expiresAtMs, next.untilMs, owner)
  }
}
