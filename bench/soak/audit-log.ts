// The audit of a soak's log, in a process of its own: it keeps every redemption there was, which is no business of the load's.

import { acknowledgementFaults, type Acknowledgement } from '../../cli/audit/audit-acknowledgements.ts'
import { auditLog } from '../../cli/audit/audit-log.ts'

export interface AuditInput {
  readonly dataDir: string
  /** Codes of coupons and ids of campaigns. */
  readonly names: readonly string[]
  readonly acknowledgements: readonly Acknowledgement[]
}

export interface AuditResult {
  readonly events: number
  readonly uses: Readonly<Record<string, number>>
  readonly faults: readonly string[]
}

/** Everything has been answered and has lapsed, so nothing may be open. */
export function auditSoak({ dataDir, names, acknowledgements }: AuditInput): Promise<AuditResult> {
  const audit = auditLog(dataDir, { isSettled: true })
  const uses: Record<string, number> = {}
  for (const name of names) {
    const found = audit.coupons.get(name) ?? audit.campaigns.get(name)
    if (found !== undefined) uses[name] = found.uses
  }
  const told = acknowledgementFaults(audit, acknowledgements, { isComplete: false })
  return Promise.resolve({ events: audit.events, uses, faults: [...audit.faults, ...told] })
}
