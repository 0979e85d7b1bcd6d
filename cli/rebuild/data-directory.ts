/**
 * A data directory as a tool finds it: its deployment, and whether a server works on it. Nothing here takes the lock or
 * writes: a tool may look at any time.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type Deployment, DEPLOYMENT_FILE, readDeployment } from '../../persistence/deployment.ts'
import { isAlive, type ProcessIdentity } from '../../persistence/process-identity.ts'
import { UsageFault } from './positions.ts'

const LOCK_FILE = 'process.lock'

export interface DataDirectory {
  readonly path: string
  readonly deployment: Deployment
  /** Process id of the server that works on it; null: nobody does. */
  readonly runningPid: number | null
}

/** Throws UsageFault where there is no data directory, JournalError where its deployment cannot be read. */
export function openDataDirectory(path: string): DataDirectory {
  if (!existsSync(join(path, DEPLOYMENT_FILE))) {
    throw new UsageFault(`${resolve(path)} is no data directory: it has no ${DEPLOYMENT_FILE}`)
  }
  return { path, deployment: readDeployment(path), runningPid: runningPidOf(path) }
}

function runningPidOf(path: string): number | null {
  try {
    const holder = JSON.parse(readFileSync(join(path, LOCK_FILE), 'utf8')) as Partial<ProcessIdentity>
    const { pid, startedAt, bootId } = holder
    if (typeof pid !== 'number' || typeof startedAt !== 'string' || typeof bootId !== 'string') return null
    return isAlive({ pid, startedAt, bootId }) ? pid : null
  } catch {
    // No lock, or one that was cut off by a crash of the machine: nobody is there.
    return null
  }
}
