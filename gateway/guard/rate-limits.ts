/**
 * Rate limits of checkout calls: by user, by address, and stricter ones for wrong codes. Exists only where they are switched
 * on; elsewhere a call does not even ask for its address.
 *
 *     call ──▶ address ──▶ user ──▶ shard ──▶ answer ──▶ wrong codes are charged
 *                └── 429 ────┘                              └── with a key: 429 in their place, once there are too many
 *
 * Everything is O(1) and of fixed size (`token-buckets.ts`). Subjects are told apart by a keyed hash with a key of this
 * process, so nobody can find two users that share a bucket.
 *
 * The fields are those of draft-ietf-httpapi-ratelimit-headers-10: `RateLimit-Policy` says the quotas, `RateLimit` what is
 * left (`r`) and after how many seconds a quota is whole again (`t`).
 */
import {
  ADDRESS_CALLS,
  ADDRESS_WRONG_CODES,
  ADDRESSES_REMEMBERED,
  type Quota,
  SERVICE_CALLS,
  SERVICE_WRONG_CODES,
  USER_BYTES_MAX,
  USER_CALLS,
  USER_WRONG_CODES,
  USERS_REMEMBERED,
} from './guard-limits.ts'
import { type Problem, problem } from '../problem.ts'
import { TokenBuckets } from './token-buckets.ts'
import { Chaskey } from '../../engine/domain/key-hash.ts'

const DOMAIN_ADDRESS = 1
const DOMAIN_USER = 2

/** The two halves of a keyed hash that buckets are found by. */
export interface Subject {
  readonly k0: number
  readonly k1: number
}

/** Keyed hashes of users and addresses, with a key that this process drew. */
export class SubjectHash {
  private readonly chaskey: Chaskey
  private readonly scratch = Buffer.alloc(USER_BYTES_MAX)

  constructor(random: (length: number) => Uint8Array) {
    const bytes = random(16)
    const words = new DataView(bytes.buffer, bytes.byteOffset, 16)
    this.chaskey = new Chaskey(Int32Array.from([0, 4, 8, 12], (at) => words.getInt32(at, true)))
  }

  ofAddress(bytes: Uint8Array): Subject {
    return this.hashed(bytes, bytes.length, DOMAIN_ADDRESS)
  }

  /** A longer id than the contract allows counts by its beginning; the call is refused anyway. */
  ofUser(user: string): Subject {
    return this.hashed(this.scratch, this.scratch.write(user, 'utf8'), DOMAIN_USER)
  }

  private hashed(bytes: Uint8Array, length: number, domain: number): Subject {
    const { chaskey } = this
    chaskey.hash(bytes, 0, length, domain)
    return { k0: chaskey.k0, k1: chaskey.k1 }
  }
}

/** Quotas of callers with an API key, or of those without. */
interface AddressQuotas {
  readonly calls: TokenBuckets
  readonly wrongCodes: TokenBuckets
  /** Value of `RateLimit-Policy`. */
  readonly policy: string
}

export class RateLimits {
  /** Calls refused, by the name of the quota. */
  readonly refused = new Map<string, number>()
  readonly users = new TokenBuckets(USER_CALLS, USERS_REMEMBERED)
  readonly usersWrong = new TokenBuckets(USER_WRONG_CODES, USERS_REMEMBERED)
  private readonly withKey = addressQuotas(SERVICE_CALLS, SERVICE_WRONG_CODES)
  private readonly withoutKey = addressQuotas(ADDRESS_CALLS, ADDRESS_WRONG_CODES)
  private readonly nowMs: () => number

  /** `nowMs` is monotonic. */
  constructor(nowMs: () => number) {
    this.nowMs = nowMs
    for (const { name } of [USER_CALLS, USER_WRONG_CODES, ...ADDRESS_NAMES]) this.refused.set(name, 0)
  }

  visit(address: Subject, isKeyed: boolean): RateVisit {
    return new RateVisit(this, address, isKeyed ? this.withKey : this.withoutKey, isKeyed, this.nowMs())
  }

  /** RATE_LIMITED by this quota; the wait is that of its last look. */
  refuse(buckets: TokenBuckets): Problem {
    const { name } = buckets.quota
    this.refused.set(name, (this.refused.get(name) as number) + 1)
    const retryAfterSeconds = Math.max(1, Math.ceil(buckets.waitMs / 1_000))
    return { ...problem('RATE_LIMITED', DETAILS[name] as string), retryAfterSeconds }
  }

