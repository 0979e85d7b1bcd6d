/**
 * What crosses between the main thread and the threads of the read model: rare, so plain messages.
 */
import type { Found, Question } from './queries.ts'
import type { FromThread, ToThread } from '../engine/thread-messages.ts'
import type { Listed } from '../gateway/lists/read-model.ts'
import type { SearchPage, SearchQuestion } from '../gateway/lists/search-port.ts'

export interface ProjectorSettings {
  readonly dataDir: string
}

export type Answer = Listed<Found['items'][number]>

export type ToldByProjector =
  /** Everything is projected that was durable at that moment of the wall clock. */
  | { readonly type: 'progress'; readonly asOfMs: number }
  /** The database was dropped, and is built anew from the log. */
  | { readonly type: 'rebuilding'; readonly reason: string }

export type ToProjector = ToThread<Question, never>
export type FromProjector = FromThread<Answer, ToldByProjector>

export interface SearchSettings {
  readonly dataDir: string
}

export type TellSearch =
  /** The database holds everything of that moment. */
  | { readonly type: 'progress'; readonly asOfMs: number }
  /** It is another database now. */
  | { readonly type: 'reopen' }

export type ToldBySearch =
  | { readonly type: 'loaded'; readonly entries: number; readonly tookMs: number }
  /** What the index takes now; told while it grows. */
  | { readonly type: 'size'; readonly bytes: number }

export type ToSearch = ToThread<SearchQuestion, TellSearch>
export type FromSearch = FromThread<SearchPage, ToldBySearch>
