// A server whose wall clock a test sets forward and back while it runs: see children/moved-clock.c, which is compiled here.

import { execFileSync } from 'node:child_process'
import { closeSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { PROJECT_ROOT } from '../support/project.ts'
import type { ServerOptions } from '../support/server-process.ts'

const SOURCE = join(PROJECT_ROOT, 'test', 'power', 'children', 'moved-clock.c')
const NS_PER_MS = 1_000_000n

export class MovedClock {
  private readonly file: string
  private readonly library: string
  private readonly fd: number

  /** Compiles into `directory`. */
  constructor(directory: string) {
    this.file = join(directory, 'clock')
    this.library = join(directory, 'moved-clock.so')
    execFileSync('cc', ['-shared', '-fPIC', '-O1', '-Wall', '-Werror', '-o', this.library, SOURCE], { stdio: 'pipe' })
    this.fd = openSync(this.file, 'w')
    this.moveTo(0)
  }

  /** So much away from the machine's, from now on. */
  moveTo(offsetMs: number): void {
    const bytes = Buffer.alloc(8)
    bytes.writeBigInt64LE(BigInt(offsetMs) * NS_PER_MS)
    writeSync(this.fd, bytes, 0, bytes.length, 0)
  }

  get server(): Pick<ServerOptions, 'env'> {
    return { env: { LD_PRELOAD: this.library, MOVED_CLOCK_FILE: this.file } }
  }

  close(): void {
    closeSync(this.fd)
  }
}

/** Whether this machine has a C compiler with the headers of the C library. */
export function canCompile(): boolean {
  try {
    const source = '#include <time.h>\nint main(void) { return time(0) == 0; }\n'
    execFileSync('cc', ['-x', 'c', '-fsyntax-only', '-'], { input: source, stdio: 'pipe' })
    return true
  } catch {
    return false
  }
}
