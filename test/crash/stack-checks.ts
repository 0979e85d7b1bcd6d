// What has to be true of a redemption or reservation of several coupons after a restart: it is there as it was told.

import { setTimeout as wait } from 'node:timers/promises'
import type { Answer, Checkout, HttpCheckout } from './checkout.ts'
import { digestOf, Violation } from './ledger.ts'
import type { StackCampaign, StackLedger, StackRedemption, StackReservation } from './stack-ledger.ts'
import { SETTLED_WITHIN_MS, stackBody } from './stack-calls.ts'

export const LOOK_AGAIN_MS = 25
/** Calls under way at once. */
const WINDOW = 256

/** Throws unless the call was done. */
export function done(answer: Answer, what: string): Extract<Answer, { kind: 'done' }> {
  if (answer.kind === 'done') return answer
  throw new Violation(`${what}: ${answer.kind === 'doubt' ? answer.why : `${answer.code}, ${answer.detail}`}`)
}

/** A machine that is slow may not get a call over several shards done in its time: that is said, and safe to ask again. */
async function untilDone(call: () => Promise<Answer>): Promise<Answer> {
  const untilMs = performance.now() + SETTLED_WITHIN_MS
  for (;;) {
    const reply = await call()
    const isNotDone = reply.kind === 'doubt' && reply.why === 'SHARD_UNAVAILABLE'
    if (!isNotDone || performance.now() > untilMs) return reply
  }
}

/** As it was told, by id and by the same call again. */
export async function checkRedemption(checkout: Checkout, entry: StackRedemption): Promise<void> {
  const what = `the redemption ${entry.redemptionId} of order ${entry.orderId} was acknowledged`
  const { result } = done(await checkout.get('redemption', entry.redemptionId), what)
  if (digestOf(result) !== entry.receipt) throw new Violation(`${what} otherwise: ${JSON.stringify(result)}`)
  const again = await untilDone(() => checkout.redeem(stackBody(entry)))
  if (entry.reversal !== null) {
    if (again.kind === 'refused' && again.code === 'REDEMPTION_REVERSED') return
    throw new Violation(`order ${entry.orderId} again after its reversal: ${JSON.stringify(again)}`)
  }
  const replay = done(again, `order ${entry.orderId} again`)
  if (digestOf(replay.result) !== entry.receipt) {
    throw new Violation(`order ${entry.orderId} again is not ${entry.redemptionId}: ${JSON.stringify(replay.result)}`)
  }
}

export async function checkReservation(checkout: Checkout, entry: StackReservation): Promise<void> {
  const what = `the reservation ${entry.reservationId} was acknowledged`
  const { result, timeMs } = done(await checkout.get('reservation', entry.reservationId), what)
  const open = timeMs < entry.expiresAtMs ? 'RESERVED' : 'EXPIRED'
  const { status } = result
  const isAsLeft =
    entry.state === 'OPEN'
      ? status === open
      : status === entry.state || (entry.state === 'RELEASED' && status === 'EXPIRED')
  if (!isAsLeft || result['userId'] !== entry.userId) {
    throw new Violation(`${what} and is ${entry.state} at ${timeMs}: ${JSON.stringify(result)}`)
  }
}

/** Its counters are what was acknowledged, at the moment of the answer. */
export async function checkCampaign(http: HttpCheckout, ledger: StackLedger, campaign: StackCampaign): Promise<void> {
  const untilMs = performance.now() + SETTLED_WITHIN_MS
  for (;;) {
    const { campaignId } = campaign
    const { result, timeMs } = done(await http.getCampaign(campaignId), `the campaign ${campaignId} was created`)
    const uses = ledger.usesOfCampaign(campaign)
    const reserved = ledger.reservedOfCampaignAt(campaign, timeMs)
    const discount = ledger.discountOfCampaign(campaign)
    const found = `${String(result['uses'])}/${String(result['reserved'])} ${String(result['discountTotal'])}`
    if (found === `${uses}/${reserved} ${discount}`) return
    if (performance.now() > untilMs) {
      throw new Violation(`${campaignId} has ${found}, acknowledged were ${uses}/${reserved} ${discount} at ${timeMs}`)
    }
    await wait(LOOK_AGAIN_MS)
  }
}

export async function inWindows<Entry>(
  entries: readonly Entry[],
  check: (entry: Entry) => Promise<void>,
): Promise<void> {
  for (let at = 0; at < entries.length; at += WINDOW) await Promise.all(entries.slice(at, at + WINDOW).map(check))
}
