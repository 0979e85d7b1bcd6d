// Loaded into every thread of a server before anything else, with `--import`: makes its workers sick as the environment says.
// The product knows nothing of it. A trigger is a file that is there or not, so that a test can turn an ailment on and off.
//
//     TEST_HOLD              while the file exists, workers stand still between two turns
//     TEST_LATE              while the file exists, worker 1 does not begin
//     TEST_DIE               when the file exists, a worker's next flush never returns, because the thread ends there
//     TEST_FULL              while the file exists, the file system says that it has a megabyte left
//     TEST_CLOCK_BEHIND_MS   the wall clock is so much behind

import fs, { existsSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { isMainThread, workerData } from 'node:worker_threads'

const EXIT_CODE = 7
const LOOK_EVERY_MS = 5
const BLOCK_BYTES = 4_096
const BLOCKS_LEFT = 256
const LATE_LANE = 1
const {
  TEST_HOLD: holdFile,
  TEST_LATE: lateFile,
  TEST_DIE: dieFile,
  TEST_FULL: fullFile,
  TEST_CLOCK_BEHIND_MS: clockBehindMs,
} = process.env

if (!isMainThread) {
  if (holdFile !== undefined) standStillWhile(holdFile)
  if (lateFile !== undefined && (workerData as { lane: number }).lane === LATE_LANE) standStill(lateFile)
  if (dieFile !== undefined) dieInFlushOnce(dieFile)
  if (fullFile !== undefined) seemFullWhile(fullFile)
  if (clockBehindMs !== undefined) putClockBack(Number(clockBehindMs))
  syncBuiltinESMExports()
}

function standStill(file: string): void {
  const cell = new Int32Array(new SharedArrayBuffer(4))
  while (existsSync(file)) Atomics.wait(cell, 0, 0, LOOK_EVERY_MS)
}

function standStillWhile(file: string): void {
  standStill(file)
  setInterval(() => standStill(file), LOOK_EVERY_MS).unref()
}

function dieInFlushOnce(file: string): void {
  const flush = fs.fdatasync
  fs.fdatasync = ((fd: number, done: fs.NoParamCallback): void => {
    if (existsSync(file)) process.exit(EXIT_CODE)
    flush(fd, done)
  }) as typeof fs.fdatasync
}

function seemFullWhile(file: string): void {
  const ask = fs.statfs
  const nearlyFull = (stats: fs.StatsFs): fs.StatsFs =>
    existsSync(file) ? Object.assign(stats, { bsize: BLOCK_BYTES, bavail: BLOCKS_LEFT }) : stats
  fs.statfs = ((path: string, done: (error: NodeJS.ErrnoException | null, stats: fs.StatsFs) => void): void => {
    ask(path, (error, stats) => done(error, nearlyFull(stats)))
  }) as typeof fs.statfs
}

function putClockBack(byMs: number): void {
  const now = Date.now
  Date.now = () => now() - byMs
}
