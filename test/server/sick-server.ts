// Servers that are sick on purpose, from outside: started with a module that is loaded first (sick-thread.ts), or with a
// bound on the size of files.

import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PROJECT_ROOT } from '../support/project.ts'
import type { ServerOptions } from '../support/server-process.ts'

const SICK_THREAD = join(PROJECT_ROOT, 'dist', 'test', 'server', 'sick-thread.js')

/** A file that is there or not: how a test speaks to the threads of a server. */
export class Trigger {
  readonly path: string

  constructor(directory: string) {
    this.path = join(directory, 'trigger')
  }

  set(): void {
    writeFileSync(this.path, '')
  }

  clear(): void {
    rmSync(this.path, { force: true })
  }
}

type Ailment = 'TEST_HOLD' | 'TEST_LATE' | 'TEST_DIE' | 'TEST_FULL'

/** A server with this ailment while the trigger is set. */
export function sick(ailment: Ailment, trigger: Trigger): Pick<ServerOptions, 'nodeOptions' | 'env'> {
  return { nodeOptions: ['--import', SICK_THREAD], env: { [ailment]: trigger.path } }
}

/** A server whose workers' wall clock is behind. */
export function clockBehind(byMs: number): Pick<ServerOptions, 'nodeOptions' | 'env'> {
  return { nodeOptions: ['--import', SICK_THREAD], env: { TEST_CLOCK_BEHIND_MS: String(byMs) } }
}

/** No file may grow beyond so many blocks of 1,024 bytes: what a full disk looks like to a write. */
export function boundedFiles(blocks: number): Pick<ServerOptions, 'shell'> {
  return { shell: `ulimit -f ${blocks}` }
}
