/**
 * The demo: a server of its own on a temporary directory, a race for one coupon, the end of the server, and then the proof
 * from the files it left. The buyers' own notes and the log are all that the proof looks at; the server is not asked.
 *
 * Whatever happens, the server is ended and the directory removed (unless it is to be kept).
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { auditLog } from '../audit/audit-log.ts'
import { type ProofLine, proofOf } from '../audit/audit-proof.ts'
import { attemptsOf, CODE } from './attempts.ts'
import { ProgressBar, shownCount } from './progress-bar.ts'
import { race, type RaceResult } from './race.ts'
import { type DemoServer, startServer } from './server-process.ts'

export interface DemoOptions {
  readonly buyers: number
  readonly uses: number
  readonly keep: boolean
}

/** Faults shown under a line of the proof. */
const FAULTS_SHOWN_MAX = 5

/** After a signal the server may still write for an instant while its directory is removed. */
const REMOVE_TRIES = 5
const REMOVE_WAIT_MS = 50

/** Throws when the race could not be run, or when the proof fails. */
export async function runDemo(options: DemoOptions): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), 'tearoff-demo-'))
  const remove = (): void => {
    if (!options.keep)
      rmSync(dataDir, { recursive: true, force: true, maxRetries: REMOVE_TRIES, retryDelay: REMOVE_WAIT_MS })
  }
  const interrupted = (): never => process.exit(1)
  process.once('exit', remove)
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted)
  try {
    const server = await startServer(dataDir)
    try {
      await runSale(server, dataDir, options)
    } finally {
      server.kill()
    }
  } finally {
    process.off('exit', remove)
    remove()
    say(options.keep ? `The log is kept in ${dataDir}` : 'The log is removed; --keep keeps it.')
  }
}

async function runSale(server: DemoServer, dataDir: string, { buyers, uses }: DemoOptions): Promise<void> {
  say(`A coupon for ${shownCount(uses)}, one for each buyer, and ${shownCount(buyers)} buyers who want it.`)
  say(`Server: process ${server.pid} on ${server.url}, its log in ${dataDir}`)
  const result = await raceFor(server, buyers, uses)
  await server.stop()
  say('The server has ended. The proof, read from the files of its log by code that shares nothing with the engine:')
  const proof = proofOf(auditLog(dataDir), {
    code: CODE,
    maxUses: uses,
    winners: Math.min(buyers, uses),
    acknowledgements: result.acknowledgements,
  })
  for (const line of proof) show(line)
  if (proof.some(({ isTrue }) => !isTrue)) throw new Error('the proof failed: the log contradicts what was promised')
}

async function raceFor(server: DemoServer, buyers: number, uses: number): Promise<RaceResult> {
  await createCoupon(server.url, uses)
  const attempts = attemptsOf(buyers)
  const bar = new ProgressBar(process.stdout, attempts.length)
  const result = await race(server.port, attempts, (progress) => bar.show(progress))
  bar.end()
  const seconds = result.tookMs / 1_000
  const rate = shownCount(Math.round(attempts.length / seconds))
  const { websocket, http } = result.answered
  say(
    `${shownCount(attempts.length)} attempts (some buyers try in two tabs) in ${seconds.toFixed(1)} s, ${rate} a second: ` +
      `${shownCount(websocket)} over WebSocket, ${shownCount(http)} over HTTP.`,
  )
  const refusals = [...result.refusals].map(([code, count]) => `${shownCount(count)} ${code}`)
  say([`${shownCount(result.acknowledgements.length)} redeemed`, ...refusals].join(', '))
  return result
}

async function createCoupon(url: string, uses: number): Promise<void> {
  const coupon = { code: CODE, type: 'PERCENT', value: 50, maxUses: uses, maxUsesPerUser: 1 }
  const answer = await fetch(`${url}/v1/coupons`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(coupon),
  })
  if (answer.status !== 201) throw new Error(`the coupon could not be made (${answer.status}): ${await answer.text()}`)
}

function show({ isTrue, sentence, faults }: ProofLine): void {
  say(`  ${isTrue ? '✓' : '✗'} ${sentence}`)
  for (const fault of faults.slice(0, FAULTS_SHOWN_MAX)) say(`      ${fault}`)
  if (faults.length > FAULTS_SHOWN_MAX) say(`      and ${shownCount(faults.length - FAULTS_SHOWN_MAX)} more`)
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
