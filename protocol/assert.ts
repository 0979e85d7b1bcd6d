/**
 * Assertions for invariants. They stay on in production: a broken invariant stops the shard, and with it the process,
 * before a wrong answer can leave. A refusal is never an assertion.
 */

/** A broken invariant: a fault in this program or in its log, never in a request. */
class InvariantBroken extends Error {
  readonly code = 'INVARIANT_BROKEN'
  override readonly name = 'InvariantBroken'
}

export function assert(condition: boolean, what: string): asserts condition {
  if (!condition) throw new InvariantBroken(what)
}
