// A pool after a restart, code by code: locked by whom the ledger has it for, redeemed, or free. Nothing is there twice or missing.

import type { HttpClient } from '../support/http-client.ts'
import type { Claim, ClaimCampaign, ClaimsLedger } from './claims-ledger.ts'
import { Violation } from './ledger.ts'

/** Between the server's clock and this one. */
const CLOCK_SLACK_MS = 500

interface ListedCode {
  readonly code: string
  readonly status: string
  readonly holder: string
  readonly lockedUntil: string
}

/** Throws a Violation. */
export async function checkPool(http: HttpClient, ledger: ClaimsLedger, campaign: ClaimCampaign): Promise<void> {
  const fromMs = Date.now() - CLOCK_SLACK_MS
  const { status, text } = await http.get(`/v1/campaigns/${campaign.campaignId}/codes.csv`)
  const toMs = Date.now() + CLOCK_SLACK_MS
  if (status !== 200) throw new Violation(`the codes of ${campaign.campaignId} were answered with ${status}`)
  const listed = text.split('\r\n').slice(1, -1).map(listedCode)
  const codes = new Set(listed.map(({ code }) => code))
  if (listed.length !== campaign.codes || codes.size !== campaign.codes) {
    throw new Violation(`${campaign.campaignId} lists ${listed.length} codes (${codes.size}) of ${campaign.codes}`)
  }
  for (const row of listed) {
    const last = ledger.lastOfCode(row.code)
    if (expected(last, fromMs, toMs).some((each) => isAs(row, each))) continue
    const told = last === null ? 'nobody was told of it' : `${last.userId} was told ${last.state} ${last.expiresAtMs}`
    throw new Violation(`${row.code} is ${row.status} ${row.holder} ${row.lockedUntil}, ${told}`)
  }
}

function listedCode(line: string): ListedCode {
  const [code = '', status = '', holder = '', , lockedUntil = ''] = line.split(',')
  return { code, status, holder, lockedUntil }
}

const FREE = { status: 'ACTIVE', holder: '' }

/** More than one where time may have passed meanwhile. */
function expected(last: Claim | null, fromMs: number, toMs: number): { readonly status: string; holder: string }[] {
  if (last === null || last.state === 'RELEASED') return [FREE]
  if (last.state === 'REDEEMED') return [{ status: 'REDEEMED', holder: last.userId }]
  const locked = { status: 'LOCKED', holder: last.userId }
  if (last.expiresAtMs > toMs) return [locked]
  return last.expiresAtMs <= fromMs ? [FREE] : [FREE, locked]
}

function isAs({ status, holder }: ListedCode, expectation: { readonly status: string; holder: string }): boolean {
  return status === expectation.status && holder === expectation.holder
}
