/**
 * What the reading thread and its host say to each other.
 */
import type { ImportFormat, JobError } from '../protocol/jobs.ts'

/** A job to be worked off from a place in its file. */
export interface ImportTask {
  readonly jobShard: number
  readonly jobSeq: number
  readonly path: string
  readonly format: ImportFormat
  readonly place: number
  readonly processed: number
  readonly failed: number
}

/** A row as a command for one shard, or what is wrong with it. */
export interface BatchRow {
  readonly line: number
  readonly shard: number
  /** The command's bytes; empty where there is a fault. */
  readonly bytes: Uint8Array
  /** The campaign that has to exist, as `shard:index`; '' for none. */
  readonly campaign: string
  readonly fault: JobError | null
}

export type ToReader =
  | { readonly type: 'work'; readonly task: ImportTask }
  /** So many more batches may come. */
  | { readonly type: 'goOn' }
  | { readonly type: 'stop' }

export type FromReader =
  | {
      readonly type: 'batch'
      readonly rows: readonly BatchRow[]
      /** Bytes of the file behind the last of the rows. */
      readonly place: number
    }
  | { readonly type: 'end' }
  /** The file cannot be read, or its head makes no sense. */
  | { readonly type: 'failed'; readonly line: number; readonly detail: string }
