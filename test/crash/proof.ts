// The proof by crashes: load, SIGKILL at a random moment, start again on the same directory, judge by the ledger.
//
//     start (sometimes killed within it) ──▶ ask doubts again ──▶ check ──▶ load ──▶ SIGKILL ──▶ start …
//                                                                  └─ now and then: SIGTERM instead, must end with 0
//
// The number of workers changes at any start, so shards wander between lanes. One seed makes all the choices but not the
// timing of the machine. At the first violation the directory stays as evidence.

import { setTimeout as wait } from 'node:timers/promises'
import { HttpClient } from '../support/http-client.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { ServerProcess } from '../support/server-process.ts'
import { connectCalls } from '../support/ws-calls.ts'
import { auditAgainst } from './audit.ts'
import { HttpCheckout, WsCheckout } from './checkout.ts'
import { checkAll, type Since } from './checks.ts'
import { onKeptEvidence } from './keep-evidence.ts'
import { type CouponEntry, Ledger, Violation } from './ledger.ts'
import { couponBody, type Doubt, Load, type Stock } from './load.ts'

const SESSIONS = 2
/** Buyers of each connection: HTTP, and each session. */
const BUYERS_EACH = 8
const LOAD_MS_MAX = 700
/** A start takes about 300 ms; a kill within it hits the opening of the log as well as the replay. */
const START_KILL_MS_MAX = 500
const ROUNDS_OF_A_STOCK = 8
/** One round in so many ends with SIGTERM. */
const GRACEFUL_EVERY = 10
const SAMPLE = 100

export interface ProofOptions {
  readonly kills: number
  readonly seed: number
  readonly report: (line: string) => void
  /** The whole ledger is looked at again at the end; costs about a second for 20,000 entries. */
  readonly fullEnd?: boolean
  /** TEAROFF_ settings of the server, without their prefix. */
  readonly settings?: Readonly<Record<string, string>>
}

export interface ProofCounts {
  kills: number
  killsInStart: number
  gracefulStops: number
  redemptions: number
  reservations: number
  rows: number
  doubts: number
  checked: number
  audits: number
}

/** Throws a Violation; the directory is kept then, and named in the message. */
export async function proveByCrashes(options: ProofOptions): Promise<ProofCounts> {
  return await onKeptEvidence('crash', options.seed, (dataDir) => new Proof(dataDir, options))
}

/** A server with connections to it. */
interface Serving {
  readonly server: ServerProcess
  readonly http: HttpCheckout
  readonly sessions: readonly WsCheckout[]
}

class Proof {
  round = 0
  readonly counts: ProofCounts = {
    kills: 0,
    killsInStart: 0,
    gracefulStops: 0,
    redemptions: 0,
    reservations: 0,
    rows: 0,
    doubts: 0,
    checked: 0,
    audits: 0,
  }
  private readonly dataDir: string
  private readonly options: ProofOptions
  private readonly random: SeededRandom
  private readonly ledger = new Ledger()
  private stock: Stock | null = null
  private doubts: Doubt[] = []

  constructor(dataDir: string, options: ProofOptions) {
    this.dataDir = dataDir
    this.options = options
    this.random = new SeededRandom(options.seed)
  }

  async run(): Promise<void> {
    let since = this.places()
    while (this.counts.kills < this.options.kills) {
      this.round++
      if (this.random.below(4) === 0) await this.killInStart()
      const serving = await this.start()
      try {
        await this.settleDoubts(serving)
        await this.check(serving, since, SAMPLE)
        since = this.places()
        if (this.round % ROUNDS_OF_A_STOCK === 1) this.stock = await this.newStock(serving.http)
        await this.loadAndEnd(serving)
      } finally {
        await this.disconnect(serving)
      }
      if (this.round % 10 === 0) this.report()
    }
    await this.lastRound(since)
    this.report()
  }

  /** Everything again, then a graceful stop and a start: replay has to give the state that was alive. */
  private async lastRound(since: Since): Promise<void> {
    for (const isLast of [false, true]) {
      const serving = await this.start()
      try {
        if (!isLast) await this.settleDoubts(serving)
        const from =
          this.options.fullEnd === true
            ? { redemptions: 0, reservations: 0, rows: 0, coupons: 0 }
            : { ...since, coupons: 0 }
        await this.check(serving, from, SAMPLE)
        await serving.server.stop()
        this.counts.gracefulStops++
      } finally {
        await this.disconnect(serving)
      }
      this.audit()
    }
  }

