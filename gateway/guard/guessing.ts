/**
 * Guessing: somebody sends unusually many codes that do not exist. Told once a window and subject, of users and of addresses.
 *
 * Only answers to wrong codes come here, so it costs an ordinary call nothing. It looks on and refuses nothing (that is for
 * `rate-limits.ts`), and it is always on. Memory is fixed: both what is usual and what was told are token buckets.
 */
import {
  ADDRESS_GUESSES,
  GUESSERS_REMEMBERED,
  GUESSING_AGAIN,
  GUESSING_REPORTS,
  SERVICE_GUESSES,
  USER_GUESSES,
} from './guard-limits.ts'
import { quoted } from '../json/json-text.ts'
import type { Subject } from './rate-limits.ts'
import { TokenBuckets } from './token-buckets.ts'

/** Who guesses, and what was still usual. */
export interface Guesser {
  readonly by: 'user' | 'address'
  /** A user id or an address: personal, so for the feed of events and nowhere else. */
  readonly subject: string
  /** More wrong codes than this in `windowSeconds`. */
  readonly moreThan: number
  readonly windowSeconds: number
}

/** Members of the event, as JSON text without braces. */
export function guesserText({ by, subject, moreThan, windowSeconds }: Guesser): string {
  const who = by === 'user' ? 'userId' : 'address'
  return `"by":"${by}","${who}":${quoted(subject)},"moreThan":${moreThan},"windowSeconds":${windowSeconds}`
}

interface Watched {
  readonly usual: TokenBuckets
  readonly told: TokenBuckets
}

export class Guessing {
  /** Subjects found guessing, whether or not there was room to tell. */
  readonly found = { user: 0, address: 0 }
  /** Codes that did not exist. */
  wrongCodes = 0
  private readonly users = watched(USER_GUESSES)
  private readonly addresses = watched(ADDRESS_GUESSES)
  private readonly services = watched(SERVICE_GUESSES)
  private readonly reports = new TokenBuckets(GUESSING_REPORTS, 4)
  private readonly nowMs: () => number
  private readonly tell: (guesser: Guesser) => void

  /** `nowMs` is monotonic; `tell` is called at most as often as GUESSING_REPORTS says. */
  constructor(nowMs: () => number, tell: (guesser: Guesser) => void) {
    this.nowMs = nowMs
    this.tell = tell
  }

  ofUser(user: Subject, userId: string, wrongCodes: number): void {
    this.count('user', this.users, user, () => userId, wrongCodes)
  }

  /** `isKeyed`: with an API key, so many buyers may stand behind it. */
  ofAddress(address: Subject, text: () => string, isKeyed: boolean, wrongCodes: number): void {
    this.wrongCodes += wrongCodes
    this.count('address', isKeyed ? this.services : this.addresses, address, text, wrongCodes)
  }

  private count(by: 'user' | 'address', watched: Watched, subject: Subject, text: () => string, codes: number): void {
    const nowMs = this.nowMs()
    const { k0, k1 } = subject
    const { usual, told } = watched
    let isUsual = true
    for (let i = 0; i < codes && isUsual; i++) isUsual = usual.take(k0, k1, nowMs)
    if (isUsual || !told.take(k0, k1, nowMs)) return
    this.found[by]++
    if (!this.reports.take(0, 1, nowMs)) return
    const { tokens, windowSeconds } = usual.quota
    this.tell({ by, subject: text(), moreThan: tokens, windowSeconds })
  }
}

function watched(quota: TokenBuckets['quota']): Watched {
  return {
    usual: new TokenBuckets(quota, GUESSERS_REMEMBERED),
    told: new TokenBuckets(GUESSING_AGAIN, GUESSERS_REMEMBERED),
  }
}
