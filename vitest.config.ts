// How the tests run. Every file gets a process of its own (pool `forks`): lmdb and uWebSockets.js are native, hold
// threads and file locks, and must not meet themselves in one process. Two at a time, because most tests start a server
// and load beside it, and two cores is what the promises are measured on. Nothing here may retry or skip a test.

import { defineConfig } from 'vitest/config'

const SECOND_MS = 1_000

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['dist/**', 'node_modules/**'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30 * SECOND_MS,
    hookTimeout: 30 * SECOND_MS,
    teardownTimeout: 10 * SECOND_MS,
    passWithNoTests: false,
    retry: 0,
  },
})
