/**
 * `GET /campaigns/{id}/codes.csv`: the campaign's codes as they stand, streamed.
 *
 *     GET_CAMPAIGN ──▶ head ──▶ page of codes ──▶ rows ──▶ socket takes them ──▶ next page …
 *                                    └── the next page is asked for while this one is written
 *
 * Behind them come those that were made one by one (`codes-alone.ts`). Each page is one moment of its shard; codes that are made meanwhile come at the end. When a shard fails in the middle the
 * connection is broken off, because a file that merely ends looks whole.
 */
import { codesAlone } from './codes-alone.ts'
import { CSV_HEADER, csvRow, type Formulas, FORMULAS } from './codes-csv.ts'
import { choiceAt, unknownField } from '../json/decode-fields.ts'
import { EXPORT_PAGE_CODES, EXPORTS_MAX, OVERLOADED_RETRY_AFTER_S } from '../limits.ts'
import type { AnswerSink, AnswerStream, Operation, OperationPorts } from '../operations/operations.ts'
import { type Problem, problem } from '../problem.ts'
import { askShard, Refusal } from '../operations/shard-question.ts'
import { shardedTarget } from '../operations/target.ts'
import { COMMAND } from '../../protocol/commands.ts'
import type { CampaignRef } from '../../protocol/coupon.ts'
import { type CodesOutcome, type ListedCode, OUTCOME } from '../../protocol/outcomes.ts'

const TOO_MANY: Problem = {
  ...problem('OVERLOADED', `nothing was done; ${EXPORTS_MAX} exports are under way`),
  retryAfterSeconds: OVERLOADED_RETRY_AFTER_S,
}
const textEncoder = new TextEncoder()

let underWay = 0

export const exportCodes: Operation = {
  name: 'exportCodes',
  roles: ['marketing'],
  start(ports, input, sink) {
    const formulas = decodeFormulas(input.query)
    const target = shardedTarget(ports.router, 'cmp_', input.target)
    if (target === null) {
      sink.refused(problem('CAMPAIGN_NOT_FOUND', 'there is no such campaign'), '')
      return
    }
    if (underWay >= EXPORTS_MAX) {
      sink.refused(TOO_MANY, '')
      return
    }
    underWay++
    exported(ports, { shard: target.shard, index: target.number }, input.target, formulas, sink)
      .catch((error: unknown) => {
        if (error instanceof Refusal) {
          sink.refused(error.found, error.position)
          return
        }
        sink.refused(problem('INTERNAL_ERROR', 'the codes could not be listed'), '')
        ports.failed(error)
      })
      .finally(() => {
        underWay--
      })
  },
}

function decodeFormulas(query: string): Formulas {
  let formulas: Formulas = 'defuse'
  for (const [name, value] of new URLSearchParams(query)) {
    if (name !== 'formulas') unknownField('', name)
    formulas = choiceAt(value, '/formulas', FORMULAS)
  }
  return formulas
}

/** Throws before the head is out; behind it the connection is broken off. */
async function exported(
  ports: OperationPorts,
  campaign: CampaignRef,
  campaignId: string,
  formulas: Formulas,
  sink: AnswerSink,
): Promise<void> {
  const { position } = await askShard(ports, campaign.shard, { type: COMMAND.GET_CAMPAIGN, index: campaign.index })
  const stream = sink.streamed?.({ contentType: 'text/csv; charset=utf-8', fileName: `${campaignId}.csv`, position })
  if (stream === undefined) throw new Error('this way in cannot carry a stream')
  if (stream === null) return
  try {
    let isOpen = await stream.write(textEncoder.encode(CSV_HEADER))
    let next: Promise<CodesOutcome> | null = pageOf(ports, campaign, 0)
    while (isOpen && next !== null) {
      const { codes, nextOrdinal }: CodesOutcome = await next
      next = nextOrdinal === 0 ? null : pageOf(ports, campaign, nextOrdinal)
      // Whoever waits for it may have left by the time it fails.
      next?.catch(() => {})
      if (codes.length > 0) isOpen = await stream.write(rowsOf(codes, formulas))
    }
    if (isOpen) isOpen = await writeAlone(ports, campaign, formulas, stream)
    if (isOpen) stream.end()
  } catch (error) {
    stream.breakOff()
    ports.failed(error)
  }
}

/** False: the client went away. */
async function writeAlone(
  ports: OperationPorts,
  campaign: CampaignRef,
  formulas: Formulas,
  stream: AnswerStream,
): Promise<boolean> {
  for await (const codes of codesAlone(ports, campaign)) {
    if (!(await stream.write(rowsOf(codes, formulas)))) return false
  }
  return true
}

function rowsOf(codes: readonly ListedCode[], formulas: Formulas): Uint8Array {
  let rows = ''
  for (const listed of codes) rows += csvRow(listed, formulas)
  return textEncoder.encode(rows)
}

async function pageOf(ports: OperationPorts, campaign: CampaignRef, fromOrdinal: number): Promise<CodesOutcome> {
  const { outcome } = await askShard(ports, campaign.shard, {
    type: COMMAND.LIST_CODES,
    campaignIndex: campaign.index,
    jobSeq: 0,
    fromOrdinal,
    limit: EXPORT_PAGE_CODES,
  })
  if (outcome.type !== OUTCOME.CODES) throw new Error(`an outcome of type ${outcome.type} lists no codes`)
  return outcome
}
