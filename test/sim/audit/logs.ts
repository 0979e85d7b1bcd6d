/**
 * The logs of a run, read from the bytes of their records: check sums, chains of hashes and events by the independent reader
 * of the product's audit (cli/audit), which shares no code with the engine, the protocol or the persistence.
 */
import { AuditFault } from '../../../cli/audit/audit-cursor.ts'
import { type AuditEvent, eventsOf } from '../../../cli/audit/audit-events.ts'
import { chainedEvents, entriesInRecord, NO_HASH } from '../../../cli/audit/audit-records.ts'

export interface LoggedEvent {
  readonly seq: number
  readonly atMs: number
  readonly event: AuditEvent
}

interface EntryRead {
  readonly firstSeq: number
  readonly eventCount: number
  readonly timeMs: number
  /** From the entry's hash to its end. */
  readonly bytes: Buffer
}

/** Events by shard, in order. Sentences of what does not fit go to `fault`. */
export function logsOf(
  records: Iterable<Buffer>,
  shards: number,
  fault: (sentence: string) => void,
): readonly (readonly LoggedEvent[])[] {
  const entries: EntryRead[][] = Array.from({ length: shards }, () => [])
  for (const record of records) {
    try {
      for (const { shard, firstSeq, eventCount, timeMs, at, length } of entriesInRecord(record, 'a record')) {
        entries[shard]?.push({ firstSeq, eventCount, timeMs, bytes: record.subarray(at, at + length) })
      }
    } catch (error) {
      if (!(error instanceof AuditFault)) throw error
      fault(error.message)
    }
  }
  return entries.map((each, shard) => {
    each.sort((a, b) => a.firstSeq - b.firstSeq)
    return eventsInOrder(each, (sentence) => fault(`shard ${shard}: ${sentence}`))
  })
}

function eventsInOrder(entries: readonly EntryRead[], fault: (sentence: string) => void): LoggedEvent[] {
  const logged: LoggedEvent[] = []
  let hash = NO_HASH
  let timeMs = 0
  try {
    for (const entry of entries) {
      if (entry.firstSeq !== logged.length + 1) fault(`sequence ${entry.firstSeq} follows ${logged.length}`)
      const chained = chainedEvents(entry.bytes, hash)
      hash = chained.hash
      for (const { event, atMs } of eventsOf(chained.events, 0, chained.events.length, entry.timeMs)) {
        if (atMs < timeMs) fault(`time goes backwards at ${logged.length + 1}`)
        timeMs = atMs
        logged.push({ seq: logged.length + 1, atMs, event })
      }
      if (logged.length !== entry.firstSeq + entry.eventCount - 1) fault('an entry holds another number of events')
    }
  } catch (error) {
    if (!(error instanceof AuditFault)) throw error
    fault(error.message)
  }
  return logged
}
