/**
 * The order of terms, for words that are still being typed: all terms that begin so.
 *
 *     recent   terms as they came, looked at one by one
 *     runs     ▪ ▪ ▬ ▬▬▬▬       sorted; two of like size become one, a slice at a time
 *
 * A merge in slices, because sorting a million words at once would keep a search waiting for a second. Its sources are read
 * until it is whole.
 */
import type { Terms } from './terms.ts'

const RECENT_MAX = 1_024
/** A run is merged with the one before it unless that is more than so many times as long. */
const MERGE_RATIO = 2

interface Merge {
  readonly left: Uint32Array
  readonly right: Uint32Array
  readonly target: Uint32Array
  leftAt: number
  rightAt: number
}

export class TermOrder {
  private readonly terms: Terms
  private readonly runs: Uint32Array[] = []
  private recent = new Uint32Array(RECENT_MAX)
  private recentCount = 0
  private merge: Merge | null = null

  constructor(terms: Terms) {
    this.terms = terms
  }

  add(term: number): void {
    this.recent[this.recentCount++] = term
    if (this.recentCount < RECENT_MAX) return
    this.runs.push(this.recent.slice().sort((a, b) => this.terms.compare(a, b)))
    this.recentCount = 0
  }

  get bytesInUse(): number {
    let words = RECENT_MAX + (this.merge?.target.length ?? 0)
    for (const run of this.runs) words += run.length
    return words * 4
  }

  get isUntidy(): boolean {
    return this.merge !== null || this.pairAt() >= 0
  }

  /** Moves about so many terms nearer to one order. */
  tidy(steps: number): void {
    const at = this.pairAt()
    if (at < 0) return
    const left = this.runs[at] as Uint32Array
    const right = this.runs[at + 1] as Uint32Array
    // Only the end of `runs` changes meanwhile, so the pair of the merge under way stays the first one.
    this.merge ??= { left, right, target: new Uint32Array(left.length + right.length), leftAt: 0, rightAt: 0 }
    if (mergeSome(this.terms, this.merge, steps)) {
      this.runs.splice(at, 2, this.merge.target)
      this.merge = null
    }
  }

  /** Calls with every term that begins so, at most `max` of them. */
  withPrefix(prefix: Uint8Array, max: number, found: (term: number) => void): void {
    let left = max
    for (let i = this.recentCount - 1; i >= 0 && left > 0; i--) {
      const term = this.recent[i] as number
      if (!this.terms.startsWith(term, prefix)) continue
      found(term)
      left--
    }
    for (let i = this.runs.length - 1; i >= 0; i--) {
      const run = this.runs[i] as Uint32Array
      for (let at = this.firstIn(run, prefix); at < run.length && left > 0; at++, left--) {
        const term = run[at] as number
        if (this.terms.compareToPrefix(term, prefix) !== 0) break
        found(term)
      }
    }
  }

  private firstIn(run: Uint32Array, prefix: Uint8Array): number {
    let low = 0
    let high = run.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.terms.compareToPrefix(run[middle] as number, prefix) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  /** The first two neighbours to merge; -1: none. */
  private pairAt(): number {
    for (let i = 0; i + 1 < this.runs.length; i++) {
      const [left, right] = [this.runs[i], this.runs[i + 1]] as [Uint32Array, Uint32Array]
      if (left.length <= right.length * MERGE_RATIO) return i
    }
    return -1
  }
}

/** Whether the merge is whole. */
function mergeSome(terms: Terms, merge: Merge, steps: number): boolean {
  const { left, right, target } = merge
  for (let step = 0; step < steps; step++) {
    const { leftAt, rightAt } = merge
    if (leftAt === left.length && rightAt === right.length) return true
    const takesLeft =
      rightAt === right.length ||
      (leftAt < left.length && terms.compare(left[leftAt] as number, right[rightAt] as number) <= 0)
    target[leftAt + rightAt] = (takesLeft ? left[leftAt] : right[rightAt]) as number
    if (takesLeft) merge.leftAt++
    else merge.rightAt++
  }
  return merge.leftAt === left.length && merge.rightAt === right.length
}
