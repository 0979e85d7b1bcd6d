/** A process that sleeps. SIGSTOP is only sent by `kill`: threads that run go on until each has met it. */
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'

const LOOK_MS = 2

/** Stops the process, and settles when no thread of it runs any more. SIGCONT wakes it up. */
export async function putToSleep(pid: number): Promise<void> {
  process.kill(pid, 'SIGSTOP')
  const tasks = `/proc/${pid}/task`
  // The state stands behind the name, which may hold anything but a bracket at its end.
  const isStopped = (task: string): boolean =>
    / T /.test(readFileSync(`${tasks}/${task}/stat`, 'utf8').replace(/^.*\)/, ''))
  while (!readdirSync(tasks).every(isStopped)) await wait(LOOK_MS)
}
