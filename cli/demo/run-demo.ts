/**
 * The demo: a server of its own on a temporary directory, a race for one coupon, the end of the server, and then the proof
 * from the files it left. The buyers' own notes and the log are all that the proof looks at; the server is not asked.
 */
import { auditLog } from '../audit/audit-log.ts'
import { proofOf } from '../audit/audit-proof.ts'
import { attemptsOf, CODE } from './attempts.ts'
import { ProgressBar, shownCount } from './progress-bar.ts'
import { race, type RaceResult } from './race.ts'
import type { DemoServer } from './server-process.ts'
import { showProof, withDemoServer } from './with-server.ts'

export interface DemoOptions {
  readonly buyers: number
  readonly uses: number
  readonly keep: boolean
}

/** Throws when the race could not be run, or when the proof fails. */
export async function runDemo({ buyers, uses, keep }: DemoOptions): Promise<void> {
  await withDemoServer(keep, async (server, dataDir) => {
    say(`A coupon for ${shownCount(uses)}, one for each buyer, and ${shownCount(buyers)} buyers who want it.`)
    say(`Server: process ${server.pid} on ${server.url}, its log in ${dataDir}`)
    const result = await raceFor(server, buyers, uses)
    await server.stop()
    say('The server has ended. The proof, read from the files of its log by code that shares nothing with the engine:')
    showProof(
      proofOf(auditLog(dataDir), {
        code: CODE,
        maxUses: uses,
        winners: Math.min(buyers, uses),
        acknowledgements: result.acknowledgements,
      }),
    )
  })
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

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
