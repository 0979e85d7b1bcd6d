// Token buckets held against a model that remembers every subject, and what happens when there are too many of them.

import { describe, expect, test } from 'vitest'
import { TokenBuckets } from '../../gateway/guard/token-buckets.ts'
import { SeededRandom } from '../support/seeded-random.ts'

const QUOTA = { name: 'test', tokens: 5, windowSeconds: 10 }

/** A bucket as one would describe it: tokens that drip in, one in two seconds. */
class Bucket {
  tokens = 5
  private atMs = 0

  take(nowMs: number): boolean {
    this.tokens = Math.min(5, this.tokens + (nowMs - this.atMs) / 2_000)
    this.atMs = nowMs
    if (this.tokens < 1) return false
    this.tokens -= 1
    return true
  }
}

test('a full bucket gives its tokens at once, and then one an interval', () => {
  const buckets = new TokenBuckets(QUOTA, 64)
  for (const left of [4, 3, 2, 1, 0]) {
    expect(buckets.take(1, 2, 100)).toBe(true)
    expect(buckets.left).toBe(left)
  }
  expect(buckets.fullMs).toBe(10_000)
  expect(buckets.take(1, 2, 100)).toBe(false)
  expect(buckets.waitMs).toBeGreaterThan(0)
  expect(buckets.waitMs).toBeLessThanOrEqual(2_000)
  expect(buckets.take(1, 2, 100 + buckets.waitMs)).toBe(true)
})

test('a refusal costs nothing: who waits gets through, however often it asked meanwhile', () => {
  const buckets = new TokenBuckets(QUOTA, 64)
  for (let i = 0; i < 5; i++) buckets.take(1, 2, 0)
  for (let nowMs = 0; nowMs < 900; nowMs++) expect(buckets.take(1, 2, nowMs)).toBe(false)
  expect(buckets.take(1, 2, 2_000)).toBe(true)
})

test('what is charged adds up', () => {
  const buckets = new TokenBuckets(QUOTA, 8)
  for (let i = 1; i < QUOTA.tokens; i++) buckets.charge(1, 2, 0, 1)
  expect(buckets.has(1, 2, 0)).toBe(true)
  buckets.charge(1, 2, 0, 1)
  expect(buckets.has(1, 2, 0)).toBe(false)
})

test('what is charged afterwards empties a bucket and goes no deeper', () => {
  const buckets = new TokenBuckets(QUOTA, 64)
  buckets.charge(1, 2, 0, 1_000)
  expect(buckets.has(1, 2, 0)).toBe(false)
  expect(buckets.has(1, 2, 2_000)).toBe(true)
  expect(buckets.fullMs).toBe(8_000)
})

test('random calls are admitted as by a model of real buckets', () => {
  const random = new SeededRandom()
  console.info(`seed ${random.seed}`)
  const buckets = new TokenBuckets(QUOTA, 1_024)
  const model = Array.from({ length: 50 }, () => new Bucket())
  let refused = 0
  let nowMs = 0
  for (let call = 0; call < 20_000; call++) {
    // Steps of an interval, so that no call falls into the grace for rounding.
    if (random.below(120) === 0) nowMs += 2_000
    const subject = random.below(model.length)
    const isAdmitted = buckets.take(subject, subject + 1, nowMs)
    if (!isAdmitted) refused++
    expect(isAdmitted).toBe((model[subject] as Bucket).take(nowMs))
  }
  expect(refused).toBeGreaterThan(1_000)
})

describe('with more subjects than there is room for', () => {
  test('one that used its tokens is kept before those that have not', () => {
    const buckets = new TokenBuckets(QUOTA, 8)
    for (let i = 0; i < 5; i++) buckets.take(0, 7, 0)
    // A hundred others of the same set, one call each: they push each other out, not the one without tokens.
    for (let other = 100; other < 200; other++) buckets.take(0, other, 1)
    expect(buckets.take(0, 7, 2)).toBe(false)
  })

  test('nobody is refused for the calls of another', () => {
    const random = new SeededRandom()
    console.info(`seed ${random.seed}`)
    const buckets = new TokenBuckets(QUOTA, 16)
    for (let subject = 1; subject < 20_000; subject++) {
      expect(buckets.take(random.below(2 ** 31), subject, subject / 100)).toBe(true)
    }
  })
})

test('a million calls of a million users take well under a microsecond each', () => {
  const buckets = new TokenBuckets({ name: 'test', tokens: 60, windowSeconds: 10 }, 1_048_576)
  const calls = 1_000_000
  const began = performance.now()
  for (let call = 0; call < calls; call++) buckets.take(Math.imul(call, 0x9e37_79b1), call + 1, call / 100)
  const eachUs = ((performance.now() - began) * 1_000) / calls
  console.info(`${eachUs.toFixed(3)} us a call`)
  // Four times what it takes on a busy machine with two cores.
  expect(eachUs).toBeLessThan(2)
})
