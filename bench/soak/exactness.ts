// Whether a soak was exact: what clients were told, what the server showed at the end, what the log holds by the audit's reading, and
// what `tearoff verify` finds, all held against each other.
//
//   told (load)  ═  shown (GET, all lapsed)  ═  logged (audit of the files)        verify: replay ═ snapshots ═ counters

import { spawn } from 'node:child_process'
import { ended, runChild, track } from '../children.ts'
import { ENTRIES } from '../project.ts'
import { campaignOf } from '../server/campaigns.ts'
import { couponCounters } from '../server/coupons.ts'
import type { AuditInput, AuditResult } from './audit-log.ts'
import type { Stock } from './stock.ts'

/** Uses of one coupon or campaign. */
interface Uses {
  readonly name: string
  readonly told: number
  readonly logged: number
  readonly shown: number
}

export interface Exactness {
  readonly uses: readonly Uses[]
  /** Sentences of the audit, and acknowledgements that the log does not know. */
  readonly faults: readonly string[]
  readonly events: number
  readonly reservedAtEnd: number
  readonly verifyExitCode: number | null
  readonly verifyWords: string
  /** Why the server did not stop with 0; empty when it did. */
  readonly stopped: string
}

/** What the server says of everything that is counted. */
export interface Shown {
  readonly uses: ReadonlyMap<string, number>
  readonly reserved: number
}

const AUDIT_LIMIT_MS = 3_600_000
/** The audit keeps every redemption of the log; an hour's are some gigabytes. */
const AUDIT_HEAP_MB = 12_000

export async function askCounters(baseUrl: string, { uses }: Stock): Promise<Shown> {
  const shown = new Map<string, number>()
  let reserved = 0
  for (const name of uses.keys()) {
    const isCampaign = name.startsWith('cmp_')
    const { uses: count, reserved: held } = isCampaign
      ? ((await campaignOf(baseUrl, name)) as { uses: number; reserved: number })
      : await couponCounters(baseUrl, name)
    shown.set(name, count)
    reserved += held
  }
  return { uses: shown, reserved }
}

/** On the directory of a server that has ended. */
export async function judgeExactness(
  productEntry: string,
  dataDir: string,
  stock: Stock,
  shown: Shown,
  stopped: string,
): Promise<Exactness> {
  const names = [...stock.uses.keys()]
  const audit = await runChild<AuditInput, AuditResult>(
    ENTRIES.soakAudit,
    { dataDir, names, acknowledgements: stock.acknowledged },
    AUDIT_LIMIT_MS,
    [`--max-old-space-size=${AUDIT_HEAP_MB}`],
  )
  const verified = await verify(productEntry, dataDir)
  return {
    uses: names.map((name) => ({
      name,
      told: stock.uses.get(name) ?? Number.NaN,
      logged: audit.uses[name] ?? 0,
      shown: shown.uses.get(name) ?? Number.NaN,
    })),
    faults: audit.faults,
    events: audit.events,
    reservedAtEnd: shown.reserved,
    ...verified,
    stopped,
  }
}

async function verify(
  productEntry: string,
  dataDir: string,
): Promise<{ readonly verifyExitCode: number | null; readonly verifyWords: string }> {
  const child = track(
    spawn(process.execPath, [productEntry, 'verify', '--data-dir', dataDir], { stdio: ['ignore', 'pipe', 'pipe'] }),
  )
  let words = ''
  child.stdout?.on('data', (chunk: Buffer) => {
    words += chunk.toString()
  })
  child.stderr?.on('data', (chunk: Buffer) => {
    words += chunk.toString()
  })
  const verifyExitCode = await ended(child)
  const lines = words.trim().split(/[\r\n]+/)
  return { verifyExitCode, verifyWords: (lines.at(-1) ?? '').slice(0, 500) }
}
