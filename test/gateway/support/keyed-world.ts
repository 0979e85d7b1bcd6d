// A gateway's operations over real shards, called as a session would call them, and told as HTTP would tell them.

import { randomBytes } from 'node:crypto'
import { ANYBODY, type Caller } from '../../../gateway/access/authenticate.ts'
import { startKeyedOperation } from '../../../gateway/idempotency/idempotency.ts'
import { type OperationName, OPERATIONS } from '../../../gateway/operations/operation-table.ts'
import type { ReceivedFile } from '../../../gateway/codes/import-call.ts'
import type { OperationInput, OperationPorts } from '../../../gateway/operations/operations.ts'
import { problemBody } from '../../../gateway/problem.ts'
import { RequestIds } from '../../../gateway/http/request-ids.ts'
import { startOperation } from '../../../gateway/operations/start-operation.ts'
import { ByteWriter } from '../../../protocol/bytes.ts'
import type { Event } from '../../../protocol/events.ts'
import { EVENT } from '../../../protocol/events.ts'
import { ActorTransport } from './actor-transport.ts'
import { FakeImports } from './fake-imports.ts'

export interface Told {
  readonly status: number
  readonly body: string
  readonly replayed: boolean
  readonly position: string
  readonly location: string
  readonly etag: string
  readonly retryAfterSeconds: number
}

export interface Asked {
  readonly operation: OperationName
  readonly body?: unknown
  readonly target?: string
  readonly ifMatch?: string
  readonly caller?: Caller
  readonly received?: ReceivedFile
}

/** Events about keys themselves, which say nothing of coupons. */
const OF_KEYS: ReadonlySet<number> = new Set([EVENT.KEY_CLAIMED, EVENT.KEY_ANSWERED, EVENT.KEYS_FORGOTTEN])

export class KeyedWorld {
  readonly transport = new ActorTransport()
  readonly failures: unknown[] = []
  readonly imports = new FakeImports()
  private readonly requestIds = new RequestIds(randomBytes)
  private readonly ports: OperationPorts
  private count = 0

  constructor() {
    this.ports = {
      transport: this.transport,
      router: this.transport.router,
      writer: new ByteWriter(),
      random: randomBytes,
      failed: (error) => this.failures.push(error),
      imports: this.imports,
    }
  }

  name(prefix: string): string {
    this.count++
    return `${prefix}-${this.count}`
  }

  /** Calls without a key when `key` is null. */
  call(asked: Asked, key: string | null): Promise<Told> {
    const { operation, body, target = '', ifMatch = '', caller = ANYBODY, received } = asked
    const input: OperationInput = { body, target, query: '', ifMatch, caller, received }
    const requestId = this.requestIds.next()
    return new Promise((resolve) => {
      const sink = {
        answered: ({ status, body: text, replayed, position, location, etag }: Omit<Told, 'retryAfterSeconds'>) =>
          resolve({ status, body: text, replayed, position, location, etag, retryAfterSeconds: 0 }),
        refused: (found: Parameters<typeof problemBody>[0], position: string) => {
          const { status, retryAfterSeconds, recordedBody } = found
          const text = recordedBody ?? problemBody(found, requestId)
          const replayed = recordedBody !== null
          resolve({ status, body: text, replayed, position, location: '', etag: '', retryAfterSeconds })
        },
      }
      if (key === null) startOperation(OPERATIONS[operation], this.ports, input, sink)
      else startKeyedOperation(OPERATIONS[operation], this.ports, input, { text: key, pointer: null, requestId }, sink)
    })
  }

  /** A new coupon's code. */
  async coupon(fields: Record<string, unknown> = {}): Promise<string> {
    const code = this.name('CODE')
    const body = { code, type: 'PERCENT', value: 10, ...fields }
    const told = await this.call({ operation: 'createCoupon', body }, null)
    if (told.status !== 201) throw new Error(told.body)
    return code
  }

  /** The id of a new reservation of a coupon. */
  async reservation(code: string, userId = this.name('user')): Promise<string> {
    const body = { codes: [code], userId, cart: { orderTotal: 1_000, currency: 'EUR' } }
    const told = await this.call({ operation: 'reserve', body }, null)
    if (told.status !== 201) throw new Error(told.body)
    return idOf(told, 'reservationId')
  }

  async redemption(code: string): Promise<string> {
    const cart = { orderTotal: 1_000, currency: 'EUR' }
    const body = { codes: [code], userId: this.name('user'), orderId: this.name('order'), cart }
    const told = await this.call({ operation: 'redeem', body }, null)
    if (told.status !== 201) throw new Error(told.body)
    return idOf(told, 'redemptionId')
  }

  /** The id of a new campaign. */
  async campaign(fields: Record<string, unknown> = {}): Promise<string> {
    const body = { name: this.name('sale'), offer: { type: 'PERCENT', value: 10 }, ...fields }
    const told = await this.call({ operation: 'createCampaign', body }, null)
    if (told.status !== 201) throw new Error(told.body)
    return idOf(told, 'campaignId')
  }

  /** A campaign with so many codes in its pool. */
  async pool(count: number, fields: Record<string, unknown> = {}): Promise<string> {
    const target = await this.campaign(fields)
    const told = await this.call({ operation: 'createCodes', target, body: { count } }, null)
    if (told.status !== 202) throw new Error(told.body)
    this.transport.work()
    return target
  }

  /** The id of a job that has not begun its work. */
  async job(): Promise<string> {
    const told = await this.call({ operation: 'createCodes', target: await this.campaign(), body: { count: 5 } }, null)
    if (told.status !== 202) throw new Error(told.body)
    return idOf(told, 'jobId')
  }

  /** What the log says of coupons, without the book-keeping of keys. */
  effects(): Event[] {
    return this.transport.events().filter(({ type }) => !OF_KEYS.has(type))
  }
}

function idOf({ body }: Told, member: string): string {
  return String((JSON.parse(body) as Record<string, unknown>)[member])
}

export function codeOf({ body }: Told): string {
  return idOf({ body } as Told, 'code')
}
