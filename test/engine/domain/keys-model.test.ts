/**
 * Random calls with keys on one shard, beside a model that knows nothing of sequences, tables or sweeps; at the end the log
 * alone has to make the same state. FC_SEED repeats a failure, FC_RUNS makes it longer.
 */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { KEY_WINDOW_MS } from '../../../engine/domain/limits.ts'
import { CLAIM_LEASE_MS } from '../../../engine/shard/limits.ts'
import { bytesOf, textOf } from '../../../protocol/bytes.ts'
import { COMMAND } from '../../../protocol/commands.ts'
import { OUTCOME, type Outcome } from '../../../protocol/outcomes.ts'
import { brief, Scene } from '../support/scene.ts'
import { couponWith, create } from '../support/samples.ts'
import { tablesOf } from '../support/state-image.ts'

const SEED = Number(process.env['FC_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const RUNS = Number(process.env['FC_RUNS'] ?? 150)
const HOUR_MS = 3_600_000
/** More slots than the tables here have: one eviction goes through all of them. */
const ALL_SLOTS = 2 ** 20

type Step =
  | { readonly kind: 'claim'; readonly key: number; readonly digest: number }
  | { readonly kind: 'answer'; readonly key: number; readonly isMalformed: boolean }
  | { readonly kind: 'letGo'; readonly key: number }
  | { readonly kind: 'operate'; readonly name: number }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'sweep' }
  | { readonly kind: 'crash' }

const key = fc.nat({ max: 2 })
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('claim'), key, digest: fc.nat({ max: 1 }) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('answer'),
      key,
      isMalformed: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('letGo'), key }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('operate'), name: fc.nat({ max: 30 }) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('wait'),
      ms: fc.oneof(fc.nat({ max: 1_000 }), fc.nat({ max: 2 * CLAIM_LEASE_MS }), fc.nat({ max: 13 * HOUR_MS })),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('sweep') }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('crash') }) },
)

interface ModelKey {
  readonly digest: number
  readonly atMs: number
  readonly operation: string
  claimSeq: number
  answer: string | null
  /** Until when somebody works on it. */
  untilMs: number
}

class Walk {
  readonly scene = new Scene()
  private readonly keys = new Map<number, ModelKey>()
  private readonly operations = new Map<number, number>()
  private count = 0

  take(one: Step): void {
    switch (one.kind) {
      case 'claim':
        this.claim(one.key, one.digest)
        return
      case 'answer':
        this.answer(one.key, one.isMalformed)
        return
      case 'letGo':
        this.letGo(one.key)
        return
      case 'operate':
        this.operate(one.name)
        return
      case 'wait':
        this.scene.later(one.ms)
        return
      case 'sweep':
        this.scene.sweep()
        return
      case 'crash':
        this.scene.crash()
        for (const known of this.keys.values()) known.untilMs = 0
        return
    }
  }

  private claim(name: number, digest: number): void {
    const operation = `operation ${++this.count}`
    const outcome = this.scene.say({
      type: COMMAND.CLAIM_KEY,
      scope: 'key_a',
      key: `k${name}`,
      digest: bytesOf(`d${digest}`),
      operation: bytesOf(operation),
    })
    const { nowMs } = this.scene
    const known = this.remembered(name)
    if (known === null) {
      assert.equal(said(outcome), `claimed as ${operation}`)
      const claimSeq = claimSeqOf(outcome)
      this.keys.set(name, { digest, atMs: nowMs, operation, claimSeq, answer: null, untilMs: nowMs + CLAIM_LEASE_MS })
    } else if (known.digest !== digest) {
      assert.equal(said(outcome), 'IDEMPOTENCY_KEY_CONFLICT')
    } else if (known.answer !== null) {
      assert.equal(said(outcome), known.answer)
    } else if (known.untilMs > nowMs) {
      assert.equal(said(outcome), 'busy')
    } else {
      assert.equal(said(outcome), `claimed as ${known.operation}`)
      assert.equal(claimSeqOf(outcome), known.claimSeq)
      known.untilMs = nowMs + CLAIM_LEASE_MS
    }
  }

  private answer(name: number, isMalformed: boolean): void {
    const known = this.remembered(name)
    if (known === null) return
    const body = `answer ${++this.count}`
    const answer = { status: 200, body, position: '', location: '', etag: '', retryAfterSeconds: 0 }
    const { claimSeq } = known
    const outcome = this.scene.say({
      type: COMMAND.ANSWER_KEY,
      scope: 'key_a',
      key: `k${name}`,
      claimSeq,
      answer: isMalformed ? null : answer,
    })
    assert.equal(said(outcome), known.answer ?? 'kept')
    if (known.answer !== null) return
    if (isMalformed) this.keys.delete(name)
    else known.answer = body
  }

  private letGo(name: number): void {
    const known = this.remembered(name)
    if (known === null) return
    this.scene.say({ type: COMMAND.LET_GO_KEY, claimSeq: known.claimSeq })
    known.untilMs = 0
  }

  /** Names that are old enough to be forgotten, or not, are left alone. */
  private operate(name: number): void {
    const doneAtMs = this.operations.get(name)
    if (doneAtMs !== undefined && this.scene.nowMs >= doneAtMs + KEY_WINDOW_MS) return
    const outcome = this.scene.say({
      type: COMMAND.KEYED,
      operation: bytesOf(`name ${name}`),
      inner: create(couponWith(`CODE-${name}`)),
    })
    assert.equal(said(outcome), doneAtMs === undefined ? 'ACTIVE' : 'before: ACTIVE')
    if (doneAtMs === undefined) this.operations.set(name, this.scene.nowMs)
  }

  private remembered(name: number): ModelKey | null {
    const known = this.keys.get(name)
    return known === undefined || this.scene.nowMs >= known.atMs + KEY_WINDOW_MS ? null : known
  }
}

function claimSeqOf(outcome: Outcome): number {
  return outcome.type === OUTCOME.KEY_CLAIMED ? outcome.claimSeq : -1
}

function said(outcome: Outcome): string {
  switch (outcome.type) {
    case OUTCOME.KEY_CLAIMED:
      return `claimed as ${textOf(outcome.operation)}`
    case OUTCOME.KEY_ANSWERED:
      return outcome.answer.body
    case OUTCOME.KEY_BUSY:
      return 'busy'
    case OUTCOME.KEY_KEPT:
      return 'kept'
    case OUTCOME.DONE_BEFORE:
      return `before: ${brief(outcome.outcome)}`
    default:
      return brief(outcome)
  }
}

test(`keys and operations are what a plain model says, live and replayed (seed ${SEED})`, () => {
  const horizons = new Set<boolean>()
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120, size: 'max' }), (steps) => {
      const walk = new Walk()
      for (const one of steps) walk.take(one)
      const { shard } = walk.scene
      const replayed = shard.replayed()
      for (const { tables, keysRememberedFromSeq } of [shard.state, replayed]) {
        // Twice, because a table is gone through from where the last eviction ended.
        for (let i = 0; i < 2; i++) {
          tables.keys.evictBelow(keysRememberedFromSeq, ALL_SLOTS)
          tables.operations.evictBelow(keysRememberedFromSeq, ALL_SLOTS)
        }
      }
      expect(tablesOf(replayed)).toEqual(tablesOf(shard.state))
      horizons.add(replayed.keysRememberedFromSeq > 0)
    }),
    { seed: SEED, numRuns: RUNS },
  )
  expect(horizons.has(true)).toBe(true)
})
