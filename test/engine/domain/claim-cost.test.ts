/**
 * A claim is one step however large its pool is and however few of it are left: counted in reads and writes of tables, which
 * no busy machine disturbs. CLAIM_POOL sets the larger pool (npm run test:claims: a million).
 */
import { expect, test } from 'vitest'
import { COMMAND } from '../../../protocol/commands.ts'
import { OUTCOME, type Outcome } from '../../../protocol/outcomes.ts'
import type { LiveShard } from '../support/live-shard.ts'
import { campaignWith, codesPlan, liveShard } from '../support/campaign-scene.ts'
import { CountedSteps } from '../support/counted-state.ts'
import { START_MS } from '../support/scene.ts'

const SMALL = 100
const LARGE = Number(process.env['CLAIM_POOL'] ?? 30_000)
const LEFT = 3
const EVENTS_A_FLUSH = 1_000
const LOCK_MS = 300_000

/** A shard whose pool had `size` codes; all but three of them are held. */
function nearlyEmpty(size: number): LiveShard {
  const shard = liveShard()
  shard.send(
    {
      type: COMMAND.CREATE_CAMPAIGN,
      by: null,
      definition: campaignWith({ maxUses: size, maxUsesPerUser: 1, dailyLimit: { perUser: 1, scope: 'CAMPAIGN' } }),
    },
    START_MS,
  )
  shard.send({ type: COMMAND.START_JOB, by: null, plan: codesPlan(0, size) }, START_MS)
  while (shard.actor.hasWork) {
    shard.actor.work(START_MS)
    shard.flushAll()
  }
  for (let user = 0; user < size - LEFT; user++) {
    expect(claim(shard, `held-${user}`, START_MS).type).toBe(OUTCOME.CLAIMED)
    if (user % EVENTS_A_FLUSH === 0) shard.flushAll()
  }
  shard.flushAll()
  return shard
}

function claim(shard: LiveShard, user: string, nowMs: number): Outcome {
  return shard.send({ type: COMMAND.CLAIM, index: 0, user }, nowMs).outcome
}

function named(outcome: Outcome): string {
  return outcome.type === OUTCOME.REFUSED ? outcome.refusal : outcome.type === OUTCOME.CLAIMED ? 'claimed' : '?'
}

/** The steps of claims on the last three codes, on none, of one again, and of one that ran out. */
function costs(size: number): Record<string, number> {
  const shard = nearlyEmpty(size)
  const { state } = shard
  const steps = new CountedSteps(state)
  const cost: Record<string, number> = {}
  const counted = (what: string, user: string, expected: string, nowMs = START_MS): void => {
    let answer = ''
    cost[what] = steps.of(() => {
      answer = named(claim(shard, user, nowMs))
    })
    expect(answer, what).toBe(expected)
  }
  expect(state.tables.campaigns.poolSize.get(0)).toBe(LEFT)
  counted('the third last', 'a', 'claimed')
  counted('the second last', 'b', 'claimed')
  counted('the last', 'c', 'claimed')
  counted('again', 'c', 'claimed')
  counted('none is left', 'd', 'COUPON_LOCKED')
  // Somebody gives one back; then one runs out, and the sweep has not come to it.
  const first = shard.send({ type: COMMAND.GET_COUPON, coupon: { code: null, ordinal: 2 ** 30 } }, START_MS).outcome
  expect(first.type).toBe(OUTCOME.COUPON)
  const last = claim(shard, 'a', START_MS)
  if (last.type !== OUTCOME.CLAIMED) throw new Error('the claim of a is gone')
  shard.send({ type: COMMAND.RELEASE, reservationSeq: last.seq }, START_MS + 1)
  counted('one that was given back', 'e', 'claimed', START_MS + 1)
  return cost
}

test(`claims on what is left of ${SMALL} and of ${LARGE} codes take the same steps`, {
  timeout: 60_000 + LARGE,
}, () => {
  const small = costs(SMALL)
  const large = costs(LARGE)
  for (const [what, steps] of Object.entries(small)) {
    expect(steps, what).toBeGreaterThan(0)
    // A heap of holds is a few levels deeper for the larger one; a scan would be tens of thousands of steps more.
    expect(large[what], `${what}: ${steps} steps of ${SMALL}`).toBeLessThanOrEqual(steps + 64)
  }
})

test(`the first claim on ${LARGE} codes takes as many steps as that on ${SMALL}`, { timeout: 60_000 + LARGE }, () => {
  const stepsOf = (size: number): number => {
    const shard = liveShard()
    shard.send({ type: COMMAND.CREATE_CAMPAIGN, by: null, definition: campaignWith() }, START_MS)
    shard.send({ type: COMMAND.START_JOB, by: null, plan: codesPlan(0, size) }, START_MS)
    while (shard.actor.hasWork) shard.actor.work(START_MS)
    const steps = new CountedSteps(shard.state)
    return steps.of(() => expect(named(claim(shard, 'ann', START_MS))).toBe('claimed'))
  }
  expect(stepsOf(LARGE)).toBe(stepsOf(SMALL))
})

/** Steps a claim of so many that hand out, one after the other, what ran out all at once; the sweep does not come. */
function meanAfterLapse(size: number): number {
  const shard = liveShard()
  shard.send({ type: COMMAND.CREATE_CAMPAIGN, by: null, definition: campaignWith() }, START_MS)
  shard.send({ type: COMMAND.START_JOB, by: null, plan: codesPlan(0, size) }, START_MS)
  while (shard.actor.hasWork) shard.actor.work(START_MS)
  for (let user = 0; user < size; user++) claim(shard, `held-${user}`, START_MS + user)
  shard.flushAll()
  const steps = new CountedSteps(shard.state)
  const all = steps.of(() => {
    for (let user = 0; user < size; user++) {
      expect(named(claim(shard, `new-${user}`, START_MS + LOCK_MS + size + user))).toBe('claimed')
    }
  })
  return all / size
}

test('claims on what ran out take, one with another, some steps along a heap and no scan', { timeout: 60_000 }, () => {
  // Eight times as many holds are three levels of a heap more.
  expect(meanAfterLapse(8_000)).toBeLessThan(meanAfterLapse(1_000) * 1.5)
})
