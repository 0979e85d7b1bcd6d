/**
 * The size and the CRC-32 of a whole file, kept in the seal of a segment. Check sums of records find whatever was changed in
 * what is read; this finds a byte that nobody reads, in the slack of a page or in a page that was given up.
 */

import { closeSync, openSync, readSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { crc32 } from 'node:zlib'

export interface FileSum {
  readonly bytes: number
  readonly crc32: number
}

const PIECE_BYTES = 1024 * 1024

/** Throws the error of the file system. */
export function fileSum(path: string): FileSum {
  const piece = Buffer.alloc(PIECE_BYTES)
  let bytes = 0
  let sum = 0
  const fd = openSync(path, 'r')
  try {
    for (let count = readSync(fd, piece); count > 0; count = readSync(fd, piece)) {
      sum = crc32(piece.subarray(0, count), sum)
      bytes += count
    }
  } finally {
    closeSync(fd)
  }
  return { bytes, crc32: sum }
}

/** The same a piece at a time, for a thread that has other things to do. */
export async function fileSumSlowly(path: string): Promise<FileSum> {
  const piece = Buffer.alloc(PIECE_BYTES)
  let bytes = 0
  let sum = 0
  const file = await open(path, 'r')
  try {
    for (;;) {
      const { bytesRead } = await file.read(piece, 0, PIECE_BYTES)
      if (bytesRead === 0) return { bytes, crc32: sum }
      sum = crc32(piece.subarray(0, bytesRead), sum)
      bytes += bytesRead
    }
  } finally {
    await file.close()
  }
}
