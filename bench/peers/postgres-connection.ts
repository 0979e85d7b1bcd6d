// The way to a PostgreSQL: a pool of the usual client over a Unix socket, statements prepared once a connection.
//
// The transaction comes in two forms, because they cost differently and both are in use:
//
//   statements   BEGIN, INSERT of the user's use, INSERT of the order, COMMIT, each awaited: how services write it
//   oneRow       one INSERT, a transaction of its own, of an order that carries the unique (coupon, user) itself: the least
//                that a database can be asked for
//
// A connection serves one transaction at a time; who comes when all are busy waits in line.

import pg from 'pg'
import type { PeerCoupon, RedemptionFacts } from './peer-store.ts'
import { priceText } from './peer-store.ts'

export type TransactionForm = 'statements' | 'oneRow'

export interface PostgresAddress {
  /** The folder of the server's socket. */
  readonly host: string
  readonly user: string
}

export interface PostgresConnection {
  query(name: string, text: string, values: unknown[]): Promise<Record<string, unknown>[]>
  /** The redemption's number; rejects with PostgreSQL's error, after which nothing is left behind unless that is unknown. */
  redeem(coupon: PeerCoupon, facts: RedemptionFacts): Promise<number>
  close(): Promise<void>
}

const COUPONS =
  'CREATE TABLE coupons (coupon_id integer PRIMARY KEY, code text UNIQUE NOT NULL, definition text NOT NULL)'
const ORDERS = `redemption_id bigserial NOT NULL, coupon_id integer NOT NULL, order_id text NOT NULL, user_id text NOT NULL,
  at_ms bigint NOT NULL, price text NOT NULL, CONSTRAINT coupon_order PRIMARY KEY (coupon_id, order_id)`

/** Each form has the tables and indexes that it needs, and no other. `once` is the user where each may use the coupon once. */
const SCHEMAS: Readonly<Record<TransactionForm, string>> = {
  statements: `${COUPONS}; CREATE TABLE orders (${ORDERS});
    CREATE TABLE coupon_users (coupon_id integer NOT NULL, user_id text NOT NULL,
      CONSTRAINT coupon_user PRIMARY KEY (coupon_id, user_id))`,
  oneRow: `${COUPONS}; CREATE TABLE orders (${ORDERS}, once text, CONSTRAINT coupon_user UNIQUE (coupon_id, once))`,
}

const INSERT_USER = 'INSERT INTO coupon_users (coupon_id, user_id) VALUES ($1, $2)'
const INSERT_ORDER =
  'INSERT INTO orders (coupon_id, order_id, user_id, at_ms, price) VALUES ($1, $2, $3, $4, $5) RETURNING redemption_id'
const INSERT_ROW =
  'INSERT INTO orders (coupon_id, order_id, user_id, at_ms, price, once) VALUES ($1, $2, $3, $4, $5, $6) ' +
  'RETURNING redemption_id'

/** Connects to a new, empty server and makes the tables. */
export async function connectPostgres(
  { host, user }: PostgresAddress,
  connections: number,
  form: TransactionForm,
): Promise<PostgresConnection> {
  const clients = Array.from({ length: connections }, () => new pg.Client({ host, user, database: 'postgres' }))
  // A lost connection rejects what was under way on it, which is where it is told.
  for (const client of clients) client.on('error', () => {})
  await Promise.all(clients.map(async (client) => await client.connect()))
  await clients[0]?.query(SCHEMAS[form])
  const pool = new Pool(clients)
  const redeem = form === 'statements' ? redeemByStatements : redeemByRow
  return {
    query: async (name, text, values) =>
      await pool.with(async (client) => (await run(client, name, text, values)).rows),
    redeem: async (coupon, facts) => await pool.with(async (client) => await redeem(client, coupon, facts)),
    close: async () => {
      await Promise.all(clients.map(async (client) => await client.end()))
    },
  }
}

/** Connections lent one at a time, in the order in which they were asked for. */
class Pool {
  private readonly idle: pg.Client[]
  private readonly waiting: ((client: pg.Client) => void)[] = []
  private firstWaiting = 0

  constructor(clients: readonly pg.Client[]) {
    this.idle = [...clients]
  }

  async with<Result>(work: (client: pg.Client) => Promise<Result>): Promise<Result> {
    const client = this.idle.pop() ?? (await new Promise<pg.Client>((resolve) => this.waiting.push(resolve)))
    try {
      return await work(client)
    } finally {
      this.giveBack(client)
    }
  }

  private giveBack(client: pg.Client): void {
    const next = this.waiting[this.firstWaiting]
    if (next === undefined) {
      this.waiting.length = 0
      this.firstWaiting = 0
      this.idle.push(client)
      return
    }
    this.firstWaiting++
    next(client)
  }
}

async function redeemByRow(client: pg.Client, coupon: PeerCoupon, facts: RedemptionFacts): Promise<number> {
  const once = coupon.definition.maxUsesPerUser === null ? null : facts.userId
  const { rows } = await run(client, 'insertRow', INSERT_ROW, [...orderValues(coupon, facts), once])
  return Number(rows[0]?.redemption_id)
}

async function redeemByStatements(client: pg.Client, coupon: PeerCoupon, facts: RedemptionFacts): Promise<number> {
  await client.query('BEGIN')
  try {
    if (coupon.definition.maxUsesPerUser !== null) {
      await run(client, 'insertUser', INSERT_USER, [coupon.ordinal, facts.userId])
    }
    const { rows } = await run(client, 'insertOrder', INSERT_ORDER, orderValues(coupon, facts))
    await client.query('COMMIT')
    return Number(rows[0]?.redemption_id)
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {})
    throw error
  }
}

function orderValues({ ordinal }: PeerCoupon, { orderId, userId, atMs, price }: RedemptionFacts): unknown[] {
  return [ordinal, orderId, userId, atMs, priceText(price)]
}

async function run(
  client: pg.Client,
  name: string,
  text: string,
  values: unknown[],
): Promise<pg.QueryResult<Record<string, unknown>>> {
  return await client.query<Record<string, unknown>>({ name, text, values })
}
