/**
 * One process a data directory. Two processes that append to one log would each be right and together be wrong, so
 * the second one is turned away before it reads anything.
 *
 * The lock is a file that names its holder. It is put in place by a hard link, which fails when there is one already.
 * A lock whose holder no longer lives (killed, or the machine was restarted) is taken over: it is first renamed, which
 * only one of several contenders can do, and then looked at again, so that nobody removes a lock taken meanwhile.
 */

import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeDirectoryDurably } from './durable-file.ts'
import { JournalError } from './errors.ts'
import { currentProcess, isAlive, type ProcessIdentity } from './process-identity.ts'

export interface DirectoryLock {
  /** Gives the directory free; may be called more than once. */
  release(): void
}

const LOCK_FILE = 'process.lock'
const ATTEMPTS_MAX = 16

/** Throws `DIRECTORY_IN_USE` with the holder's process id; makes the directory when there is none. */
export function lockDirectory(dataDir: string): DirectoryLock {
  makeDirectoryDurably(dataDir)
  const path = join(dataDir, LOCK_FILE)
  const draft = `${path}.${process.pid}.draft`
  const content = JSON.stringify(currentProcess())
  writeFileSync(draft, content)
  try {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      if (placed(draft, path)) return lockAt(path, content)
      const found = readLock(path)
      if (found === null) continue
      const holder = holderOf(found)
      if (holder !== null && isAlive(holder)) throw inUse(dataDir, holder.pid)
      removeStale(path, found)
    }
  } finally {
    rmSync(draft, { force: true })
  }
  throw new JournalError('DIRECTORY_IN_USE', `several processes want the data directory ${dataDir} at once: start one`)
}

function lockAt(path: string, content: string): DirectoryLock {
  return {
    release() {
      if (readLock(path) === content) rmSync(path, { force: true })
    },
  }
}

function inUse(dataDir: string, pid: number): JournalError {
  return new JournalError(
    'DIRECTORY_IN_USE',
    `the data directory ${dataDir} is in use by process ${pid}: stop that process, or start with another directory`,
  )
}

function placed(draft: string, path: string): boolean {
  try {
    linkSync(draft, path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

function readLock(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

/** Null when the file names nobody: it was cut off by a crash of the machine, so its writer is gone. */
function holderOf(content: string): ProcessIdentity | null {
  try {
    const { pid, startedAt, bootId } = JSON.parse(content) as Partial<ProcessIdentity>
    if (typeof pid !== 'number' || typeof startedAt !== 'string' || typeof bootId !== 'string') return null
    return { pid, startedAt, bootId }
  } catch {
    return null
  }
}

function removeStale(path: string, stale: string): void {
  const aside = `${path}.${process.pid}.stale`
  try {
    renameSync(path, aside)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw error
  }
  // Somebody was faster and it is a living lock that was moved: put it back.
  if (readLock(aside) !== stale) placed(aside, path)
  rmSync(aside, { force: true })
}
