// A million codes drawn: no repetition, every letter as likely as any other, all on their shard.
//
// 8 of 10 letters are drawn freely: 8 million letters, 250,000 of each of 32 on average, standard deviation √(8e6 · 1/32 · 31/32) = 492.
// 1 % are 2,500, five of these: one run in 80,000 would fail by chance. A position alone has 31,250 ± 174 of each; six of these are 3.4 %.

import { expect, it } from 'vitest'
import { Router } from '../../../engine/routing.ts'
import { surroundingsOf } from '../../../engine/surroundings.ts'
import { CODE_ALPHABET } from '../../../protocol/codes.ts'
import { COMMAND } from '../../../protocol/commands.ts'
import { BULK_ORDINALS } from '../../../protocol/ordinals.ts'
import { OUTCOME } from '../../../protocol/outcomes.ts'
import { LiveShard, SECRET, SHARD } from '../support/live-shard.ts'
import { couponWith } from '../support/samples.ts'

const CODES = 1_000_000
const LENGTH = 10
const DRAWN_FREELY = LENGTH - 2
const NOW_MS = Date.UTC(2026, 10, 20, 18)
const LETTER_TOLERANCE = 0.01
const POSITION_TOLERANCE = 0.034

it('a million codes are different, even in their letters, and on their shard', { timeout: 120_000 }, () => {
  const router = new Router(16, SECRET)
  const live = new LiveShard(SHARD, { around: surroundingsOf(SHARD, router) })
  const { outcome } = live.send(
    {
      type: COMMAND.START_JOB,
      by: null,
      plan: {
        kind: 'COUPONS',
        count: CODES,
        length: LENGTH,
        prefix: '',
        distribution: 'EXPORTED',
        userIds: [],
        definition: couponWith(''),
      },
    },
    NOW_MS,
  )
  expect(outcome.type).toBe(OUTCOME.JOB)
  while (live.actor.hasWork) {
    live.actor.work(NOW_MS)
    live.flushAll()
  }
  const codes = Array.from({ length: CODES }, (_, index) => live.state.code(BULK_ORDINALS + index))
  expect(new Set(codes).size).toBe(CODES)

  const seen = Array.from({ length: LENGTH }, () => new Uint32Array(128))
  for (const code of codes) {
    for (let at = 0; at < LENGTH; at++) {
      const letters = seen[at] as Uint32Array
      letters[code.charCodeAt(at)] = (letters[code.charCodeAt(at)] as number) + 1
    }
  }
  for (const letter of CODE_ALPHABET) {
    const unit = letter.charCodeAt(0)
    const inPositions = seen.slice(0, DRAWN_FREELY).map((letters) => letters[unit] as number)
    const all = inPositions.reduce((sum, count) => sum + count, 0)
    const share = (CODES * DRAWN_FREELY) / CODE_ALPHABET.length
    expect(Math.abs(all - share) / share, `the letter ${letter}`).toBeLessThan(LETTER_TOLERANCE)
    for (const [position, count] of inPositions.entries()) {
      const expected = CODES / CODE_ALPHABET.length
      expect(Math.abs(count - expected) / expected, `${letter} at ${position}`).toBeLessThan(POSITION_TOLERANCE)
    }
  }
  for (let index = 0; index < CODES; index += 997) expect(router.shardOfCode(codes[index] as string)).toBe(SHARD)
})
