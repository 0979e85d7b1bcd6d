/**
 * Writes a segment through LMDB, and makes a commit durable. The seam under the journal: tests put a failing store here.
 *
 * LMDB is opened with `noSync`: `put` copies pages and a new root into the system's cache, and `flush` is one fdatasync
 * of the same file, which covers all of them. LMDB's own ways cost two flushes a commit and more hand-overs between
 * threads (measured in docs/formats/journal.md), and after a failed commit they never call back.
 *
 * Why one flush is enough. There is one commit at a time, and it starts only when the flush of the last one has returned.
 * LMDB keeps two roots and overwrites the older; it reuses only pages that neither the last root nor the one before needs.
 * So at a power cut within commit n + 1 root n and all its pages are on disk untouched. Root n + 1 may be there while
 * some of its pages are not: recovery finds that by check sums and takes root n (see segment-survey.ts). LMDB itself would take
 * the newer root unseen, so an old segment must never be opened with LMDB again: every start writes a new one.
 */

import { closeSync, fdatasync, fsyncSync, openSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { open, type RootDatabase } from 'lmdb'
import { syncDirectory } from './durable-file.ts'

/** A segment being written. */
export interface Store {
  /** Puts a record under a number above all before. The bytes are free again when it returns. Throws when it failed. */
  put(record: number, bytes: Uint8Array): void
  /** Calls back, later, when all that was put is on disk or its fate is unknown. */
  flush(done: (error: Error | null) => void): void
  close(): Promise<void>
}

/** Makes a new, empty segment file, durable in its directory. Throws the error of the layer below. */
export type StoreOpener = (path: string, mapBytes: number) => Store

export const openLmdbStore: StoreOpener = (path, mapBytes) => new LmdbStore(path, mapBytes)

class LmdbStore implements Store {
  readonly #path: string
  readonly #database: RootDatabase<Uint8Array, number>
  readonly #fd: number
  readonly #appending = { append: true }

  constructor(path: string, mapBytes: number) {
    this.#path = path
    this.#database = open<Uint8Array, number>({
      path,
      encoding: 'binary',
      keyEncoding: 'uint32',
      mapSize: mapBytes,
      noSync: true,
      maxReaders: 8,
    })
    // Opened before the first put: a write error of the system is told to the descriptors that were open then.
    this.#fd = openSync(path, 'r+')
    fsyncSync(this.#fd)
    syncDirectory(dirname(path))
  }

  put(record: number, bytes: Uint8Array): void {
    // False means that the key does not grow: the file holds records this journal does not know.
    const put = this.#database.putSync(record, bytes, this.#appending as never) as unknown
    if (put !== true) throw new Error(`LMDB refused the key ${record}`)
  }

  flush(done: (error: Error | null) => void): void {
    fdatasync(this.#fd, done)
  }

  async close(): Promise<void> {
    await this.#database.close()
    closeSync(this.#fd)
    rmSync(`${this.#path}-lock`, { force: true })
  }
}
