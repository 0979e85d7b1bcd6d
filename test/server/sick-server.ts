// Servers that are sick on purpose, from outside: started with a module loaded first, or with a bound on the size of files.

import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PROJECT_ROOT } from '../support/project.ts'
import type { ServerOptions } from '../support/server-process.ts'

function loaded(name: string): string[] {
  return ['--import', join(PROJECT_ROOT, 'dist', 'test', 'server', `${name}.js`)]
}

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

/** Workers stand still while the trigger is set. */
export function holdable(trigger: Trigger): Pick<ServerOptions, 'nodeOptions' | 'env'> {
  return { nodeOptions: loaded('held-thread'), env: { TEST_HOLD: trigger.path } }
}

/** A worker ends in its next flush once the trigger is set. */
export function mortal(trigger: Trigger): Pick<ServerOptions, 'nodeOptions' | 'env'> {
  return { nodeOptions: loaded('dying-thread'), env: { TEST_DIE: trigger.path } }
}

/** No file may grow beyond so many blocks of 1,024 bytes: what a full disk looks like to a write. */
export function boundedFiles(blocks: number): Pick<ServerOptions, 'shell'> {
  return { shell: `ulimit -f ${blocks}` }
}
