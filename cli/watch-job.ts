/**
 * Watches a job of a server until it ends, with a bar.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { type ApiClient, ApiFailed } from './api-client.ts'
import { WorkBar } from './work-bar.ts'

const LOOK_EVERY_MS = 100

/** As `GET /jobs/{id}` shows it. */
export interface Job {
  readonly jobId: string
  readonly kind: string
  readonly state: 'QUEUED' | 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'CANCELLED'
  readonly processed: number
  readonly total: number
  readonly failed: number
  readonly ratePerSecond: number
  readonly etaSeconds: number | null
  readonly errors: readonly { readonly line: number; readonly code: string; readonly detail: string }[]
}

/** Settles with the job as it ended, however it did. `noun`: what is counted. Throws ApiFailed when nobody can be asked. */
export async function watchJob(api: ApiClient, jobId: string, noun: string): Promise<Job> {
  const bar = new WorkBar(noun)
  try {
    for (;;) {
      const job = (await api.get(`/v1/jobs/${jobId}`)) as unknown as Job
      const isOpen = job.state === 'QUEUED' || job.state === 'RUNNING'
      bar.show(job.processed, totalOf(job))
      if (!isOpen) return job
      await pause(LOOK_EVERY_MS)
    }
  } catch (error) {
    if (!(error instanceof ApiFailed)) throw error
    throw new ApiFailed(`${error.message}; ${jobId} goes on when the server runs`, { cause: error })
  } finally {
    bar.end()
  }
}

/** Of a file nobody knows the rows before its end; the time that the server says is left tells about how many. */
function totalOf({ total, processed, ratePerSecond, etaSeconds }: Job): number {
  if (total > 0 || etaSeconds === null) return total
  return processed + Math.round(ratePerSecond * etaSeconds)
}
