/**
 * The best of many, in order, without sorting all of them: a heap of the best so far whose root is the worst of these, so that
 * nearly everything is turned away with one comparison.
 *
 * Order: the higher score, then the higher second number, then the higher id. By newest and by expiry there is no score; by expiry
 * the second number is the negated end.
 */

export class Best {
  count = 0
  private readonly size: number
  private readonly slots: Int32Array
  private readonly scores: Float64Array
  private readonly seconds: Float64Array
  private readonly ids: Float64Array

  constructor(size: number) {
    this.size = size
    this.slots = new Int32Array(size)
    this.scores = new Float64Array(size)
    this.seconds = new Float64Array(size)
    this.ids = new Float64Array(size)
  }

  offer(slot: number, score: number, second: number, id: number): void {
    if (this.count < this.size) {
      this.up(this.count++, slot, score, second, id)
    } else if (this.isBetter(score, second, id, 0)) {
      this.down(slot, score, second, id)
    }
  }

  /** The best first; the heap is empty then. */
  drain(): { slot: number; score: number; id: number }[] {
    const found: { slot: number; score: number; id: number }[] = []
    while (this.count > 0) {
      found.push({ slot: this.slots[0] as number, score: this.scores[0] as number, id: this.ids[0] as number })
      const last = --this.count
      this.down(
        this.slots[last] as number,
        this.scores[last] as number,
        this.seconds[last] as number,
        this.ids[last] as number,
      )
    }
    return found.reverse()
  }

  private isBetter(score: number, second: number, id: number, than: number): boolean {
    const otherScore = this.scores[than] as number
    if (score !== otherScore) return score > otherScore
    const otherSecond = this.seconds[than] as number
    return second === otherSecond ? id > (this.ids[than] as number) : second > otherSecond
  }

  private up(from: number, slot: number, score: number, second: number, id: number): void {
    let at = from
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (this.isBetter(score, second, id, parent)) break
      this.move(parent, at)
      at = parent
    }
    this.set(at, slot, score, second, id)
  }

  /** Puts one at the root's place and lets it sink. */
  private down(slot: number, score: number, second: number, id: number): void {
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= this.count) break
      const right = child + 1
      if (right < this.count && this.isWorse(right, child)) child = right
      if (!this.isBetter(score, second, id, child)) break
      this.move(child, at)
      at = child
    }
    this.set(at, slot, score, second, id)
  }

  private isWorse(a: number, b: number): boolean {
    return !this.isBetter(this.scores[a] as number, this.seconds[a] as number, this.ids[a] as number, b)
  }

  private move(from: number, to: number): void {
    this.set(
      to,
      this.slots[from] as number,
      this.scores[from] as number,
      this.seconds[from] as number,
      this.ids[from] as number,
    )
  }

  private set(at: number, slot: number, score: number, second: number, id: number): void {
    this.slots[at] = slot
    this.scores[at] = score
    this.seconds[at] = second
    this.ids[at] = id
  }
}
