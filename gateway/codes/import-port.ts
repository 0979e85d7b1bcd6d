/**
 * Imports as the gateway sees them: a place to put an upload, and somebody who works it off as a job (`imports/host.ts`).
 */
import type { ImportFormat } from '../../protocol/jobs.ts'

/** An upload that is coming in. Exactly one of `finish` and `abandon` ends it. */
export interface Upload {
  /** Takes a piece, which it may keep. False: more than is good is waiting for the disk; wait for `whenDrained`. */
  write(piece: Buffer): boolean
  /** Calls back once, when there is room again. */
  whenDrained(goOn: () => void): void
  /** Settles when every byte is on disk. Rejects where it could not be written; nothing is left then. */
  finish(): Promise<{ readonly file: string; readonly bytes: number }>
  /** Nothing is left of it. */
  abandon(): void
}

export interface Imports {
  /** null: the disk is nearly full, or too many uploads are under way; nothing was done. */
  receive(format: ImportFormat): Upload | null
  /** The job was logged: it may begin. */
  started(): void
  /** No job will ever name the file. */
  discard(file: string): void
}
