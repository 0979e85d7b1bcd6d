/**
 * Replay: applies the events of a stored entry to a shard's state. The same `apply` as live, so the same state.
 *
 * Redemptions are most of a log, and most of the time of one is waiting for two records of large tables. So events are
 * decoded a block at a time, the records of its redemptions fetched together (see RowKeys, which does the same for frames
 * of columns), and then the block is applied.
 */
import { assert } from '../../protocol/assert.ts'
import { ByteReader } from '../../protocol/bytes.ts'
import { readEvent } from '../../protocol/event-codec.ts'
import { EVENT, type Event } from '../../protocol/events.ts'
import { apply, applyRedeemed } from '../domain/apply.ts'
import { ROWS_FETCHED } from '../domain/row-keys.ts'
import { Key, type ShardState } from '../domain/state.ts'
import type { StoredBytes } from './history.ts'

/** A decoded event that waits for its turn, with the keys of its user and order if it is a redemption. */
class Decoded {
  event: Event | null = null
  atMs = 0
  readonly userKey = new Key()
  readonly orderKey = new Key()
}

const reader = new ByteReader()
const block = Array.from({ length: ROWS_FETCHED }, () => new Decoded())
/** Keeps fetched words alive: reads whose result nobody uses may be left out by the compiler. */
let fetched = 0

export function replayEntry(state: ShardState, entry: StoredBytes): void {
  assert(
    entry.firstSeq === state.seq + 1,
    `shard ${state.shard} waits for event ${state.seq + 1}, not ${entry.firstSeq}`,
  )
  let atMs = entry.timeMs
  let count = 0
  reader.reset(entry.events, entry.start, entry.end)
  while (!reader.done) {
    const event = readEvent(reader)
    if (typeof event === 'number') {
      atMs += event
      continue
    }
    const decoded = block[count++] as Decoded
    decoded.event = event
    decoded.atMs = atMs
    if (count === ROWS_FETCHED) {
      applyBlock(state, count)
      count = 0
    }
  }
  applyBlock(state, count)
  assert(
    state.seq === entry.firstSeq + entry.eventCount - 1,
    'a stored entry has another number of events than it says',
  )
}

/**
 * Lets the large tables grow ahead of a replay of which `doneShare` (of 1) is done, at most to twice their size: one pass
 * over a table instead of the three that growing by thirds takes.
 */
export function growAhead(state: ShardState, doneShare: number): void {
  const { orders, users } = state.tables
  orders.reserve(Math.min(orders.size / doneShare, orders.size * 2))
  users.reserve(Math.min(users.size / doneShare, users.size * 2))
}

function applyBlock(state: ShardState, count: number): void {
  for (let i = 0; i < count; i++) hashKeys(state, block[i] as Decoded)
  for (let i = 0; i < count; i++) fetchRecords(state, block[i] as Decoded)
  for (let i = 0; i < count; i++) applyDecoded(state, block[i] as Decoded)
}

function hashKeys(state: ShardState, { event, userKey, orderKey }: Decoded): void {
  if (event?.type !== EVENT.REDEEMED) return
  state.hashUser(event.user, userKey)
  state.hashOrder(event.order, orderKey)
}

/** A hint to the processor only: nothing is decided by it. */
function fetchRecords(state: ShardState, { event, userKey, orderKey }: Decoded): void {
  if (event?.type !== EVENT.REDEEMED) return
  const ordinal = event.ordinals[0] as number
  if (ordinal >= state.couponCount) return
  const { coupons, orders, users } = state.tables
  fetched ^= orders.warm(orderKey.k0 ^ coupons.salt[0].get(ordinal))
  if (state.definition(ordinal).maxUsesPerUser !== null) {
    fetched ^= users.warm(userKey.k0 ^ coupons.userSalt[0].get(ordinal))
  }
}

function applyDecoded(state: ShardState, decoded: Decoded): void {
  const { event, atMs, userKey, orderKey } = decoded
  assert(event !== null, 'an event was applied before it was decoded')
  decoded.event = null
  if (event.type !== EVENT.REDEEMED) {
    apply(state, event, atMs)
    return
  }
  state.userKey.set(userKey.k0, userKey.k1, userKey.k2, userKey.k3)
  state.orderKey.set(orderKey.k0, orderKey.k1, orderKey.k2, orderKey.k3)
  applyRedeemed(state, event, atMs)
}
