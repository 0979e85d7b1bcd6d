/**
 * The failures persistence can end in. Each carries a code for programs and one sentence for the person who has to act:
 * what happened, where, and what to do. Nothing here is a refusal (a value of the domain) nor a broken invariant (an
 * assert): these are operating errors, and a caller that gets one while opening must not serve.
 */

const JOURNAL_ERROR_CODES = [
  /** Bytes on disk are not what was written: a check sum, a page, a meta page or a file that makes no sense. */
  'JOURNAL_DAMAGED',
  /** The files were written by a later version of Tearoff. */
  'JOURNAL_NEWER_FORMAT',
  /** A data file is shorter than its own meta pages say. */
  'JOURNAL_TRUNCATED',
  /** A snapshot is not what was written; the log has everything that was in it. */
  'SNAPSHOT_DAMAGED',
  /** A shard's entries do not follow one another: a gap, a double, or a hash that does not fit. */
  'CHAIN_BROKEN',
  /** The data directory belongs to another deployment than the one asked for. */
  'DEPLOYMENT_MISMATCH',
  /** Another process works on the data directory. */
  'DIRECTORY_IN_USE',
  /** The file system or the map is full. */
  'STORAGE_FULL',
  /** A commit failed or did not settle in time; whether it is on disk is unknown. */
  'FLUSH_FAILED',
  /** The file system answered an operation outside a commit with an error. */
  'STORAGE_FAILED',
  /** The journal was closed, or failed before; nothing was written. */
  'JOURNAL_CLOSED',
  /** Another process owns the shard: the cluster's log has gone on without this one. */
  'FENCED',
] as const

export type JournalErrorCode = (typeof JOURNAL_ERROR_CODES)[number]

/**
 * `retryable` says whether the same operation may succeed later in the same process (never after a failed flush).
 * `cause` holds the error of the layer below, if any.
 */
export class JournalError extends Error {
  override readonly name = 'JournalError'
  readonly code: JournalErrorCode
  readonly retryable: boolean

  constructor(code: JournalErrorCode, sentence: string, options: { cause?: unknown; retryable?: boolean } = {}) {
    super(sentence, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.retryable = options.retryable ?? false
  }
}
