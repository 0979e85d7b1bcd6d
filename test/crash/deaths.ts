// Where and when a process was killed, counted, so that a long run can say what it has shown and what it has not.
//
//     start ──▶ recovery (the log is replayed) ──▶ serving, with snapshots, archiving and jobs in the background
//
// A kill at a fail point belongs to the phase that the point lies in. One at a random moment belongs to what was under way by the
// server's own words: not listening yet, not ready yet, a job acknowledged and not ended, and otherwise serving.

import { FAIL_POINTS, type FailPoint } from '../../engine/shard/fail-points.ts'

export const PHASES = ['start', 'recovery', 'serving', 'snapshot', 'archive', 'job'] as const
export type Phase = (typeof PHASES)[number]

/** One way to die at a fail point. */
export interface Way {
  readonly point: FailPoint
  /** flushed: its event is on disk, and nobody has heard of it. */
  readonly when: 'now' | 'flushed'
  /** It happens the first, the second … or this time. */
  readonly timesMax: number
}

/** These are met only where the archive lies on another disk. */
export const OTHER_DISK_POINTS: ReadonlySet<FailPoint> = new Set<FailPoint>(['archive.copied', 'archive.removed'])

/** While the log is replayed. */
export const RECOVERY_WAYS: readonly Way[] = [
  { point: 'recovery.snapshots-read', when: 'now', timesMax: 1 },
  { point: 'recovery.entry-replayed', when: 'now', timesMax: 30 },
  { point: 'recovery.replayed', when: 'now', timesMax: 1 },
]

/** Snapshots and archiving, under whatever load. */
export const BACKGROUND_WAYS: readonly Way[] = [
  { point: 'snapshot.half-written', when: 'now', timesMax: 4 },
  { point: 'archive.small-files', when: 'now', timesMax: 2 },
  { point: 'snapshot.all-written', when: 'now', timesMax: 1 },
  { point: 'archive.moved', when: 'now', timesMax: 2 },
  { point: 'snapshot.written', when: 'now', timesMax: 4 },
  { point: 'archive.copied', when: 'now', timesMax: 2 },
  { point: 'archive.removed', when: 'now', timesMax: 2 },
]

export function phaseOf(point: FailPoint): Phase {
  const [head = ''] = point.split('.')
  if (head === 'stack' || head === 'lane' || head === 'sweep') return 'serving'
  const phase = PHASES.find((each) => each === head)
  if (phase === undefined) throw new Error(`${point} lies in no phase`)
  return phase
}

/** Kills, as it crosses to another process. */
export interface DeathCounts {
  readonly phases: Readonly<Record<string, number>>
  /** By `point:when`. */
  readonly points: Readonly<Record<string, number>>
}

export class Deaths implements DeathCounts {
  readonly phases: Record<string, number> = {}
  readonly points: Record<string, number> = {}

  /** Kills of all kinds. */
  get kills(): number {
    return Object.values(this.phases).reduce((sum, count) => sum + count, 0)
  }

  get atPoints(): number {
    return Object.values(this.points).reduce((sum, count) => sum + count, 0)
  }

  during(phase: Phase): void {
    this.add(this.phases, phase, 1)
  }

  at({ point, when }: Way): void {
    this.during(phaseOf(point))
    this.add(this.points, `${point}:${when}`, 1)
  }

  merge({ phases, points }: DeathCounts): void {
    for (const [phase, count] of Object.entries(phases)) this.add(this.phases, phase, count)
    for (const [point, count] of Object.entries(points)) this.add(this.points, point, count)
  }

  /** Phases and fail points without a single kill. */
  neverReached(points: readonly FailPoint[] = FAIL_POINTS): string[] {
    const met = new Set(Object.keys(this.points).map((name) => name.slice(0, name.lastIndexOf(':'))))
    return [...PHASES.filter((phase) => (this.phases[phase] ?? 0) === 0), ...points.filter((point) => !met.has(point))]
  }

  private add(counts: Record<string, number>, name: string, by: number): void {
    counts[name] = (counts[name] ?? 0) + by
  }
}
