/**
 * A job as its owners see it. Rate and time left are made here, from how far it has got in how long.
 */
import { quoted } from '../json/json-text.ts'
import { formatId } from '../../protocol/ids.ts'
import type { JobOutcome } from '../../protocol/outcomes.ts'

/** `nowMs` is the shard's time of the answer. */
export function jobText(shard: number, job: JobOutcome, nowMs: number): string {
  const { jobSeq, kind, state, processed, total, failed, errors } = job
  const shownErrors = errors.map(
    ({ line, code, detail }) => `{"line":${line},"code":${quoted(code)},"detail":${quoted(detail)}}`,
  )
  const elapsedMs = elapsedOf(job, nowMs)
  const rate = elapsedMs === 0 ? 0 : Math.round((processed * 1_000) / elapsedMs)
  return (
    `{"jobId":"${formatId('job_', shard, jobSeq)}","kind":"${kind}","state":"${state}","processed":${processed},` +
    `"total":${total},"failed":${failed},"ratePerSecond":${rate},"etaSeconds":${etaText(job, elapsedMs)},` +
    `"errors":[${shownErrors.join(',')}]}`
  )
}

/** 0: it has not begun. */
function elapsedOf({ begunAtMs, endedAtMs }: JobOutcome, nowMs: number): number {
  return begunAtMs === 0 ? 0 : Math.max(1, (endedAtMs === 0 ? nowMs : endedAtMs) - begunAtMs)
}

/** null: nobody can tell yet. How far an import is says the place in its file: its rows are counted only as they are read. */
function etaText({ kind, processed, total, place, bytes, endedAtMs }: JobOutcome, elapsedMs: number): string {
  if (endedAtMs !== 0) return '0'
  const [done, whole] = kind === 'IMPORT' ? [place, bytes] : [processed, total]
  return done === 0 ? 'null' : String(Math.ceil((Math.max(0, whole - done) * elapsedMs) / (done * 1_000)))
}
