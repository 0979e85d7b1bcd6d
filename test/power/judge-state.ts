// Opens a state of the disk with the product and judges what it makes of it.
//
//     read (as a start does) ─▶ a whole prefix of commits, with all that was told ─▶ `tearoff verify` ─▶ start
//       ─▶ jobs end, lists and events agree ─▶ stop ─▶ audit of the log, which shares no code with the engine
//
// Nothing that was flushed is ever lost in these states, so there is no excuse: a refusal to start is a violation too.

import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { type Audit, auditLog } from '../../cli/audit/audit-log.ts'
import { openDataDirectory } from '../../cli/rebuild/data-directory.ts'
import { verifyDirectory } from '../../cli/verify/verify-directory.ts'
import { DEPLOYMENT_FILE } from '../../persistence/deployment.ts'
import { HttpClient } from '../support/http-client.ts'
import { PRODUCT_ENTRY } from '../support/project.ts'
import { ServerProcess } from '../support/server-process.ts'
import { type LogOutline, notBeginning, outlineOf } from './log-outline.ts'
import { OPEN_COUPON, SCARCE_COUPON, SCARCE_USES } from './power-load.ts'
import type { Told } from './told.ts'

/** Nobody waits so long, but the threads behind lists and events run when nothing else does. */
const CATCH_UP_MS_MAX = 60_000
const LOOK_EVERY_MS = 10
const PAGE = 200

/** A promise that a state breaks, in a sentence. */
export class BrokenPromise extends Error {
  override readonly name = 'BrokenPromise'
}

export interface Judging {
  readonly told: Told
  /** The log with everything that was ever written to it. */
  readonly final: LogOutline
  readonly settings: Readonly<Record<string, string>>
  /** The command line itself as well, in a process of its own. */
  readonly runsTool: boolean
}

/** Throws BrokenPromise; returns how many commits the log holds. */
export async function judgeState(dataDir: string, judging: Judging): Promise<number> {
  const { told, final } = judging
  const found = existsSync(join(dataDir, DEPLOYMENT_FILE)) ? await read(dataDir, judging.runsTool) : null
  const outline = found ?? { lanes: new Map(), lastSeqs: new Map() }
  for (const [shard, seq] of told.lastSeqs) {
    const last = outline.lastSeqs.get(shard) ?? 0
    if (last < seq) throw new BrokenPromise(`shard ${shard} ends at ${last}, and an answer had told of ${seq}`)
  }
  const wrong = notBeginning(outline, final)
  if (wrong !== null) throw new BrokenPromise(`not a prefix of what was written: ${wrong}`)
  const listed = await serve(dataDir, judging)
  const audit = auditLog(dataDir)
  if (audit.faults.length > 0) throw new BrokenPromise(`the audit found: ${audit.faults.slice(0, 3).join('; ')}`)
  const lost = notBeginning(outline, outlineOf(dataDir))
  // The other way round: what was found is still where it was.
  if (lost !== null) throw new BrokenPromise(`the start changed what it found: ${lost}`)
  checkOrders(audit, told)
  checkListed(audit, listed)
  return [...outline.lanes.values()].reduce((sum, commits) => sum + commits.length, 0)
}

async function read(dataDir: string, runsTool: boolean): Promise<LogOutline> {
  try {
    const outline = outlineOf(dataDir)
    await verifyDirectory(openDataDirectory(dataDir), { server: null, couponsMax: 0, progress: () => () => {} })
    if (runsTool) execFileSync(process.execPath, [PRODUCT_ENTRY, 'verify', '--data-dir', dataDir], { stdio: 'pipe' })
    return outline
  } catch (cause) {
    throw new BrokenPromise(`the log cannot be read: ${(cause as Error).message}`, { cause })
  }
}

/** What a server says on the state. */
interface Listed {
  /** Orders of the open coupon by the read model; null: it does not exist. */
  readonly orders: readonly string[] | null
  readonly events: readonly Record<string, unknown>[]
  readonly imported: number
}

async function serve(dataDir: string, { told, settings }: Judging): Promise<Listed> {
  const server = new ServerProcess({ dataDir, settings })
  try {
    try {
      await server.ready
    } catch (cause) {
      throw new BrokenPromise(`the start was refused: ${server.lastErrorLine}`, { cause })
    }
    const http = new HttpClient(server.port, 4)
    try {
      const imported = await jobsEnded(http, told)
      const listed = { orders: await listedOrders(http), events: await eventsOf(http), imported }
      http.close()
      await server.stop()
      return listed
    } finally {
      http.close()
    }
  } catch (cause) {
    if (cause instanceof BrokenPromise) throw cause
    throw new BrokenPromise(`${(cause as Error).message}\n${server.lastWords}`, { cause })
  } finally {
    if (server.isRunning) await server.kill()
  }
}

