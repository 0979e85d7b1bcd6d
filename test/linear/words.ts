// A history in words, for whoever has to find the fault: what was settled before the end came in sight as one sentence, then
// call by call, then the answer that came last. Without it the rest may still be right.

import type { Answer, Call, History, Operation } from './operation.ts'

/** Calls told one by one, at the end. */
const TOLD_MAX = 30

export function wordsOf({ rules, operations }: History): string {
  const told = operations.slice(-TOLD_MAX)
  const settled = operations.slice(0, -TOLD_MAX)
  const limit = rules.maxUses === null ? 'without a limit' : `of at most ${rules.maxUses} uses`
  const ofUser = rules.maxUsesPerUser === null ? '' : `, ${rules.maxUsesPerUser} a user`
  const lines = [`${rules.code}, a coupon ${limit}${ofUser}:`]
  if (settled.length > 0) lines.push(`  before: ${sums(settled)}`)
  lines.push(...told.map((operation) => `  ${line(operation)}`))
  const last = operations
    .filter(({ answer }) => answer !== null)
    .sort((a, b) => a.returnedAt - b.returnedAt)
    .at(-1)
  if (last !== undefined) lines.push(`  does not fit: ${line(last)}`)
  return lines.join('\n')
}

function sums(operations: readonly Operation[]): string {
  const counts = new Map<string, number>()
  for (const { call, answer } of operations) {
    const what = `${call.type} ${answer === null ? 'without an answer' : shortly(answer)}`
    counts.set(what, (counts.get(what) ?? 0) + 1)
  }
  return [...counts].map(([what, count]) => `${count} × ${what}`).join(', ')
}

function shortly(answer: Answer): string {
  if (answer.kind === 'REFUSED') return `refused (${answer.code})`
  return 'isNew' in answer && answer.isNew ? 'done' : 'told'
}

function line({ client, call, answer, invokedAt, returnedAt, openUntil, timeMs }: Operation): string {
  const until = returnedAt === Number.POSITIVE_INFINITY ? '…' : String(returnedAt)
  const at = timeMs === null ? '' : ` at ${timeMs}`
  const open = openUntil === Number.POSITIVE_INFINITY ? 'no answer' : `no answer, its process was dead by ${openUntil}`
  return `${invokedAt}–${until} ${client}: ${asked(call)} → ${answer === null ? open : toldOf(answer) + at}`
}

function asked(call: Call): string {
  switch (call.type) {
    case 'REDEEM':
      return `redeem ${call.order} of ${call.user} for ${call.totalMinor}`
    case 'RESERVE':
      return `reserve for ${call.user}, ${call.order ?? 'no order'}, ${call.totalMinor}, ${call.ttlSeconds} s`
    case 'REDEEM_RESERVATION': {
      const price = call.totalMinor === null ? 'at its price' : `for ${call.totalMinor}`
      return `redeem ${call.reservationId} as ${call.order} ${price}${call.allowLate ? ', late too' : ''}`
    }
    case 'RELEASE':
      return `release ${call.reservationId}`
    case 'REVERSE':
      return `reverse ${call.redemptionId}`
    case 'SWITCH':
      return call.enabled ? 'enable' : 'disable'
    case 'READ_COUPON':
      return 'read the coupon'
    case 'READ_RESERVATION':
      return `read ${call.reservationId}`
    case 'READ_REDEMPTION':
      return `read ${call.redemptionId}`
    case 'VALIDATE':
      return `validate for ${call.totalMinor}`
  }
}

function toldOf(answer: Answer): string {
  switch (answer.kind) {
    case 'REDEMPTION': {
      const id = answer.redemptionId ?? 'a redemption'
      const used = typeof answer.reservationId === 'string' ? ` by ${answer.reservationId}` : ''
      return `${answer.isNew ? 'new' : 'known'} ${id}${used}, ${answer.discountMinor} off${inStatus(answer.status)}`
    }
    case 'RESERVATION': {
      const { isNew, reservationId, discountMinor, expiresAtMs } = answer
      const what = `${isNew === true ? 'new ' : isNew === false ? 'known ' : ''}${reservationId} until ${expiresAtMs}`
      return `${what}, ${discountMinor} off${inStatus(answer.status)}`
    }
    case 'RELEASED':
      return 'released'
    case 'COUPON':
      return `${answer.uses} used, ${answer.reserved} reserved, ${answer.remaining ?? 'any number'} left${inStatus(answer.status)}`
    case 'VALIDATED':
      return answer.reason ?? `applicable, ${answer.amountMinor} off`
    case 'REFUSED':
      return answer.code
  }
}

function inStatus(status: string | null): string {
  return status === null ? '' : `, ${status}`
}