  private async loadAndEnd({ server, http, sessions }: Serving): Promise<void> {
    const load = new Load(this.ledger, this.random, this.round)
    const isGraceful = this.round % GRACEFUL_EVERY === 0
    const running = load.run(this.stock as Stock, http, sessions, BUYERS_EACH)
    const failed = running.then(
      () => new Promise<never>(() => {}),
      (cause: unknown) => Promise.reject(cause as Error),
    )
    const endsInMs = this.random.below(LOAD_MS_MAX)
    // Whichever comes first: a violation seen by a buyer, or the end of the round.
    await Promise.race([wait(endsInMs), failed])
    if (!server.isRunning) throw new Violation(`the server ended by itself\n${server.lastWords}`)
    if (isGraceful) {
      await server.stop()
      this.counts.gracefulStops++
    } else {
      await server.kill()
      this.counts.kills++
    }
    load.stop()
    for (const { session } of sessions) session.close()
    await running
    this.doubts.push(...load.doubts)
    this.counts.doubts += load.doubts.length
    if (isGraceful) this.audit()
  }

  private async killInStart(): Promise<void> {
    const server = this.spawn()
    await wait(this.random.below(START_KILL_MS_MAX))
    if (!server.isRunning) throw new Violation(`the server ended in its start\n${server.lastWords}`)
    await server.kill()
    this.counts.kills++
    this.counts.killsInStart++
  }

  private spawn(): ServerProcess {
    const { settings } = this.options
    return new ServerProcess({
      dataDir: this.dataDir,
      settings: { WORKERS: String(1 + this.random.below(3)), ...settings },
    })
  }

  private async start(): Promise<Serving> {
    const server = this.spawn()
    const port = await server.listening
    await server.ready
    const http = new HttpCheckout(new HttpClient(port, BUYERS_EACH * 4))
    const sessions = await Promise.all(
      Array.from({ length: SESSIONS }, async (_, i) => new WsCheckout(await connectCalls(port, `s${i}-`))),
    )
    return { server, http, sessions }
  }

  private async disconnect({ server, http, sessions }: Serving): Promise<void> {
    http.http.close()
    for (const { session } of sessions) session.close()
    if (server.isRunning) await server.kill()
  }

  private async settleDoubts({ http, sessions, server }: Serving): Promise<void> {
    const doubts = this.doubts
    this.doubts = []
    for (const settle of doubts) {
      if (await settle(http, sessions[0] as WsCheckout)) continue
      throw new Violation(`a call in doubt was not settled by a quiet server\n${server.lastWords}`)
    }
  }

  private async check({ server, http, sessions }: Serving, since: Since, sample: number): Promise<void> {
    const ws = sessions[0] as WsCheckout
    // Mostly over the session, which is quicker, and now and then over HTTP.
    const checkout = this.round % 5 === 0 ? http : ws
    try {
      this.counts.checked += await checkAll(this.ledger, checkout, ws, since, this.random, sample)
    } catch (cause) {
      throw new Violation(`${(cause as Error).message}\n${server.lastWords}`, { cause })
    }
  }

  /** The log alone, read by code that shares nothing with the engine, has to tell the same. */
  private audit(): void {
    auditAgainst(this.dataDir, this.ledger, this.doubts.length === 0)
    this.counts.audits++
  }

  private async newStock(http: HttpCheckout): Promise<Stock> {
    const create = async (
      name: string,
      maxUses: number | null,
      maxUsesPerUser: number | null,
    ): Promise<CouponEntry> => {
      const coupon = { code: `${name}-${this.round}`, maxUses, maxUsesPerUser }
      const answer = await http.createCoupon(couponBody(coupon))
      if (answer.kind !== 'done') throw new Violation(`${coupon.code} was not created: ${JSON.stringify(answer)}`)
      this.ledger.addCoupon(coupon)
      return coupon
    }
    return {
      limited: await create('LIMITED', 1_500, null),
      perUser: await create('PERUSER', null, 5),
      reserved: await create('RESERVED', 600, 3),
      columns: await create('COLUMNS', 40_000, 8),
    }
  }

  private places(): Since {
    const { redemptions, reservations, rows, coupons } = this.ledger
    return {
      redemptions: redemptions.length,
      reservations: reservations.length,
      rows: rows.length,
      coupons: coupons.length,
    }
  }

  private report(): void {
    const { counts, ledger, options } = this
    counts.redemptions = ledger.redemptions.length
    counts.reservations = ledger.reservations.length
    counts.rows = ledger.rows.length
    options.report(
      `${counts.kills} of ${options.kills} kills (${counts.killsInStart} in a start), ${counts.gracefulStops} graceful stops; ` +
        `acknowledged: ${counts.redemptions} redemptions, ${counts.reservations} reservations, ${counts.rows} rows; ` +
        `${counts.doubts} in doubt and settled, ${counts.checked} checks, ${counts.audits} audits`,
    )
  }
}
