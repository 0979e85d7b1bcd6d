/**
 * Divergence: the log, or what was made from it, is not what it has to be. Its sentence names the place; a tool that meets one
 * stops there and ends with 1.
 */
import type { EntryPosition } from '../../persistence/record.ts'

export class Divergence extends Error {
  readonly code = 'DIVERGENCE'
  override readonly name = 'Divergence'
  readonly shard: number | null
  readonly seq: number | null
  readonly where: EntryPosition | null

  constructor(
    sentence: string,
    place: {
      readonly shard?: number
      readonly seq?: number
      readonly where?: EntryPosition
      readonly cause?: unknown
    } = {},
  ) {
    super(sentence, place.cause === undefined ? undefined : { cause: place.cause })
    this.shard = place.shard ?? null
    this.seq = place.seq ?? null
    this.where = place.where ?? null
  }
}

/** `lane 0, segment 3, record 12`. */
export function placeText({ lane, segment, record }: EntryPosition): string {
  return `lane ${lane}, segment ${segment}, record ${record}`
}
