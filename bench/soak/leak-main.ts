// Loaded before the product (`node --import`): its gateway keeps so much more memory every second, for ever. Planted to see that
// the judge of a soak finds a leak. Nobody else has a use for it.
//
//     SOAK_LEAK_MB_PER_MINUTE   how much

import { isMainThread } from 'node:worker_threads'

const { SOAK_LEAK_MB_PER_MINUTE: perMinute = '0' } = process.env
const bytesPerSecond = Math.round((Number(perMinute) * 1_000_000) / 60)
const kept: Buffer[] = []

// Filled, because memory that nobody has written to is none yet.
if (isMainThread && bytesPerSecond > 0) setInterval(() => kept.push(Buffer.alloc(bytesPerSecond, 1)), 1_000).unref()
