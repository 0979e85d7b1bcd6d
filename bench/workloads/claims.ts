// claims: a crowd for the coupons of a campaign, over WebSocket.
//
//   pace      users for as many coupons, scope CAMPAIGN and scope ALL: claims answered a second
//   scarcity  twenty times as many users as coupons; a third of those who get one let it run out, and it goes to somebody else
//
// Exactness is judged from what users were told: no coupon with two at once, nobody with two, every coupon handed out in the end.

import { setTimeout as pause } from 'node:timers/promises'
import { runChild } from '../children.ts'
import type { ClaimsInput, ClaimsResult } from '../load/claims.ts'
import { ENTRIES } from '../project.ts'
import { atLeast, type Check, checkEqual, type WorkloadReport } from '../report/figure.ts'
import { campaignOf, createCampaign, makeCodes } from '../server/campaigns.ts'
import type { Product } from '../server/product.ts'
import type { ClaimsSize } from '../sizes.ts'
import type { BenchContext } from './context.ts'
import { withProduct } from './with-product.ts'

const TARGETS = { CAMPAIGN: 30_000, ALL: 15_000 } as const
const SCOPES = ['CAMPAIGN', 'ALL'] as const
type Scope = (typeof SCOPES)[number]

/** Longer than any run: nothing comes back by itself while the pace is taken. */
const LONG_LOCK_SECONDS = 600
const LET_GO_EVERY = 3
/** Beyond the end of the locks. */
const LAPSE_MARGIN_MS = 200
const CROWDS_MAX = 50

export async function runClaimsWorkload(context: BenchContext, size: ClaimsSize): Promise<WorkloadReport> {
  return await withProduct(context, async (product) => {
    const paces = new Map<Scope, ClaimsResult>()
    const checks: Check[] = []
    for (const scope of SCOPES) {
      const result = await pace(product, size, scope)
      paces.set(scope, result)
      checks.push(
        checkEqual(
          `claims with scope ${scope}: users with a coupon of their own`,
          size.paceUsers,
          differentUsers(result),
        ),
      )
      checks.push(checkEqual(`claims with scope ${scope}: different coupons`, size.paceUsers, differentCodes(result)))
      context.say(
        `scope ${scope}: ${Math.round(result.answeredPerSecond).toLocaleString('en')} claims/s, client at ${(result.clientCpu * 100).toFixed(0)} % of a core`,
      )
    }
    const scarce = await scarcity(context, product, size)
    return {
      workload: 'claims',
      figures: [
        ...SCOPES.map((scope) => ({
          name: `claims: scope ${scope}`,
          value: paces.get(scope)?.answeredPerSecond ?? Number.NaN,
          unit: '/s' as const,
          target: atLeast(TARGETS[scope]),
        })),
        {
          name: 'claims: users for each coupon, when it is scarce',
          value: size.scarceUsers / size.scarceCoupons,
          unit: '',
          target: null,
        },
        {
          name: 'claims: answered while the pool is empty or nearly so',
          value: scarce.answeredPerSecond,
          unit: '/s',
          target: null,
        },
      ],
      checks: [...checks, ...scarce.checks],
      detail: { clientCpu: Object.fromEntries([...paces].map(([scope, { clientCpu }]) => [scope, clientCpu])) },
    }
  })
}

async function pace(product: Product, size: ClaimsSize, scope: Scope): Promise<ClaimsResult> {
  const { baseUrl } = product
  const dailyLimit = { perUser: 1, scope }
  const campaignId = await createCampaign(baseUrl, {
    name: `pace ${scope}`,
    lockSeconds: LONG_LOCK_SECONDS,
    dailyLimit,
  })
  await makeCodes(baseUrl, campaignId, size.paceUsers)
  return await claim(product, size, campaignId, 0, size.paceUsers, 0)
}

async function claim(
  product: Product,
  size: ClaimsSize,
  campaignId: string,
  firstUser: number,
  endUser: number,
  letGoEvery: number,
): Promise<ClaimsResult> {
  const { messagesPerFrame, framesInFlight, connections } = size
  return await runChild<ClaimsInput, ClaimsResult>(ENTRIES.claims, {
    port: product.port,
    campaignId,
    firstUser,
    endUser,
    messagesPerFrame,
    framesInFlight,
    connections,
    letGoEvery,
  })
}

/** Crowds come one after the other, each when what the one before let go has run out, until every coupon is redeemed. */
async function scarcity(context: BenchContext, product: Product, size: ClaimsSize) {
  const { scarceUsers, scarceCoupons, lockSeconds, crowds } = size
  const dailyLimit = { perUser: 1, scope: 'CAMPAIGN' } as const
  const campaignId = await createCampaign(product.baseUrl, { name: 'scarce', lockSeconds, dailyLimit })
  await makeCodes(product.baseUrl, campaignId, scarceCoupons)
  const usersAtOnce = Math.ceil(scarceUsers / crowds)
  const held = new Map<string, 'lapsed' | 'redeemed'>()
  const users = new Set<number>()
  const faults: string[] = []
  let redeemed = 0
  let answered = 0
  let seconds = 0
  let next = 0
  for (let crowd = 0; crowd < CROWDS_MAX && (next < scarceUsers || redeemed < scarceCoupons); crowd++) {
    const end = next + usersAtOnce
    const result = await claim(product, size, campaignId, next, end, LET_GO_EVERY)
    next = end
    answered += usersAtOnce
    seconds += result.elapsedSeconds
    const inCrowd = new Set<string>()
    for (const { user, code, redeemed: isRedeemed } of result.handedOut) {
      if (users.has(user)) faults.push(`user ${user} got a second coupon`)
      if (held.get(code) === 'redeemed') faults.push(`${code} was handed out after it was redeemed`)
      if (inCrowd.has(code)) faults.push(`${code} was with two users at once`)
      inCrowd.add(code)
      users.add(user)
      held.set(code, isRedeemed ? 'redeemed' : 'lapsed')
      if (isRedeemed) redeemed++
    }
    context.say(
      `crowd ${crowd + 1}: ${result.claims} coupons handed out, ${redeemed} of ${scarceCoupons} redeemed so far`,
    )
    await pause(lockSeconds * 1_000 + LAPSE_MARGIN_MS)
  }
  const { uses } = await campaignOf(product.baseUrl, campaignId)
  return {
    answeredPerSecond: answered / seconds,
    checks: [
      {
        name: 'scarce claims: one holder a coupon, one coupon a user',
        expected: 'no fault',
        seen: faults[0] ?? 'no fault',
        holds: faults.length === 0,
      },
      checkEqual('scarce claims: coupons redeemed in the end', scarceCoupons, redeemed),
      checkEqual('scarce claims: uses of the campaign', redeemed, Number(uses)),
    ],
  }
}

function differentUsers({ handedOut }: ClaimsResult): number {
  return new Set(handedOut.map(({ user }) => user)).size
}

function differentCodes({ handedOut }: ClaimsResult): number {
  return new Set(handedOut.map(({ code }) => code)).size
}
