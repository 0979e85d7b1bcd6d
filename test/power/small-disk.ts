// A disk of a size that a test chooses and changes: a tmpfs, mounted below a temporary folder. Needs the right to mount.

import { execFileSync } from 'node:child_process'
import { statfsSync } from 'node:fs'
import { removeDirectory, temporaryDirectory } from '../support/temporary-directory.ts'

const KIB = 1_024
const REFUSALS_MAX = 200

export class SmallDisk {
  readonly path: string
  private isMounted: boolean

  /** Throws where mounting is not permitted. */
  constructor(bytes: number) {
    this.path = temporaryDirectory('disk')
    try {
      mount(['-t', 'tmpfs', '-o', `size=${kibOf(bytes)}`, 'tmpfs', this.path])
    } catch (error) {
      removeDirectory(this.path)
      throw error
    }
    this.isMounted = true
  }

  get freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.path)
    return bavail * bsize
  }

  /** Takes room away or gives it, under whoever writes there; throws when the disk refuses again and again. */
  leaveFree(bytes: number): void {
    for (let refusals = 0; ; refusals++) {
      const { blocks, bfree, bsize } = statfsSync(this.path)
      try {
        mount(['-o', `remount,size=${kibOf((blocks - bfree) * bsize + bytes)}`, this.path])
        return
      } catch (error) {
        // A tmpfs refuses a size below what it holds: a writer may have been faster since the look.
        if (refusals === REFUSALS_MAX) throw error
      }
    }
  }

  /** For the end of a test: may be called more than once. */
  unmount(): void {
    if (!this.isMounted) return
    this.isMounted = false
    execFileSync('umount', [this.path], { stdio: 'pipe' })
    removeDirectory(this.path)
  }
}

export function canMount(): boolean {
  try {
    new SmallDisk(KIB * KIB).unmount()
    return true
  } catch {
    return false
  }
}

function mount(args: readonly string[]): void {
  execFileSync('mount', args, { stdio: 'pipe' })
}

function kibOf(bytes: number): string {
  return `${Math.floor(bytes / KIB)}k`
}
