// A gateway over a fake transport, with one of everything behind it: which command reaches which shard, and what comes back.
// Answers are also held against the served OpenAPI document.

import { afterAll, beforeAll, beforeEach, expect } from 'vitest'
import type { ReadModel } from '../../../gateway/lists/read-model.ts'
import { couponText } from '../../../gateway/coupons/render-coupon.ts'
import type { SearchPort } from '../../../gateway/lists/search-port.ts'
import { OUTCOME, type Outcome } from '../../../protocol/outcomes.ts'
import { Contract, type OpenApi } from '../support/contract.ts'
import { FakeFeed } from '../support/fake-feed.ts'
import { FakeImports } from '../support/fake-imports.ts'
import { AT_MS } from '../support/fake-transport.ts'
import { type HttpAnswer, type Sent, type TestGateway, send, startTestGateway } from '../support/gateway.ts'
import { coupon, text } from '../support/outcomes.ts'

export const CART = { currency: 'EUR', lines: [{ productId: 'p1', quantity: 1, unitPrice: 4_999 }] }
export const REDEEM = { codes: ['SAVE10'], userId: 'u1', orderId: 'o1', cart: CART }

/** A read model with one of everything. */
const oneOfEach: ReadModel = {
  campaigns: async () => ({ items: [{ shard: 0, index: 3 }], next: null, lagMs: 12 }),
  couponsOfCampaign: async () => ({ items: [{ shard: 0, ordinal: 5 }], next: null, lagMs: 12 }),
  coupons: async () => ({ items: [couponText(0, coupon())], next: null, lagMs: 12 }),
  history: async () => ({ items: [{ seq: 33, atMs: AT_MS, membersJson: null }], next: null, lagMs: 12 }),
  redemptions: async () => ({ items: [{ shard: 0, seq: 33 }], next: null, lagMs: 12 }),
  reservations: async () => ({ items: [{ shard: 0, seq: 32 }], next: null, lagMs: 12 }),
  lagMs: () => 12,
}

/** A search that finds one. */
const oneFound: SearchPort = {
  search: async () => ({ items: [{ kind: 'coupon', text: couponText(0, coupon()) }], next: null, lagMs: 12 }),
  indexBytes: () => 0,
}

/** A feed of one. */
const oneEvent = new FakeFeed()
oneEvent.tell('EXPIRED', '"couponId":"cpn_003"')

export const imports = new FakeImports()

export let running: TestGateway
export let contract: Contract
export let home = 0

/** Has a gateway for the tests of a file, with one of everything behind it. */
export function withGateway(): void {
  beforeAll(begin)
  afterAll(async () => {
    await running.gateway.close()
  })
  beforeEach(() => {
    running.transport.asked.length = 0
  })
}

async function begin(): Promise<void> {
  running = await startTestGateway({ readModel: oneOfEach, search: oneFound, events: oneEvent, imports })
  contract = new Contract((await send(running.gateway.port, { path: '/v1/openapi.json' })).json as OpenApi)
  home = running.router.shardOfCode('SAVE10')
}

/** Sends a call whose commands are all answered so, and holds the answer against the contract. */
export async function call(template: string, sent: Sent, ...outcomes: Outcome[]): Promise<HttpAnswer> {
  const left = [...outcomes]
  running.transport.script = () => {
    const outcome = left.shift()
    if (outcome === undefined) throw new Error('more commands than outcomes')
    return outcome
  }
  const answer = await send(running.gateway.port, sent)
  contract.assertAnswer(sent.method ?? 'GET', template, answer)
  expect(left).toEqual([])
  return answer
}

export function post(path: string, body: unknown): Sent {
  return { method: 'POST', path, body }
}

/** The commands that reached shards, with texts in place of ranges. */
export function asked(): unknown[] {
  return running.transport.asked.map(({ shard, command }) => ({ shard, ...plain(command) }))
}

function plain(value: object): Record<string, unknown> {
  const shown: Record<string, unknown> = {}
  for (const [key, part] of Object.entries(value)) shown[key] = plainValue(part)
  return shown
}

function plainValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plainValue)
  if (typeof value !== 'object' || value === null) return value
  return 'buf' in value ? text(value as Parameters<typeof text>[0]) : plain(value)
}

export const CART_ASKED = {
  currency: 'EUR',
  lines: [{ lineId: '0', productId: 'p1', categoryIds: [], quantity: 1, unitPriceMinor: 4_999 }],
  shippingMinor: 0,
  channel: null,
}
export const TOTAL_ASKED = { ...CART_ASKED, lines: [{ ...CART_ASKED.lines[0], productId: null }] }
export const REF = { code: 'SAVE10', ordinal: -1 }

export function codeWhere(isWanted: (shard: number) => boolean): string {
  for (let i = 0; ; i++) if (isWanted(running.router.shardOfCode(`OTHER${i}`))) return `OTHER${i}`
}

/** An answer to which these shards have contributed beside the one that coordinates. */
export function across(outcome: Outcome, ...shards: number[]): Outcome {
  const positions = shards.map((shard) => ({ shard, seq: 100 + shard, timeMs: 1_795_197_600_100 }))
  return { type: OUTCOME.ACROSS, positions, outcome }
}
