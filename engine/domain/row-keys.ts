/**
 * The keys of a whole frame of rows, hashed in one pass before the first row is decided.
 *
 * Two reasons, both memory: hashing in a tight loop keeps its code and keys in the nearest cache, and once the keys are known
 * the records they lead to can be fetched a block at a time (`warm`): reads that follow each other closely wait together,
 * not one after the other. At ten million users a row otherwise spends most of its time waiting for two records.
 */
import { type Bytes, noBytes } from '../../protocol/bytes.ts'
import type { ColumnReader } from '../../protocol/columns.ts'
import { Key, type ShardState } from './state.ts'

/** How many rows are fetched together: about what a core keeps in flight. */
export const ROWS_FETCHED = 16

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

  /** Fetches what the rows from `from` to before `to` will look at. */
  warm(state: ShardState, ordinal: number, from: number, to: number, countsUsers: boolean): void {
    const { coupons, orders, users } = state.tables
    const orderSalt = coupons.salt[0].get(ordinal)
    for (let row = from; row < to; row++) this.fetched ^= orders.warm((this.orders[row * 4] as number) ^ orderSalt)
    if (!countsUsers) return
    const userSalt = coupons.userSalt[0].get(ordinal)
    for (let row = from; row < to; row++) this.fetched ^= users.warm((this.users[row * 4] as number) ^ userSalt)
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
