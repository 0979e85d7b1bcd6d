/**
 * What every list call has in common: the read model is asked, perhaps the shards of what it named, and one page comes of it.
 *
 *     query ──▶ read model ──▶ places ──▶ shards ──▶ page
 *                   └──────── coupons ─────────────▶ page      with X-Tearoff-Lag-Ms
 *
 * Lists are for people and reports, so promises are good enough here.
 */
import { positionText, quoted } from '../json/json-text.ts'
import { cursorText, type ListKind } from './list-query.ts'
import type { AnswerSink, OperationPorts } from '../operations/operations.ts'
import { type Problem, problem } from '../problem.ts'
import { type PageEnd, type ReadModel, ReadModelUnavailable } from './read-model.ts'
import { answerOf, unsettledProblem } from '../operations/shard-call.ts'
import { type ReplyHandler, SETTLED, type Settled } from '../../engine/transport/port.ts'
import type { ByteReader } from '../../protocol/bytes.ts'
import { writeCommand } from '../../protocol/command-codec.ts'
import type { Command } from '../../protocol/commands.ts'
import { readOutcome, readPosition } from '../../protocol/outcome-codec.ts'
import { OUTCOME, type Outcome, type Position } from '../../protocol/outcomes.ts'

export interface Page {
  /** JSON texts. */
  readonly data: readonly string[]
  readonly next: PageEnd | null
  readonly lagMs: number
}

export interface FinishedPage {
  readonly data: readonly string[]
  /** null: there is nothing more. */
  readonly cursor: string | null
  readonly lagMs: number
}

export const LISTS_UNAVAILABLE = problem(
  'SHARD_UNAVAILABLE',
  'nothing was done; lists cannot be read now, everything else can',
)

/** A shard could not be asked, or the call ends otherwise with a problem. */
class Refusal extends Error {
  readonly found: Problem
  constructor(found: Problem) {
    super(found.detail)
    this.found = found
  }
}

export class ListCall {
  readonly ports: OperationPorts
  private readonly sink: AnswerSink
  private readonly positions = new Map<number, Position>()

  constructor(ports: OperationPorts, sink: AnswerSink) {
    this.ports = ports
    this.sink = sink
  }

  /** Answers with the page that `work` makes. What it throws ends the call. */
  run(kind: ListKind, work: (readModel: ReadModel) => Promise<Page>): void {
    this.runWhole(async (readModel) => {
      const { data, next, lagMs } = await work(readModel)
      return { data, cursor: next === null ? null : cursorText(kind, next), lagMs }
    })
  }

  /** The same for a list whose cursors are of more than one kind. */
  runWhole(work: (readModel: ReadModel) => Promise<FinishedPage>): void {
    const { readModel } = this.ports
    if (readModel === undefined) this.sink.refused(LISTS_UNAVAILABLE, '')
    else this.finish(work(readModel))
  }

  /** Answers with a page whose cursor is a text already. */
  finish(finished: Promise<FinishedPage>): void {
    finished.then(
      (page) => this.answer(page),
      (error: unknown) => this.fail(error),
    )
  }

  refuse(found: Problem): never {
    throw new Refusal(found)
  }

  /** Nothing at all fits what is asked for. */
  nothing(readModel: ReadModel): Page {
    return { data: [], next: null, lagMs: readModel.lagMs() ?? 0 }
  }

  nothingAtAll(readModel: ReadModel): FinishedPage {
    return { data: [], cursor: null, lagMs: readModel.lagMs() ?? 0 }
  }

  /** When a shard that was asked judged last, by its clock. */
  judgedAtMs(shard: number): number {
    return this.positions.get(shard)?.timeMs ?? 0
  }

  /** Asks a shard. Throws where it cannot answer. */
  async ask(shard: number, command: Command<string>): Promise<Outcome> {
    const { writer, transport } = this.ports
    return await new Promise((resolve, reject) => {
      writer.clear()
      writeCommand(writer, command)
      transport.call(shard, writer.buf, writer.pos, new Question(this.positions, resolve, reject))
    })
  }

  private answer({ data, cursor, lagMs }: FinishedPage): void {
    const positions = [...this.positions.values()].sort((a, b) => a.shard - b.shard)
    const position = positions.map(({ shard, seq, timeMs }) => positionText(shard, seq, timeMs)).join(', ')
    this.sink.answered({
      ...answerOf(200, `{"data":[${data.join(',')}],"nextCursor":${cursor === null ? 'null' : quoted(cursor)}}`),
      position,
      lagMs,
    })
  }

  private fail(error: unknown): void {
    if (error instanceof Refusal) this.sink.refused(error.found, '')
    else if (error instanceof ReadModelUnavailable) this.sink.refused(LISTS_UNAVAILABLE, '')
    else {
      this.sink.refused(problem('INTERNAL_ERROR', 'the list could not be made'), '')
      this.ports.failed(error)
    }
  }
}

class Question implements ReplyHandler {
  private readonly positions: Map<number, Position>
  private readonly resolve: (outcome: Outcome) => void
  private readonly reject: (error: Error) => void

  constructor(positions: Map<number, Position>, resolve: (outcome: Outcome) => void, reject: (error: Error) => void) {
    this.positions = positions
    this.resolve = resolve
    this.reject = reject
  }

  settled(kind: Settled, reply: ByteReader): void {
    if (kind !== SETTLED.ANSWERED) {
      this.reject(new Refusal(unsettledProblem(kind)))
      return
    }
    try {
      const { shard, seq, timeMs } = readPosition(reply)
      const outcome = readOutcome(reply)
      if ((this.positions.get(shard)?.seq ?? -1) <= seq) this.positions.set(shard, { shard, seq, timeMs })
      this.resolve(outcome.type === OUTCOME.ACROSS ? outcome.outcome : outcome)
    } catch (cause) {
      this.reject(new Error('the answer of a shard could not be read', { cause }))
    }
  }
}
