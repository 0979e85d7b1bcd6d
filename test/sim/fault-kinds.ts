/** The kinds of faults that a large number of seeds must have met, by the names under which the world counts them. */
import type { Mode } from './steps.ts'

const EVERYWHERE = [
  'crash',
  'power cut',
  'crash during recovery',
  'commit under way at a crash: KEPT',
  'commit under way at a crash: LOST',
  'commit under way at a crash: TORN',
  'torn record left out',
  'EIO at put',
  'EIO at flush',
  'disk full at put',
  'disk nearly full',
  'slow flushes',
  'flush given up',
  'bit flipped at rest',
  'clock jumps ahead',
  'clock jumps back',
  'clock differed',
  'start waits for the clock',
  'start refused: clock behind the log',
  'snapshot',
  'died at lane.flush-begins',
  'died at lane.flush-ended',
  'died at sweep.logged',
  'died at job.codes-made',
  'died at stack.prepared',
  'died at stack.branch-prepared',
  'died at stack.decided',
  'died at stack.branch-settled',
  'died at stack.delivered',
] as const

const BETWEEN_MACHINES = [
  'died at stack.aborted',
  'partition',
  'frame lost',
  'frame lost in a partition',
  'frame doubled',
  'frame overtaken',
] as const

export function faultKindsMissing(mode: Mode, counts: Readonly<Record<string, number>>): string[] {
  const wanted = mode === 'network' ? [...EVERYWHERE, ...BETWEEN_MACHINES] : EVERYWHERE
  return wanted.filter((what) => (counts[what] ?? 0) === 0)
}
