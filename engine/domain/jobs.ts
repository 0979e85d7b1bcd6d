/**
 * Jobs as the state has them: what is to be done, and how far it has got.
 */
import { assert } from '../../protocol/assert.ts'
import type { JobEnd, JobError, JobPlan, JobState } from '../../protocol/jobs.ts'
import type { ShardState } from './state.ts'

export interface Job {
  readonly seq: number
  readonly plan: JobPlan
  processed: number
  failed: number
  total: number
  /** IMPORT: bytes of its file that are dealt with. */
  place: number
  /** 0: it waits for its turn. */
  begunAtMs: number
  /** 0: it has not ended. */
  endedAtMs: number
  end: JobEnd | null
  /** The first of them. */
  readonly errors: JobError[]
  /** Ordinal of its first code; 0: none yet. */
  firstOrdinal: number
  /** The next edge of its window that has no event yet; 0: none, or it has no window of its own. */
  edgeAtMs: number
}

export function stateOfJob({ end, begunAtMs }: Job): JobState {
  if (end !== null) return end
  return begunAtMs === 0 ? 'QUEUED' : 'RUNNING'
}

/** The job whose turn it is to make codes, or null. One after the other, so that a job's codes stand together. */
export function jobInTurn(state: ShardState): Job | null {
  for (const job of state.openJobs.values()) if (job.plan.kind !== 'IMPORT') return job
  return null
}

export function jobAt(state: ShardState, seq: number): Job {
  const job = state.jobs.get(seq)
  assert(job !== undefined, 'an event about a job that never began')
  return job
}
