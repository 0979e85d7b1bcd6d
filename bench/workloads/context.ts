// What every workload is given: which build to measure, with which tool, and where to say what it is doing.

import { rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { LoadTool } from '../load/closed-loop.ts'

export interface BenchContext {
  /** The built entry of the product. */
  readonly productEntry: string
  readonly loadTool: LoadTool
  /** For arrivals and draws; printed, so that a run can be repeated. */
  readonly seed: number
  readonly say: (line: string) => void
}

/** Runs with a folder under the system's temporary one, which is removed whatever happens, an interrupt included. */
export async function withScratch<Result>(run: (folder: string) => Promise<Result>): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), 'tearoff-bench-'))
  const removeNow = (): void => rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
  process.once('exit', removeNow)
  try {
    return await run(folder)
  } finally {
    process.off('exit', removeNow)
    await rm(folder, { recursive: true, force: true })
  }
}