/** Rows that the imports among them have put. */
async function jobsEnded(http: HttpClient, { jobs }: Told): Promise<number> {
  let imported = 0
  for (const jobId of jobs) {
    const job = await until(`${jobId} ends`, async () => {
      const { json, status, text } = await http.get(`/v1/jobs/${jobId}`)
      if (status !== 200 || json['state'] === 'FAILED')
        throw new BrokenPromise(`${jobId} was begun and acknowledged: ${text}`)
      return json['state'] === 'SUCCEEDED' ? json : null
    })
    if (job['processed'] !== job['total'] || job['failed'] !== 0)
      throw new BrokenPromise(`${jobId} is not whole: ${JSON.stringify(job)}`)
    if (String(job['kind']).includes('IMPORT')) imported += Number(job['processed'])
  }
  return imported
}

/** All of them, once the read model has as many as the coupon's shard counts; more is wrong at once. */
async function listedOrders(http: HttpClient): Promise<readonly string[] | null> {
  const coupon = await http.get(`/v1/coupons/${OPEN_COUPON}`)
  if (coupon.status === 404) return null
  const { uses, couponId } = coupon.json as { readonly uses: number; readonly couponId: string }
  return await until('the lists have caught up', async () => {
    const orders: string[] = []
    let cursor: string | null = ''
    while (cursor !== null) {
      const after: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`
      const { status, json } = await http.get(`/v1/redemptions?couponId=${couponId}&limit=${PAGE}${after}`)
      if (status === 503) return null
      orders.push(...(json['data'] as { readonly orderId: string }[]).map(({ orderId }) => orderId))
      cursor = json['nextCursor'] as string | null
    }
    if (orders.length > uses) throw new BrokenPromise(`${orders.length} redemptions are listed, ${uses} are counted`)
    return orders.length === uses ? orders : null
  })
}

async function eventsOf(http: HttpClient): Promise<readonly Record<string, unknown>[]> {
  return await until('the feed of events is there', async () => {
    const { status, json } = await http.get(`/v1/events?limit=${PAGE}`)
    return status === 503 ? null : (json['data'] as Record<string, unknown>[])
  })
}

async function until<Found>(what: string, look: () => Promise<Found | null>): Promise<Found> {
  const deadlineMs = performance.now() + CATCH_UP_MS_MAX
  for (;;) {
    const found = await look()
    if (found !== null) return found
    if (performance.now() > deadlineMs) throw new BrokenPromise(`not within ${CATCH_UP_MS_MAX} ms: ${what}`)
    await wait(LOOK_EVERY_MS)
  }
}

function checkOrders(audit: Audit, { orders }: Told): void {
  for (const order of orders) {
    const [code = '', orderId = ''] = order.split(' ')
    const isThere = audit.coupons.get(code)?.redemptions.some((each) => each.orderId === orderId) ?? false
    if (!isThere) throw new BrokenPromise(`order ${orderId} on ${code} was acknowledged and is not in the log`)
  }
}

function checkListed(audit: Audit, { orders, events, imported }: Listed): void {
  const logged = audit.coupons.get(OPEN_COUPON)?.redemptions.map(({ orderId }) => orderId) ?? []
  if ([...(orders ?? [])].sort().join() !== [...logged].sort().join())
    throw new BrokenPromise(`listed are ${orders?.length ?? 0} orders, the log has ${logged.length}, not the same ones`)
  const scarce = audit.coupons.get(SCARCE_COUPON)
  for (const event of events) {
    if (event['type'] === 'EXHAUSTED' && event['code'] === SCARCE_COUPON && scarce?.maxSeen !== SCARCE_USES)
      throw new BrokenPromise(`${SCARCE_COUPON} is told to be exhausted: ${JSON.stringify(event)}`)
  }
  const rows = [...audit.coupons.keys()].filter((code) => code.startsWith('IMPORTED-')).length
  if (rows < imported) throw new BrokenPromise(`imports have put ${imported} rows, ${rows} coupons are in the log`)
}
