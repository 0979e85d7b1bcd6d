// Random choices that can be made again: whoever uses them prints the seed.

export class SeededRandom {
  readonly seed: number
  private state: number

  constructor(seed: number = Number(process.env['TEST_SEED'] ?? Date.now() % 1_000_000_007)) {
    this.seed = seed
    this.state = seed | 0
  }

  /** A whole number from 0 to `end` − 1 (the mix of splitmix32). */
  below(end: number): number {
    this.state = (this.state + 0x9e37_79b9) | 0
    let mixed = this.state ^ (this.state >>> 16)
    mixed = Math.imul(mixed, 0x21f0_aaad)
    mixed ^= mixed >>> 15
    mixed = Math.imul(mixed, 0x735a_2d97)
    mixed ^= mixed >>> 15
    return Math.floor(((mixed >>> 0) / 4_294_967_296) * end)
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)] as Item
  }
}
