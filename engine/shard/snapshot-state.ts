/**
 * A shard's state as a snapshot: written, read, and held against a state that was replayed.
 *
 * A dump is canonical, so the state after a snapshot and the log behind it can be compared with a replay of the whole log,
 * word by word (`differenceFrom`). Whoever changes what `apply` does with an event that exists, or what a section holds
 * (`snapshot-sections.ts`), raises STATE_LAYOUT: snapshots of another layout are passed over, and the log says it all again.
 */
import { assert } from '../../protocol/assert.ts'
import type { Deployment } from '../../persistence/deployment.ts'
import { JournalError } from '../../persistence/errors.ts'
import type { ShardHead } from '../../persistence/lane-merge.ts'
import {
  type SnapshotFile,
  type SnapshotHead,
  SnapshotReader,
  SnapshotWriter,
} from '../../persistence/snapshot-file.ts'
import { KeyHash } from '../domain/key-hash.ts'
import { ShardState } from '../domain/state.ts'
import { Router } from '../routing.ts'
import { surroundingsOf } from '../surroundings.ts'
import { SECTIONS } from './snapshot-sections.ts'
import { stateTables } from './state-tables.ts'
import type { DumpReader, DumpWriter } from './tables/dump.ts'

const STATE_LAYOUT = 2

/** A state before its first event. */
export function emptyState(shard: number, deployment: Deployment): ShardState {
  const { secret, shards } = deployment
  const around = surroundingsOf(shard, new Router(shards, secret))
  return new ShardState(shard, stateTables(secret), new KeyHash(secret), around)
}

/**
 * Writes the state as a snapshot; returns its bytes. `log` is the last entry of the shard that was applied. `afterChunk`: see
 * SnapshotWriter. Errors of the file system are thrown as they are; then nothing is left behind.
 */
export function writeSnapshot(
  dataDir: string,
  deployment: Deployment,
  state: ShardState,
  log: ShardHead,
  madeAtMs: number,
  afterChunk?: (bytes: number, fd: number) => void,
): number {
  assert(state.seq === log.seq, 'a snapshot is made of a state that is not at the end of an entry')
  const head: SnapshotHead = { ...log, shard: state.shard, layout: STATE_LAYOUT, madeAtMs }
  const writer = new SnapshotWriter(dataDir, deployment, head, afterChunk)
  try {
    dumpState(state, writer)
    return writer.finish()
  } catch (error) {
    writer.abandon()
    throw error
  }
}

/**
 * The state that a snapshot holds, and where in the log it stands. Throws JournalError: `SNAPSHOT_DAMAGED` where the file
 * cannot be trusted, `JOURNAL_NEWER_FORMAT` where its layout is another one.
 */
export function readSnapshot(
  file: SnapshotFile,
  deployment: Deployment,
): { readonly state: ShardState; readonly head: SnapshotHead } {
  const reader = openSnapshot(file, deployment)
  try {
    const state = emptyState(file.shard, deployment)
    loadState(state, reader)
    reader.end()
    if (state.seq !== reader.head.seq) {
      throw new JournalError('SNAPSHOT_DAMAGED', `${file.path} says ${reader.head.seq} and holds ${state.seq}`)
    }
    return { state, head: reader.head }
  } catch (error) {
    if (error instanceof JournalError) throw error
    throw new JournalError('SNAPSHOT_DAMAGED', `${file.path} holds a state that makes no sense`, { cause: error })
  } finally {
    reader.close()
  }
}

/**
 * Where a snapshot differs from a state that was replayed up to the same sequence: the name of the first section that does,
 * or null. Throws JournalError where it cannot be read.
 */
export function differenceFrom(file: SnapshotFile, deployment: Deployment, replayed: ShardState): string | null {
  const reader = openSnapshot(file, deployment)
  try {
    if (reader.head.seq !== replayed.seq) return 'main'
    for (const { name, dump } of SECTIONS) {
      reader.section(name)
      const comparing = new ComparingWriter(reader)
      dump(replayed, comparing)
      if (comparing.differs) return name
    }
    reader.end()
    return null
  } finally {
    reader.close()
  }
}

/** All sections, in order. */
export function dumpState(state: ShardState, writer: DumpWriter & { section(name: string): void }): void {
  for (const { name, dump } of SECTIONS) {
    writer.section(name)
    dump(state, writer)
  }
}

/** All sections, in order, into a state before its first event. */
export function loadState(state: ShardState, reader: DumpReader & { section(name: string): void }): void {
  for (const { name, load } of SECTIONS) {
    reader.section(name)
    load(state, reader)
  }
}

function openSnapshot(file: SnapshotFile, deployment: Deployment): SnapshotReader {
  const reader = new SnapshotReader(file, deployment)
  const { layout } = reader.head
  if (layout === STATE_LAYOUT) return reader
  reader.close()
  throw new JournalError(
    'JOURNAL_NEWER_FORMAT',
    `${file.path} has the layout ${layout} and this program has ${STATE_LAYOUT}: the log is replayed instead`,
  )
}

/** Compares instead of writing: what is dumped with what a snapshot holds. */
class ComparingWriter implements DumpWriter {
  private readonly reader: DumpReader
  private bytes = new Uint8Array(0)
  differs = false

  constructor(reader: DumpReader) {
    this.reader = reader
  }

  word(value: number): void {
    if (!this.differs && this.reader.word() !== (value | 0)) this.differs = true
  }

  number(value: number): void {
    if (!this.differs && !Object.is(this.reader.number(), value)) this.differs = true
  }

  raw(bytes: Uint8Array): void {
    if (this.differs) return
    if (this.bytes.length < bytes.length) this.bytes = new Uint8Array(bytes.length)
    const stored = this.bytes.subarray(0, bytes.length)
    this.reader.rawInto(stored)
    for (let at = 0; at < bytes.length; at++) if (stored[at] !== bytes[at]) this.differs = true
  }
}
