// Loaded into every thread of a server with `--import`: the thread of the read model dies while the file of TEST_LISTS_DIE is there.

import { existsSync } from 'node:fs'
import { isMainThread, threadId, workerData } from 'node:worker_threads'

const LOOK_EVERY_MS = 5
const EXIT_CODE = 9
const file = process.env['TEST_LISTS_DIE']

if (!isMainThread && threadId > 0 && file !== undefined && !('lane' in (workerData as object))) {
  setInterval(() => {
    if (existsSync(file)) process.exit(EXIT_CODE)
  }, LOOK_EVERY_MS)
}
