/**
 * What crosses between the main thread and a thread that answers questions (`thread-host.ts`): rare, so plain messages.
 */

export type ToThread<Question, Tell> =
  | { readonly type: 'ask'; readonly id: number; readonly askedAtMs: number; readonly question: Question }
  | { readonly type: 'tell'; readonly message: Tell }
  | { readonly type: 'stop' }

export type FromThread<Answer, Told> =
  | { readonly type: 'answer'; readonly id: number; readonly answer: Answer }
  /** It cannot be answered now; it will be. */
  | { readonly type: 'refused'; readonly id: number; readonly reason: string }
  /** The question could not be answered; the fault is in this program. */
  | { readonly type: 'failed'; readonly id: number; readonly message: string }
  | { readonly type: 'told'; readonly message: Told }
  | { readonly type: 'stopped' }
