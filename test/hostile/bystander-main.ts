// The bystander: a shop that goes on selling beside an attack, in a process of its own, one order after the other. It says at the
// end how long each took, by phase, and what was not exact.

import { HttpClient } from '../support/http-client.ts'
import { BYSTANDER_CODE } from './world.ts'

/** From its parent. */
export type BystanderOrder = { readonly phase: 'quiet' | 'attack' } | { readonly phase: 'end' }

/** To its parent, last. */
export interface BystanderReport {
  readonly quietMs: readonly number[]
  readonly attackMs: readonly number[]
  readonly redeemed: number
  readonly faults: readonly string[]
}

const PAUSE_MS = 4
/** One order in so many is sent again. */
const AGAIN = 10
const FAULTS_MAX = 20

const [port = '0', key = ''] = process.argv.slice(2)
const http = new HttpClient(Number(port), 1)
const headers = { authorization: `Bearer ${key}` }
const latencies = { quiet: [] as number[], attack: [] as number[] }
const faults: string[] = []
const now = { phase: 'quiet' as BystanderOrder['phase'] }
let redeemed = 0

function order(number: number): Record<string, unknown> {
  const cart = { orderTotal: 2_000, currency: 'EUR' }
  return { codes: [BYSTANDER_CODE], userId: `by-${number % 97}`, orderId: `by-${number}`, cart }
}

function fault(what: string): void {
  if (faults.length < FAULTS_MAX) faults.push(`the bystander: ${what}`)
}

async function sell(number: number): Promise<void> {
  const during = now.phase
  const beginMs = performance.now()
  const first = await http.post('/v1/redemptions', order(number), headers)
  if (during !== 'end') latencies[during].push(performance.now() - beginMs)
  const { discount, redemptionId } = first.json as { discount?: { total?: number }; redemptionId?: string }
  if (first.status !== 201 || discount?.total !== 200)
    fault(`order ${number} was answered ${first.status} ${first.text}`)
  redeemed++
  if (number % AGAIN !== 0) return
  const again = await http.post('/v1/redemptions', order(number), headers)
  if (again.status !== 200 || again.json['redemptionId'] !== redemptionId) {
    fault(`order ${number}, again, was answered ${again.status} ${again.text}`)
  }
}

process.on('message', (message: BystanderOrder) => {
  now.phase = message.phase
})
process.on('disconnect', () => process.exit(1))

for (let number = 0; now.phase !== 'end'; number++) {
  await sell(number).catch((error: unknown) => fault(`order ${number}: ${String(error)}`))
  await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
}
http.close()
const report: BystanderReport = { quietMs: latencies.quiet, attackMs: latencies.attack, redeemed, faults }
process.send?.(report, () => process.disconnect())