  now(): number {
    return this.nowMs()
  }
}

const ADDRESS_NAMES = [ADDRESS_CALLS, ADDRESS_WRONG_CODES, SERVICE_CALLS, SERVICE_WRONG_CODES]

const DETAILS: Readonly<Record<string, string>> = {
  [USER_CALLS.name]: 'nothing was done; too many calls for this user',
  [USER_WRONG_CODES.name]: 'nothing was done; too many wrong codes of this user',
  [ADDRESS_CALLS.name]: 'nothing was done; too many calls from this address',
  [ADDRESS_WRONG_CODES.name]: 'nothing was done; too many wrong codes from this address',
  [SERVICE_CALLS.name]: 'nothing was done; too many calls from this address',
  [SERVICE_WRONG_CODES.name]: 'nothing was done; too many wrong codes from this address',
}

function addressQuotas(calls: Quota, wrongCodes: Quota): AddressQuotas {
  return {
    calls: new TokenBuckets(calls, ADDRESSES_REMEMBERED),
    wrongCodes: new TokenBuckets(wrongCodes, ADDRESSES_REMEMBERED),
    policy: [USER_CALLS, calls, USER_WRONG_CODES, wrongCodes].map(policyText).join(', '),
  }
}

function policyText({ name, tokens, windowSeconds }: Quota): string {
  return `"${name}";q=${tokens};w=${windowSeconds}`
}

/** What an answer says of one quota. */
interface Noted {
  name: string
  left: number
  fullMs: number
}

/** One call and its limits, from its head to its answer. */
export class RateVisit {
  private readonly limits: RateLimits
  private readonly address: Subject
  private readonly quotas: AddressQuotas
  private readonly isKeyed: boolean
  private readonly nowMs: number
  private user: Subject | null = null
  private readonly noted: Noted[] = []

  constructor(limits: RateLimits, address: Subject, quotas: AddressQuotas, isKeyed: boolean, nowMs: number) {
    this.limits = limits
    this.address = address
    this.quotas = quotas
    this.isKeyed = isKeyed
    this.nowMs = nowMs
  }

  /** Before anything of the call is looked at. null: it may go on. */
  admitAddress(): Problem | null {
    const { address, quotas, limits, nowMs } = this
    const { calls, wrongCodes } = quotas
    const isAdmitted = calls.take(address.k0, address.k1, nowMs)
    this.note(calls)
    if (!isAdmitted) return limits.refuse(calls)
    if (this.isKeyed || wrongCodes.has(address.k0, address.k1, nowMs)) return null
    this.note(wrongCodes)
    return limits.refuse(wrongCodes)
  }

  /** Before the call reaches a shard. null: it may go on. */
  admitUser(user: Subject): Problem | null {
    const { limits, nowMs } = this
    const { users, usersWrong } = limits
    this.user = user
    const isAdmitted = users.take(user.k0, user.k1, nowMs)
    this.note(users)
    if (!isAdmitted) return limits.refuse(users)
    if (usersWrong.has(user.k0, user.k1, nowMs)) return null
    this.note(usersWrong)
    return limits.refuse(usersWrong)
  }

  /** The answer says of so many codes that they do not exist. A problem: the answer may not say so. */
  wrongCodes(count: number): Problem | null {
    const { limits, address, user, isKeyed } = this
    const { wrongCodes } = this.quotas
    const nowMs = limits.now()
    if (user !== null) {
      limits.usersWrong.charge(user.k0, user.k1, nowMs, count)
      this.note(limits.usersWrong)
    }
    const hadToken = !isKeyed || wrongCodes.has(address.k0, address.k1, nowMs)
    const refusal = hadToken ? null : limits.refuse(wrongCodes)
    wrongCodes.charge(address.k0, address.k1, nowMs, count)
    this.note(wrongCodes)
    return refusal
  }

  /** Header lines for the answer. */
  fields(): string {
    let text = `\r\nratelimit-policy: ${this.quotas.policy}\r\nratelimit: `
    for (let i = 0; i < this.noted.length; i++) {
      const { name, left, fullMs } = this.noted[i] as Noted
      text += `${i === 0 ? '' : ', '}"${name}";r=${left};t=${Math.ceil(fullMs / 1_000)}`
    }
    return text
  }

  /** Numbers now, and a text when there is an answer that says it. */
  private note({ quota, left, fullMs }: TokenBuckets): void {
    this.noted.push({ name: quota.name, left, fullMs })
  }
}
