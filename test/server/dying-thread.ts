// Loaded into every thread of a server before anything else: when the file named by TEST_DIE exists, a worker's next flush
// never returns because the thread ends there, with a call in flight that waits for it.

import fs, { existsSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { isMainThread } from 'node:worker_threads'

const EXIT_CODE = 7
const dieFile = process.env['TEST_DIE'] ?? ''

if (!isMainThread) {
  const flush = fs.fdatasync
  fs.fdatasync = ((fd: number, done: fs.NoParamCallback): void => {
    if (existsSync(dieFile)) process.exit(EXIT_CODE)
    flush(fd, done)
  }) as typeof fs.fdatasync
  syncBuiltinESMExports()
}
