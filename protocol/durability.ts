/** What an answer waits for, as it is set and shown; see docs/guarantees.md. */
export type Durability =
  /** On the disk of its owner. */
  | 'flush'
  /** At nothing: on disk within 50 ms. */
  | 'relaxed'
  /** On the disk of its owner and in the stream of its shard. */
  | 'replicated'
