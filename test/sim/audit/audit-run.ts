/**
 * The audit of a run: what the logs say happened, and what callers were told, held against what is promised. It imports
 * nothing of the engine, the persistence or the gateway.
 *
 *     records ──▶ logs ──▶ books (cli/audit): every limit after every event, budgets, days, all or none over shards
 *     answers ──▶ on disk when they left · what they say is what the log says · one order, one answer
 */
import { ShardAccounts } from '../../../cli/audit/audit-accounts.ts'
import { AuditFault } from '../../../cli/audit/audit-cursor.ts'
import { AuditRouting } from '../../../cli/audit/audit-routing.ts'
import { stackFindings } from '../../../cli/audit/audit-stacks.ts'
import { AnswerJudge } from './answers.ts'
import { logsOf } from './logs.ts'
import type { Observed } from './observed.ts'

export interface RunToAudit {
  readonly shards: number
  readonly secret: Uint8Array
  readonly records: Iterable<Buffer>
  readonly observed: readonly Observed[]
}

export interface AuditedRun {
  readonly faults: readonly string[]
  readonly events: number
}

export function auditRun({ shards, secret, records, observed }: RunToAudit): AuditedRun {
  const faults: string[] = []
  const fault = (sentence: string): void => {
    faults.push(sentence)
  }
  const logs = logsOf(records, shards, fault)
  const judge = new AnswerJudge(logs, observed, fault)
  judge.judgeAlone()
  const routing = new AuditRouting(shards, secret)
  const books = new Map<number, ShardAccounts>()
  let events = 0
  for (const [shard, log] of logs.entries()) {
    const account = new ShardAccounts(shard, (sentence) => fault(`shard ${shard}: ${sentence}`), routing)
    books.set(shard, account)
    try {
      for (const { event, seq, atMs } of log) {
        account.book(event, seq, atMs)
        events++
        judge.judgeAt(shard, seq, account)
      }
    } catch (error) {
      if (!(error instanceof AuditFault)) throw error
      fault(`shard ${shard}: ${error.message}`)
    }
  }
  const { faults: disagreements, open } = stackFindings(books)
  // Nothing was under way any more: what is open now stays open for ever.
  faults.push(...disagreements, ...open)
  for (const account of books.values()) {
    for (const limit of [...account.coupons, ...account.campaigns, ...account.usedCodes.values()]) {
      if (limit.reserved !== 0) fault(`${limit.reserved} of ${nameOf(limit)} are reserved for ever`)
    }
  }
  return { faults, events }
}

function nameOf(limit: { readonly code: string | null; readonly ordinal: number }): string {
  return limit.code ?? `campaign ${limit.ordinal}`
}
