// A load that the proof by crashes kills servers under: what it does with a server that serves, and what it knows afterwards.
//
//     connect ──▶ settle ──▶ check ──▶ prepare ──▶ begin … (the server dies) … ──▶ disconnect
//
// It keeps what it was told in a ledger of its own and never looks into the server's directory; that is the judge's part.

import type { ServerProcess } from '../support/server-process.ts'
import type { Way } from './deaths.ts'
import type { Facts, LogEnd } from './judge.ts'

export const LOADS = ['single', 'stacks', 'jobs', 'claims'] as const
export type LoadName = (typeof LOADS)[number]

/** Calls under way. */
export interface Work {
  /** Settles when nobody asks anything more; rejects with a Violation that somebody saw. */
  readonly done: Promise<void>
  /** Nobody begins anything more; what is under way is still answered. */
  readonly stop: () => void
}

/** Every call may throw a Violation. */
export interface CrashLoad {
  readonly name: LoadName
  /** Numbers of workers to choose from at each start. */
  readonly workers: readonly number[]
  /** A kill at a random moment comes within this time of load. */
  readonly loadMsMax: number
  /** Fail points that only this load comes to. */
  readonly ways: readonly Way[]
  /** Whether a job was begun, acknowledged, and not seen to end. */
  readonly isJobUnderWay: boolean
  connect(server: ServerProcess): Promise<void>
  disconnect(): void
  /** Asks again, on a quiet server, whatever was left without an answer. */
  settle(): Promise<void>
  /** Everything acknowledged is there as it was told. `isWhole`: all there ever was, not what is new and a sample. */
  check(isWhole: boolean): Promise<void>
  /** Makes what the next load needs. */
  prepare(round: number): Promise<void>
  begin(round: number): Work
  /** What has to be true of the log as it lies there now. */
  facts(end: LogEnd): Facts
  /** For the report. */
  counts(): Readonly<Record<string, number>>
}
