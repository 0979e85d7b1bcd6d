/**
 * Up to which record of the segment being written a lane is known to be on disk, told to whoever reads along in another
 * thread or process. The file itself never proves it: a record stands in the system's cache before its flush returned.
 *
 *   <data>/lanes/00/durable    "TODM" · segment u32 · record u32 · crc u32 of the 12 bytes before       (little endian)
 *
 * Written behind the flush it tells of, never flushed, overwritten in place. So whatever stands in it is true, after a
 * crash too, and it may be behind: then a reader goes by the file itself (see log-follower.ts). A lane that has the next
 * commit at hand leaves it out, because that commit proves the one before it. A reader that meets a half-written mark
 * finds it by its check sum and has none.
 */

import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { laneDirectory } from './segment-files.ts'

const MARK_BYTES = 16
const MAGIC = 0x4d44_4f54

export interface DurableMark {
  readonly segment: number
  readonly record: number
}

function markPath(dataDir: string, lane: number): string {
  return join(laneDirectory(dataDir, lane), 'durable')
}

export class DurableMarkWriter {
  readonly #bytes = Buffer.alloc(MARK_BYTES)
  #fd: number

  /** Forgets what an earlier process left: its segments are sealed. Throws the error of the file system. */
  constructor(dataDir: string, lane: number) {
    this.#fd = openSync(markPath(dataDir, lane), constants.O_RDWR | constants.O_CREAT, 0o644)
    this.#bytes.writeUInt32LE(MAGIC, 0)
    this.write(0, 0)
  }

  /** Never throws: without a mark a reader is one commit behind, no more. */
  write(segment: number, record: number): void {
    if (this.#fd < 0) return
    const bytes = this.#bytes
    bytes.writeUInt32LE(segment, 4)
    bytes.writeUInt32LE(record, 8)
    bytes.writeUInt32LE(crc32(bytes.subarray(0, 12)), 12)
    try {
      writeSync(this.#fd, bytes, 0, MARK_BYTES, 0)
    } catch {
      this.close()
    }
  }

  close(): void {
    if (this.#fd >= 0) closeSync(this.#fd)
    this.#fd = -1
  }
}

/** Null when there is none, or none that is whole. */
export function readDurableMark(dataDir: string, lane: number): DurableMark | null {
  const bytes = Buffer.alloc(MARK_BYTES)
  let fd: number
  try {
    fd = openSync(markPath(dataDir, lane), 'r')
  } catch {
    return null
  }
  try {
    if (readSync(fd, bytes, 0, MARK_BYTES, 0) !== MARK_BYTES) return null
  } finally {
    closeSync(fd)
  }
  const isWhole = bytes.readUInt32LE(0) === MAGIC && bytes.readUInt32LE(12) === crc32(bytes.subarray(0, 12))
  return isWhole ? { segment: bytes.readUInt32LE(4), record: bytes.readUInt32LE(8) } : null
}
