/**
 * Makes the calling thread one that runs only when nobody else wants the processor.
 *
 * The lowest nice value is not enough: a thread that has begun keeps the processor for its slice, some milliseconds, and a
 * checkout that wakes meanwhile waits for it. Under Linux's idle policy whoever wakes takes the processor at once (sched(7)).
 * Node has no call for it, so `chrt` (util-linux) makes it; where that is missing, the nice value stands.
 */
import { execFile } from 'node:child_process'
import { readlinkSync } from 'node:fs'
import { constants, setPriority } from 'node:os'

/**
 * On Linux priorities belong to threads; elsewhere to the whole process, which is not what is wanted. Starts a process, which
 * copies the tables of this one's memory: to be called while that is small.
 */
export function becomeIdle(): void {
  if (process.platform !== 'linux') return
  setPriority(0, constants.priority.PRIORITY_LOW)
  const [, thread] = /\/task\/(\d+)$/.exec(readlinkSync('/proc/thread-self')) ?? []
  if (thread !== undefined) execFile('chrt', ['--idle', '--pid', '0', thread], () => undefined)
}

/**
 * New space of a thread that works in the background, MiB. V8 takes three times 16 of each busy thread by itself; with six of
 * them that is more memory than a million coupons need.
 */
export const BACKGROUND_NEW_SPACE_MIB = 8
