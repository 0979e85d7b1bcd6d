/**
 * Which run of which process wrote a file. A process id alone comes back after a while, so it is joined with the moment
 * the process started and with the boot it ran under, as Linux tells them. Where /proc is missing both are empty and
 * only the process id is left: then a recycled id can look like a living owner, never the other way round.
 */

import { readFileSync } from 'node:fs'

export interface ProcessIdentity {
  readonly pid: number
  /** Ticks since boot, as in field 22 of /proc/<pid>/stat; empty where unknown. */
  readonly startedAt: string
  /** Empty where unknown. */
  readonly bootId: string
}

/** Of this process. */
export function currentProcess(): ProcessIdentity {
  return { pid: process.pid, startedAt: startOf(process.pid) ?? '', bootId: currentBootId() }
}

/** Empty where the system does not tell. */
function currentBootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return ''
  }
}

export function sameProcess(a: ProcessIdentity, b: ProcessIdentity): boolean {
  return a.pid === b.pid && a.startedAt === b.startedAt && a.bootId === b.bootId
}

/** Whether that run of the process still lives. */
export function isAlive(identity: ProcessIdentity): boolean {
  const bootId = currentBootId()
  if (identity.bootId !== '' && bootId !== '' && identity.bootId !== bootId) return false
  const startedAt = startOf(identity.pid)
  if (startedAt !== null && identity.startedAt !== '') return startedAt === identity.startedAt
  try {
    process.kill(identity.pid, 0)
    return true
  } catch (error) {
    // EPERM: it lives and belongs to somebody else.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Null when there is no such process, or no /proc. A zombie has ended: its files are closed. */
function startOf(pid: number): string | null {
  let stat: string
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch {
    return null
  }
  // The name in the second field may hold spaces and brackets: count from behind its last bracket.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields[0] === 'Z' || fields[0] === 'X' ? null : (fields[19] ?? null)
}
