/**
 * How a table is written to a snapshot and read back: a stream of 32-bit words that both sides walk in the same order.
 *
 * A dump is canonical: two tables that hold the same give the same words, whatever way they came to hold it. So a snapshot
 * can be compared with a replay word by word. Whoever adds a field to a table adds it to both directions.
 */

export interface DumpWriter {
  /** One int32; a uint32 is written by its bits. */
  word(value: number): void
  /** 64 bits of a number. */
  number(value: number): void
  /** Bytes as they are, filled up with zeros to a whole word. */
  raw(bytes: Uint8Array): void
}

/** Reads what a `DumpWriter` wrote; throws where the dump ends too early. */
export interface DumpReader {
  word(): number
  number(): number
  rawInto(bytes: Uint8Array): void
}
