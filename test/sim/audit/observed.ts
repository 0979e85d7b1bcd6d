/** What a caller asked and what it was told: the half of a run that the log does not have. */
import type { Bytes } from '../../../protocol/bytes.ts'
import type { Command } from '../../../protocol/commands.ts'
import type { Outcome, Position } from '../../../protocol/outcomes.ts'

export interface Observed {
  /** The step it belongs to. */
  readonly step: number
  readonly do: string
  readonly shard: number
  readonly command: Command<string | Bytes>
  readonly sentAtMs: number
  readonly answeredAtMs: number
  /** As in the transport port: 0 answered, 1 and 2 not done, 3 unknown, 4 the disk has failed. */
  readonly kind: number
  /** null: it was not answered. */
  readonly position: Position | null
  readonly outcome: Outcome | null
  /** Positions of other shards that had a part in the answer. */
  readonly others: readonly Position[]
  /** The last sequence of the shard that was on its disk when the answer left. */
  readonly durableSeq: number
}
