// What may answer an input, how far a bystander may be disturbed, and what flat memory is. Everything here is a function of what
// was seen, so that each of them can be shown what it has to refuse.

import type { Footprint } from '../../bench/server/footprint.ts'
import { type Point, slopeOf } from '../../bench/report/trend.ts'
import { GATEWAY_STATUS } from '../../gateway/problem.ts'
import { REFUSALS } from '../../protocol/refusals.ts'
import { type Contract, faultsOfRefusal } from '../gateway/support/contract.ts'
import type { HttpAnswer } from '../gateway/support/gateway.ts'
import type { Request } from './input.ts'

/** What the server's HTTP says by itself, bare, of what it cannot read; then it closes. */
const BARE_STATUSES = new Set([400, 404, 431, 505])
/** The one way in which a server that is well may fail to do a thing. */
const ALLOWED_5XX = 'OVERLOADED'
const CODES = new Set([...Object.keys(REFUSALS), ...Object.keys(GATEWAY_STATUS)])
/** Close codes that the contract or RFC 6455 give for what clients do; null: dropped without one. */
const CLOSE_CODES = new Set([null, 1000, 1002, 1005, 1006, 1007, 1008, 1009])

/** A bystander's p99 under attack, of its p99 without. */
export const DISTURBANCE_MAX = 2
const LATENCIES_MIN = 300
/** Memory less state, after the warm-up. */
const GROWTH_BYTES_PER_MINUTE_MAX = 1_048_576
/** Of 100,000 inputs the first half: until then heaps, caches and buffers still find their size (24,000 requests are not enough). */
const WARM_UP_SHARE = 0.5
const SAMPLES_MIN = 60
/** Of the time after the warm-up. Of each only the least counts: heaps breathe, and what is kept shows when they have breathed out. */
const SLICES = 12

export function faultsOfAnswer(contract: Contract, way: Request, answer: HttpAnswer): string[] {
  const { method, template, statuses, isWrong, mayBreak } = way
  const { status } = answer
  if (isBare(answer)) return mayBreak && BARE_STATUSES.has(status) ? [] : [`a bare ${status} to what is HTTP`]
  const faults = faultsOfStatus(answer)
  if (isWrong && status < 300) faults.push(`${status} to what is wrong`)
  if (statuses !== null && !statuses.includes(status)) faults.push(`${status} instead of ${statuses.join(' or ')}`)
  if (method === 'HEAD') return faults
  try {
    // Paths that the document does not have answer as every refusal does: the 404 of any call says how.
    if (template === '') contract.assertAnswer('GET', '/v1/coupons/{coupon}', { ...answer, status: 404 })
    else contract.assertAnswer(method, template, answer)
  } catch (error) {
    faults.push((error as Error).message)
  }
  return faults
}

/** Of an answer to something that may be no request of any operation; `isSound`: it is HTTP at least. */
export function faultsOfRawAnswer(answer: HttpAnswer, isSound: boolean): string[] {
  const { status } = answer
  if (status === 101) return []
  if (isBare(answer)) return !isSound && BARE_STATUSES.has(status) ? [] : [`a bare ${status}`]
  return faultsOfStatus(answer)
}

function isBare({ headers }: HttpAnswer): boolean {
  return headers['x-request-id'] === undefined
}

function faultsOfStatus(answer: HttpAnswer): string[] {
  const { status, json, text } = answer
  if (status < 400 || text === '') return status < 500 ? [] : [`${status} without a word`]
  const { code } = json as { readonly code?: unknown }
  const faults = faultsOfRefusal(answer).map((what) => `a refusal lacks ${what}`)
  if (!CODES.has(String(code))) faults.push(`${String(code)} is no code`)
  if (status >= 500 && code !== ALLOWED_5XX) faults.push(`${status} ${String(code)}`)
  return faults
}

/** Of one message that came over a WebSocket. */
export function faultsOfMessage(message: unknown): string[] {
  if (typeof message !== 'object' || message === null) return ['a message that is no object']
  const { id, ok, error, topic, uses } = message as Readonly<Record<string, unknown>>
  if (ok === undefined)
    return typeof topic === 'string' && typeof uses === 'number' ? [] : ['neither an answer nor a push']
  if (id === undefined) return ['an answer without an id']
  if (ok === true) return 'result' in message || 'outcomes' in message ? [] : ['an answer without a result']
  const { status, code, detail } = error as Readonly<Record<string, unknown>>
  if (!CODES.has(String(code))) return [`${String(code)} is no code`]
  if (typeof detail !== 'string' || detail === '') return [`${String(code)} without a detail`]
  return Number(status) >= 500 && code !== ALLOWED_5XX ? [`${String(status)} ${String(code)}`] : []
}

export function faultsOfClose(code: number | null): string[] {
  return CLOSE_CODES.has(code) ? [] : [`closed with ${String(code)}`]
}

/** Lines of the server's log that an attack must not cause. */
export function faultsOfLog(log: readonly Readonly<Record<string, unknown>>[]): string[] {
  return log.filter(({ level }) => Number(level) >= 50).map((line) => `the server's log: ${JSON.stringify(line)}`)
}

export interface Pace {
  readonly quietP99Ms: number
  readonly attackP99Ms: number
}

export function paceOf(quietMs: readonly number[], attackMs: readonly number[]): Pace {
  return { quietP99Ms: p99Of(quietMs), attackP99Ms: p99Of(attackMs) }
}

export function faultsOfPace(quietMs: readonly number[], attackMs: readonly number[]): string[] {
  if (quietMs.length < LATENCIES_MIN || attackMs.length < LATENCIES_MIN) {
    return [`${quietMs.length} and ${attackMs.length} latencies are too few for a p99`]
  }
  const { quietP99Ms, attackP99Ms } = paceOf(quietMs, attackMs)
  if (attackP99Ms <= DISTURBANCE_MAX * quietP99Ms) return []
  return [`the bystander's p99 is ${attackP99Ms.toFixed(1)} ms under attack, ${quietP99Ms.toFixed(1)} ms without`]
}

/** The least value that at most one in a hundred exceeds; NaN for none. */
function p99Of(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.ceil(values.length * 0.99) - 1] ?? Number.NaN
}

/** Bytes a minute by which anonymous memory less the state's tables grows, once warm. */
export function growthOf(samples: readonly Footprint[]): number {
  const points = samples
    .slice(Math.floor(samples.length * WARM_UP_SHARE))
    .map(({ atMs, anonymousBytes, stateBytes }) => ({ x: atMs / 60_000, y: anonymousBytes - stateBytes }))
  const length = Math.max(1, Math.floor(points.length / SLICES))
  const least: Point[] = []
  for (let from = 0; from + length <= points.length; from += length) {
    least.push(points.slice(from, from + length).reduce((lowest, point) => (point.y < lowest.y ? point : lowest)))
  }
  return slopeOf(least)
}

export function faultsOfMemory(samples: readonly Footprint[]): string[] {
  if (samples.length < SAMPLES_MIN) return [`${samples.length} samples of memory are too few for a slope`]
  const growth = growthOf(samples)
  return growth <= GROWTH_BYTES_PER_MINUTE_MAX
    ? []
    : [`memory less state grows by ${Math.round(growth / 1_024)} KiB a minute`]
}
