/**
 * What crosses between the main thread and the thread of the read model: rare, so plain messages.
 */
import type { Found, Question } from './queries.ts'
import type { Listed } from '../gateway/read-model.ts'

export interface ProjectorSettings {
  readonly dataDir: string
}

export type ToProjector =
  | { readonly type: 'ask'; readonly id: number; readonly askedAtMs: number; readonly question: Question }
  | { readonly type: 'stop' }

export type Answer = Listed<Found['items'][number]>

export type FromProjector =
  | { readonly type: 'answer'; readonly id: number; readonly answer: Answer }
  /** The question could not be answered; the fault is in this program. */
  | { readonly type: 'failed'; readonly id: number; readonly message: string }
  /** Everything is projected that was durable at that moment of the wall clock. */
  | { readonly type: 'progress'; readonly asOfMs: number }
  /** The database was dropped, and is built anew from the log. */
  | { readonly type: 'rebuilding'; readonly reason: string }
  | { readonly type: 'stopped' }
