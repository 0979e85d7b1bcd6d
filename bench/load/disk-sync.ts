// The raw tail of the disk: what one append of 4 KiB and its fdatasync take with nothing of ours in between.
//
// A durable answer cannot be faster than this, and the tail of a shared disk moves from minute to minute, so it is
// measured in the same run and printed beside every latency. The file is written full of zeros first: a sync that
// has to grow the file also commits the file system's journal and would measure something else.

import { closeSync, fdatasyncSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { latencyHistogram, summarise, type LatencySummary } from './latency.ts'

const BLOCK_BYTES = 4_096

/** Appends and syncs `count` blocks in a file of its own in the folder, which is removed afterwards. */
export function measureDiskSync(folder: string, count: number): LatencySummary {
  const path = join(folder, 'disk-sync.probe')
  const file = openSync(path, 'w')
  try {
    writeSync(file, Buffer.alloc(BLOCK_BYTES * count))
    fsyncSync(file)
    const block = Buffer.alloc(BLOCK_BYTES, 0x5a)
    const histogram = latencyHistogram()
    for (let index = 0; index < count; index++) {
      const startMs = performance.now()
      writeSync(file, block, 0, BLOCK_BYTES, index * BLOCK_BYTES)
      fdatasyncSync(file)
      histogram.recordValue(Math.round((performance.now() - startMs) * 1_000))
    }
    return summarise(histogram)
  } finally {
    closeSync(file)
    rmSync(path, { force: true })
  }
}
