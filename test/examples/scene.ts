// A real Tearoff with authentication on, a payment provider and shops, each a process of its own, and what can be seen
// of them from outside: what Tearoff counts, what the provider was paid, what the shop says. No test looks into the
// shop's memory.

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { HttpClient, type HttpReply } from '../support/http-client.ts'
import { PRODUCT_ENTRY } from '../support/project.ts'
import { type ServerProcess, startServer } from '../support/server-process.ts'
import { removeDirectory, temporaryDirectory } from '../support/temporary-directory.ts'
import { type Death, ExampleProcess, freePort } from './example-process.ts'

export const MUG = { productId: 'mug', quantity: 2 }
export const SHIRT = { productId: 'shirt', quantity: 1 }

const LOOK_EVERY_MS = 5

export interface Page {
  readonly lines: readonly unknown[]
  readonly codes: readonly string[]
}

/** What counts as exact: every use that was taken, none that is still held. */
export interface Counts {
  readonly uses: number
  readonly reserved: number
}

export class Scene {
  tearoff: ServerProcess
  private readonly directory: string
  private readonly operator: HttpClient
  private readonly operatorKey: string
  private readonly checkoutKey: string
  private readonly provider: ExampleProcess
  private readonly providerUrl: string
  private readonly providerHttp: HttpClient
  private readonly shops: Shop[] = []
  private serial = 0

  private constructor(
    directory: string,
    tearoff: ServerProcess,
    keys: readonly [string, string],
    provider: ExampleProcess,
    providerUrl: string,
  ) {
    this.directory = directory
    this.tearoff = tearoff
    this.operator = new HttpClient(tearoff.port)
    this.operatorKey = keys[0]
    this.checkoutKey = keys[1]
    this.provider = provider
    this.providerUrl = providerUrl
    this.providerHttp = new HttpClient(Number(new URL(providerUrl).port))
  }

  static async begin(): Promise<Scene> {
    const directory = temporaryDirectory('example')
    // Before the server begins, which reads them at its start; one after the other, because keys are one file.
    const operatorKey = await createKey(directory, 'operations')
    const checkoutKey = await createKey(directory, 'checkout')
    const tearoff = await startTearoff(directory, await freePort())
    // Last, so that nothing is left running when one before does not begin.
    const provider = new ExampleProcess('payment-provider-main', { PROVIDER_PORT: '0' })
    return new Scene(directory, tearoff, [operatorKey, checkoutKey], provider, await provider.listening())
  }

  async end(): Promise<void> {
    for (const shop of this.shops) await shop.process.kill()
    await this.provider.kill()
    this.operator.close()
    this.providerHttp.close()
    if (this.tearoff.isRunning) await this.tearoff.kill()
    removeDirectory(this.directory)
  }

  /** A name that nothing has had before. */
  name(what: string): string {
    this.serial++
    return `${what}-${this.serial}`
  }

  /** A new STACKABLE coupon; its code. */
  async coupon(rules: Readonly<Record<string, unknown>> = {}): Promise<string> {
    const code = this.name('TAKE').toUpperCase()
    const body = { code, type: 'PERCENT', value: 10, stacking: 'STACKABLE', ...rules }
    const { status, text } = await this.operate('POST', '/v1/coupons', body)
    if (status !== 201) throw new Error(text)
    return code
  }

  async counts(code: string): Promise<Counts> {
    const { json } = await this.operate('GET', `/v1/coupons/${code}`)
    return { uses: json['uses'] as number, reserved: json['reserved'] as number }
  }

  /** Settles when a reservation has run out, by Tearoff's clock, and every shard that held a part of it has let go. */
  async reservationEnded(reservationId: string): Promise<void> {
    for (;;) {
      const { json } = await this.operate('GET', `/v1/reservations/${reservationId}`)
      const codes = (json['coupons'] as { readonly code: string }[]).map(({ code }) => code)
      const held = await Promise.all(codes.map((code) => this.counts(code)))
      if (json['status'] === 'EXPIRED' && held.every(({ reserved }) => reserved === 0)) return
      await pause(Math.max(LOOK_EVERY_MS, Date.parse(String(json['expiresAt'])) - Date.now()))
    }
  }

  /** As another customer, who comes between. */
  async redeemElsewhere(code: string): Promise<void> {
    const cart = { currency: 'EUR', orderTotal: 1_000 }
    const body = { codes: [code], userId: 'another', orderId: this.name('elsewhere'), cart }
    const { status, text } = await this.operate('POST', '/v1/redemptions', body)
    if (status !== 201) throw new Error(text)
  }

