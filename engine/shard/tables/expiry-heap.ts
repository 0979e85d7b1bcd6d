// Which holds run out first: pairing heaps over the rows of a RowPool (Fredman, Sedgewick, Sleator, Tarjan, 1986).
// Many heaps, one for each coupon, share three link columns; a heap is nothing but the row of its root, -1 when empty.
//
//   child: first child, -1 for none        root 7 ── child ──▶ 3 ── next ──▶ 9 ── next ──▶ 4
//   next:  next sibling, -1 for none                           ◀── prev ──   ◀── prev ──
//   prev:  previous sibling, or the parent of a first child, -1 at a root
//
// Ordered by (time, row), so equal times come out in the same order on every replay, whatever the links look like.
// Everything is a loop, as a root may have 100,000 children. The time of a row must not change while it is in a heap.

import type { F64Column, I32Column, RowPool } from './row-pool.ts'

/** The root of a heap without rows. */
export const EMPTY_HEAP = -1

const NONE = -1

export class ExpiryHeap {
  private readonly timeMs: F64Column
  private readonly child: I32Column
  private readonly next: I32Column
  private readonly prev: I32Column

  /** Declares its link columns in `pool`, so build it before the first row; `timeMs` is a column of the same pool. */
  constructor(pool: RowPool, timeMs: F64Column) {
    this.timeMs = timeMs
    this.child = pool.i32Column()
    this.next = pool.i32Column()
    this.prev = pool.i32Column()
  }

  /** Adds a row that is in no heap; returns the new root. O(1). */
  insert(root: number, row: number): number {
    this.child.set(row, NONE)
    this.next.set(row, NONE)
    this.prev.set(row, NONE)
    return root < 0 ? row : this.meld(root, row)
  }

  /** Takes a row of this heap out; returns the new root. Amortised O(log n). */
  remove(root: number, row: number): number {
    if (row === root) return this.meldChildren(row)
    this.cut(row)
    const rest = this.meldChildren(row)
    return rest < 0 ? root : this.meld(root, rest)
  }

  /** The row that runs out first, or -1. */
  min(root: number): number {
    return root
  }

  /** How many rows have a time ≤ `timeMs`: k rows cost O(k), and once after changes O(k log n). */
  countUpTo(root: number, timeMs: number): number {
    let count = 0
    for (let row = this.firstUpTo(root, timeMs); row >= 0; row = this.nextUpTo(row, timeMs)) count++
    return count
  }

  /**
   * The first row if its time is ≤ `timeMs`, otherwise -1. With {@link nextUpTo} the way through all rows up to a
   * time, in (time, row) order. Between the calls no row may be inserted or removed.
   */
  firstUpTo(root: number, timeMs: number): number {
    return root >= 0 && this.timeMs.get(root) <= timeMs ? root : NONE
  }

  /**
   * The row after `row` if its time is ≤ `timeMs`, otherwise -1.
   * Leaves `row` with a single child, the next in order: rows that were walked once form a chain, and the crowd of
   * later rows below them is sorted out once and not again at every look. The root stays the root.
   */
  nextUpTo(row: number, timeMs: number): number {
    const first = this.child.get(row)
    if (first >= 0 && this.next.get(first) >= 0) {
      const only = this.meldChildren(row)
      this.child.set(row, only)
      this.prev.set(only, row)
    }
    return this.firstUpTo(this.child.get(row), timeMs)
  }

  private precedes(a: number, b: number): boolean {
    const timeA = this.timeMs.get(a)
    const timeB = this.timeMs.get(b)
    return timeA < timeB || (timeA === timeB && a < b)
  }

  /** Joins two heaps; the links `next` and `prev` of both roots are overwritten. Returns the root. */
  private meld(a: number, b: number): number {
    const parent = this.precedes(a, b) ? a : b
    const child = parent === a ? b : a
    const sibling = this.child.get(parent)
    this.next.set(child, sibling)
    if (sibling >= 0) this.prev.set(sibling, child)
    this.prev.set(child, parent)
    this.child.set(parent, child)
    this.next.set(parent, NONE)
    this.prev.set(parent, NONE)
    return parent
  }

  /** Takes a row that is not the root, with everything below it, out of its list of siblings. */
  private cut(row: number): void {
    const next = this.next.get(row)
    const prev = this.prev.get(row)
    if (this.child.get(prev) === row) this.child.set(prev, next)
    else this.next.set(prev, next)
    if (next >= 0) this.prev.set(next, prev)
  }

  /** Leaves `row` without children and returns the heap they make: pairs from the left, then joined from the right. */
  private meldChildren(row: number): number {
    let rest = this.child.get(row)
    if (rest < 0) return EMPTY_HEAP
    this.child.set(row, NONE)
    let pairs = NONE
    while (rest >= 0) {
      const left = rest
      const right = this.next.get(left)
      rest = right < 0 ? NONE : this.next.get(right)
      const winner = right < 0 ? left : this.meld(left, right)
      this.next.set(winner, pairs)
      pairs = winner
    }
    let root = pairs
    let pair = this.next.get(root)
    this.next.set(root, NONE)
    this.prev.set(root, NONE)
    while (pair >= 0) {
      const following = this.next.get(pair)
      root = this.meld(root, pair)
      pair = following
    }
    return root
  }
}
