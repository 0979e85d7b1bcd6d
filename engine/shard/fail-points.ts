/**
 * Fail points: named places where a test ends the process, to see that the next start finds nothing half done.
 *
 *     FAILPOINTS=stack.decided:flushed:3        the third time: when the flush that covers it returned, before anything leaves
 *     FAILPOINTS=stack.decided:now:1            the first time, at once: the event is in memory and not on disk
 *
 * Every thread counts for itself. `flushed` means something where events are appended: stack.*, sweep.* and job.codes-made.
 *
 * Without that variable a fail point is one comparison. It is no setting of the product, so it has no TEAROFF_ name. A
 * simulator, whose processes are objects, arms them itself and says how one of its processes dies.
 */

export const FAIL_POINTS = [
  'lane.flush-begins',
  'lane.flush-ended',
  'sweep.logged',
  'job.codes-made',
  'stack.prepared',
  'stack.branch-prepared',
  'stack.decided',
  'stack.aborted',
  'stack.branch-settled',
  'stack.delivered',
  'snapshot.half-written',
  'snapshot.written',
  'snapshot.all-written',
  'archive.small-files',
  'archive.copied',
  'archive.moved',
  'archive.removed',
  'job.rows-put',
  'job.rows-reported',
  'recovery.snapshots-read',
  'recovery.entry-replayed',
  'recovery.replayed',
] as const
export type FailPoint = (typeof FAIL_POINTS)[number]

interface Armed {
  readonly point: FailPoint
  readonly when: 'now' | 'flushed'
  left: number
  /** Does not return. */
  readonly die: () => void
}

let armed: Armed | null = parse(process.env['FAILPOINTS'])
let diesAtFlush = false

function parse(text: string | undefined): Armed | null {
  if (text === undefined || text === '') return null
  const [point, when, times] = text.split(':')
  const known = FAIL_POINTS.find((each) => each === point)
  if (known === undefined || (when !== 'now' && when !== 'flushed') || !(Number(times) >= 1)) {
    throw new Error(`FAILPOINTS=${text} is not NAME:now|flushed:TIMES with a name of ${FAIL_POINTS.join(', ')}`)
  }
  return { point: known, when, left: Number(times), die: () => process.kill(process.pid, 'SIGKILL') }
}

/** Instead of the variable; null: none any more. `die` must not return. */
export function armFailPoint(plan: Readonly<Armed> | null): void {
  armed = plan === null ? null : { ...plan }
  diesAtFlush = false
}

export function failPoint(point: FailPoint): void {
  if (armed === null || armed.point !== point) return
  armed.left--
  if (armed.left !== 0) return
  if (armed.when === 'now') armed.die()
  else diesAtFlush = true
}

/** A flush has returned; nothing of what it covers has left. */
export function failAfterFlush(): void {
  if (diesAtFlush) armed?.die()
}
