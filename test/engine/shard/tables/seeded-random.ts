// A small generator for random tests. The seed comes from TEST_SEED or the clock and stands in every failure.

export class SeededRandom {
  readonly seed: number
  private state: number

  constructor(seed = Number(process.env['TEST_SEED'] ?? Date.now() % 1_000_000_007)) {
    this.seed = seed
    this.state = seed | 0
  }

  /** An int32 (the mix of splitmix32). */
  word(): number {
    this.state = (this.state + 0x9e37_79b9) | 0
    let mixed = this.state ^ (this.state >>> 16)
    mixed = Math.imul(mixed, 0x21f0_aaad)
    mixed ^= mixed >>> 15
    mixed = Math.imul(mixed, 0x735a_2d97)
    return mixed ^ (mixed >>> 15)
  }

  /** A whole number from 0 to `end` − 1. */
  below(end: number): number {
    return Math.floor(((this.word() >>> 0) / 4_294_967_296) * end)
  }
}