  /** What an operator may do at any time: the coupon ends now, and open reservations of it with it. */
  async expire(code: string): Promise<void> {
    await this.operate('POST', `/v1/coupons/${code}/expire`, { reason: 'withdrawn' })
  }

  operate(method: string, path: string, body?: unknown): Promise<HttpReply> {
    return this.operator.call(method, path, body, { authorization: `Bearer ${this.operatorKey}` })
  }

  /** What the provider knows of an order: one entry a charge. */
  async payments(orderId: string): Promise<Readonly<Record<string, unknown>>[]> {
    const { json } = await this.providerHttp.get(`/payments?orderId=${orderId}`)
    return json['data'] as Readonly<Record<string, unknown>>[]
  }

  /** What the bank says at last. */
  async settle(orderId: string, status: 'SUCCEEDED' | 'DECLINED'): Promise<void> {
    const [payment] = await this.payments(orderId)
    await this.providerHttp.post(`/payments/${String(payment?.['paymentId'])}/settle`, { status })
  }

  async shop(env: Readonly<Record<string, string>> = {}, death?: Death): Promise<Shop> {
    const port = await freePort()
    const shop = new Shop(port, {
      SHOP_PORT: String(port),
      SHOP_JOURNAL: join(this.directory, `${this.name('orders')}.jsonl`),
      SHOP_TEAROFF_URL: this.tearoff.baseUrl,
      SHOP_TEAROFF_KEY: this.checkoutKey,
      SHOP_PAYMENTS_URL: this.providerUrl,
      SHOP_SWEEP_MS: '50',
      ...env,
    })
    this.shops.push(shop)
    await shop.start(death)
    return shop
  }

  /** The same Tearoff again: same port, same data. */
  async startTearoff(): Promise<void> {
    this.tearoff = await startTearoff(this.directory, this.tearoff.port)
  }
}

/**
 * On a port of our choice from the first start on: what listened on one of the system's choice cannot be listened on
 * again at once.
 */
function startTearoff(directory: string, port: number): Promise<ServerProcess> {
  return startServer({ dataDir: join(directory, 'tearoff'), settings: { AUTH: 'on', PORT: String(port) } })
}

/** A shop and what its customers do. One journal and one port over all its restarts. */
export class Shop {
  process!: ExampleProcess
  private readonly env: Readonly<Record<string, string>>
  private readonly port: number
  private http: HttpClient

  constructor(port: number, env: Readonly<Record<string, string>>) {
    this.env = env
    this.port = port
    this.http = new HttpClient(port)
  }

  async start(death?: Death): Promise<void> {
    // Connections to the one that died lead nowhere.
    this.http.close()
    this.http = new HttpClient(this.port)
    this.process = new ExampleProcess('shop-main', this.env, death)
    await this.process.listening()
  }

  page(orderId: string, { lines, codes }: Page, userId = `user-of-${orderId}`): Promise<HttpReply> {
    return this.http.call('PUT', `/orders/${orderId}`, { userId, lines, codes })
  }

  buy(orderId: string, card: string, totalMinor: number): Promise<HttpReply> {
    return this.http.post(`/orders/${orderId}/submit`, { card, totalMinor })
  }

  buyOnInvoice(orderId: string, totalMinor: number): Promise<HttpReply> {
    return this.http.post(`/orders/${orderId}/submit`, { invoice: true, totalMinor })
  }

  refund(orderId: string): Promise<HttpReply> {
    return this.http.post(`/orders/${orderId}/refund`, { reason: 'does not fit' })
  }

  order(orderId: string): Promise<HttpReply> {
    return this.http.get(`/orders/${orderId}`)
  }

  /** The step of an order, past or to come, of this process. */
  step(orderId: string, type: string): Promise<Readonly<Record<string, unknown>>> {
    return this.process.until((entry) => entry['orderId'] === orderId && entry['type'] === type)
  }

  /** Steps of an order in this process, so far. */
  steps(orderId: string): unknown[] {
    return this.process.log.filter((entry) => entry['orderId'] === orderId).map(({ type }) => type)
  }
}

async function createKey(directory: string, role: string): Promise<string> {
  const args = [
    PRODUCT_ENTRY,
    'keys',
    'create',
    '--role',
    role,
    '--name',
    role,
    '--data-dir',
    join(directory, 'tearoff'),
  ]
  const { stdout } = await promisify(execFile)(process.execPath, args)
  return stdout.trim()
}
