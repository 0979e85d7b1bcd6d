// The judge: from a trace of system calls, whether any reply left before what it tells was on disk.
//
//     pwrite64/writev(segment, … order …)  ──ends──▶  pwrite64(segment, root)  ──ends──▶  fdatasync(segment)  ──ends──▶  reply
//
// Each arrow is "ended before the next began". The order's bytes alone are not enough: the commit is reachable after a power
// cut when the root written behind it is on disk as well, so the flush that counts is one that began after the root was
// written. Segments are written through one descriptor and flushed through another, so files are told by path.

import { type Reply, repliesOf } from './replies.ts'
import { type TracedCall, tracedCalls } from './strace-lines.ts'

/** What the client asked and was told, which the trace alone does not say. */
export interface Told {
  /** All orders, acknowledged or not. */
  readonly orders: ReadonlySet<string>
  /** Orders of a frame of columns, by the id of its message. */
  readonly rowsOf: ReadonlyMap<string, readonly string[]>
  /** Acknowledged orders of coupons that ran out, by code: who is told so has seen all of them. */
  readonly winnersOf: ReadonlyMap<string, readonly string[]>
}

export interface Judgement {
  /** Replies that acknowledge an order (each row of a column is one). */
  readonly acknowledgements: number
  /** Replies that say that a coupon ran out. */
  readonly refusals: number
  /** Replies that show the counter of a coupon. */
  readonly reads: number
  readonly flushes: number
  /** Sentences; none: no reply left early. */
  readonly violations: readonly string[]
}

/** Both roots of a segment lie on its first two pages of 4 KiB. */
const ROOTS_END = 8_192
const NEVER = Number.POSITIVE_INFINITY
const OUTCOMES_OK: ReadonlySet<unknown> = new Set([0, 1])

/** `orderPattern` finds order ids in the bytes of a page. */
export function judgeTrace(trace: string, told: Told, orderPattern: RegExp): Judgement {
  const calls = tracedCalls(trace)
  const durable = durableOrders(calls, told.orders, orderPattern)
  const found = { acknowledgements: 0, refusals: 0, reads: 0 }
  const violations: string[] = []
  for (const reply of repliesOf(calls)) {
    const acknowledged = acknowledgedBy(reply, told)
    found.acknowledgements += acknowledged.length
    for (const order of acknowledged) hold(order, 'it acknowledges', reply, durable, violations)
    const winners = told.winnersOf.get(exhaustedCoupon(reply) ?? '')
    if (winners !== undefined) {
      found.refusals++
      for (const order of winners) hold(order, 'its refusal counts', reply, durable, violations)
    }
    const shown = shownCoupon(reply, told)
    if (shown === null) continue
    found.reads++
    const onDisk = shown.winners.filter((order) => (durable.get(order) ?? NEVER) < reply.leavesAt).length
    if (onDisk < shown.uses)
      violations.push(`${whereOf(reply)} shows ${shown.uses} uses of ${shown.code}, ${onDisk} were on disk`)
  }
  const flushes = calls.filter(({ name, target }) => isFlush(name) && target.endsWith('.mdb')).length
  return { ...found, flushes, violations }
}

function hold(
  order: string,
  why: string,
  reply: Reply,
  durable: ReadonlyMap<string, number>,
  violations: string[],
): void {
  const onDiskAt = durable.get(order)
  if (onDiskAt === undefined) violations.push(`${whereOf(reply)}: order ${order}, which ${why}, was never flushed`)
  else if (onDiskAt > reply.leavesAt) {
    violations.push(`${whereOf(reply)}: order ${order}, which ${why}, was on disk in line ${onDiskAt + 1} only`)
  }
}

function whereOf({ leavesAt, atSeconds }: Reply): string {
  return `the reply in line ${leavesAt + 1} (${atSeconds.toFixed(6)})`
}

/** For each order the line in which the flush ended that made it reachable. */
function durableOrders(
  calls: readonly TracedCall[],
  orders: ReadonlySet<string>,
  pattern: RegExp,
): Map<string, number> {
  const durable = new Map<string, number>()
  const ofFile = new Map<string, TracedCall[]>()
  for (const call of calls) {
    if (!call.target.endsWith('.mdb')) continue
    const ofThis = ofFile.get(call.target)
    if (ofThis === undefined) ofFile.set(call.target, [call])
    else ofThis.push(call)
  }
  for (const file of ofFile.values()) {
    const roots = file.filter(isRoot)
    const flushes = file.filter(({ name, result }) => isFlush(name) && result === 0)
    for (const write of file) {
      if (write.bytes === '' || isRoot(write) || write.result !== write.bytes.length) continue
      const root = roots.find(({ beginsAt }) => beginsAt > write.endsAt)
      const flush = flushes.find(({ beginsAt }) => beginsAt > (root?.endsAt ?? NEVER))
      if (flush === undefined) continue
      for (const [order] of write.bytes.matchAll(pattern)) {
        if (orders.has(order)) durable.set(order, Math.min(durable.get(order) ?? NEVER, flush.endsAt))
      }
    }
  }
  return durable
}

function isRoot({ name, offset, bytes, result }: TracedCall): boolean {
  return name === 'pwrite64' && offset >= 0 && offset + bytes.length <= ROOTS_END && result === bytes.length
}

function isFlush(name: string): boolean {
  return name === 'fdatasync' || name === 'fsync'
}

/** The orders that a reply acknowledges. */
function acknowledgedBy({ body, status }: Reply, told: Told): string[] {
  const receipt = status === 0 ? (body['result'] as Record<string, unknown> | undefined) : body
  if (receipt?.['redemptionId'] !== undefined) return [String(receipt['orderId'])]
  const rows = status === 0 ? told.rowsOf.get(String(body['id'])) : undefined
  const outcomes = body['outcomes'] as readonly unknown[] | undefined
  if (rows === undefined || outcomes === undefined) return []
  return rows.filter((_, i) => OUTCOMES_OK.has(outcomes[i]))
}

/** The coupon that a reply says has run out. */
function exhaustedCoupon({ body, status }: Reply): string | null {
  const refusal = status === 0 ? (body['error'] as Record<string, unknown> | undefined) : body
  return refusal?.['code'] === 'COUPON_EXHAUSTED' ? String(refusal['coupon']) : null
}

function shownCoupon(
  { body, status }: Reply,
  told: Told,
): { code: string; uses: number; winners: readonly string[] } | null {
  const shown = status === 0 ? (body['result'] as Record<string, unknown> | undefined) : body
  if (shown?.['couponId'] === undefined || typeof shown['uses'] !== 'number') return null
  const code = String(shown['code'])
  const winners = told.winnersOf.get(code)
  return winners === undefined ? null : { code, uses: shown['uses'], winners }
}
