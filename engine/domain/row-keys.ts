/**
 * The keys of a whole frame of rows, hashed in one pass before the first row is decided.
 *
 * Two reasons, both memory: hashing in a tight loop keeps its code and keys in the nearest cache, and once the keys are known
 * the records they lead to can be fetched some rows ahead (`warm`), so that the waits of many rows overlap instead of
 * following each other. At ten million users a row otherwise spends most of its time waiting for two records.
 */
import { type Bytes, noBytes } from '../../protocol/bytes.ts'
import type { ColumnReader } from '../../protocol/columns.ts'
import { saltedInto, Key, type ShardState } from './state.ts'

/** How many rows ahead records are fetched: about what a core keeps in flight. */
export const ROWS_AHEAD = 12

const key = new Key()

export class RowKeys {
  private users = new Int32Array(0)
  private orders = new Int32Array(0)
  private userEnds = new Int32Array(0)
  private orderEnds = new Int32Array(0)
  private userStarts = new Int32Array(0)
  private orderStarts = new Int32Array(0)
  private readonly text: Bytes = noBytes()
  /** Keeps the fetched words alive: reads whose result nobody uses may be left out by the compiler. */
  private fetched = 0

  /** Reads and hashes `count` rows. */
  read(state: ShardState, users: ColumnReader, orders: ColumnReader, count: number): void {
    if (this.userEnds.length < count) this.grow(count)
    const { text } = this
    for (let row = 0; row < count; row++) {
      users.nextText(text)
      this.userStarts[row] = text.start
      this.userEnds[row] = text.end
      state.hashUser(text, key)
      put(this.users, row, key)
    }
    for (let row = 0; row < count; row++) {
      orders.nextText(text)
      this.orderStarts[row] = text.start
      this.orderEnds[row] = text.end
      state.hashOrder(text, key)
      put(this.orders, row, key)
    }
  }

  /** Begins to fetch what `row` will look at. */
  warm(state: ShardState, ordinal: number, row: number, countsUsers: boolean): void {
    const { coupons, orders, users } = state.tables
    take(this.orders, row, key)
    saltedInto(key, coupons.salt, ordinal, key)
    this.fetched ^= orders.warm(key.k0)
    if (!countsUsers) return
    take(this.users, row, key)
    saltedInto(key, coupons.userSalt, ordinal, key)
    this.fetched ^= users.warm(key.k0)
  }

  /** Puts the keys of a row into the state's hand, and its texts into `user` and `order`, which lie in `buf`. */
  hand(state: ShardState, row: number, userBuf: Uint8Array, user: Bytes, orderBuf: Uint8Array, order: Bytes): void {
    take(this.users, row, state.userKey)
    take(this.orders, row, state.orderKey)
    user.buf = userBuf
    user.start = this.userStarts[row] as number
    user.end = this.userEnds[row] as number
    order.buf = orderBuf
    order.start = this.orderStarts[row] as number
    order.end = this.orderEnds[row] as number
  }

  private grow(count: number): void {
    this.users = new Int32Array(count * 4)
    this.orders = new Int32Array(count * 4)
    this.userStarts = new Int32Array(count)
    this.userEnds = new Int32Array(count)
    this.orderStarts = new Int32Array(count)
    this.orderEnds = new Int32Array(count)
  }
}

function put(words: Int32Array, row: number, from: Key): void {
  const at = row * 4
  words[at] = from.k0
  words[at + 1] = from.k1
  words[at + 2] = from.k2
  words[at + 3] = from.k3
}

function take(words: Int32Array, row: number, into: Key): void {
  const at = row * 4
  into.set(words[at] as number, words[at + 1] as number, words[at + 2] as number, words[at + 3] as number)
}
