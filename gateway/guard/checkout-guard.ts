/**
 * The guard of checkout calls: what stands between a caller and the shards besides its role. Rate limits and the look-out for
 * guessing, for HTTP and WebSocket alike; one a gateway, and one small visit a call.
 *
 *     head ──▶ enter (address) ──▶ admit (user) ──▶ operation ──▶ wrong codes?
 *
 * Where refusals are uniform, an answer to wrong codes waits here for its moment (`uniform-refusals.ts`).
 *
 * Where both are off, a visit is a user id kept for the case that the code turns out to be wrong, and nothing else.
 */
import type { Caller } from '../access/authenticate.ts'
import type { Guessing } from './guessing.ts'
import type { CallGate } from '../operations/operations.ts'
import type { Problem } from '../problem.ts'
import { type RateLimits, type RateVisit, type Subject, SubjectHash } from './rate-limits.ts'
import { addressBytes, addressText } from '../http/remote-address.ts'
import type { UniformHold } from './uniform-refusals.ts'

/** Where a caller comes from. */
export interface Address {
  readonly bytes: Uint8Array
  readonly subject: Subject
}

interface GuardParts {
  readonly limits: RateLimits | null
  readonly guessing: Guessing
  readonly uniform: UniformHold | null
  /** So many bytes from a CSPRNG. */
  readonly random: (length: number) => Uint8Array
  /** Monotonic. */
  readonly nowMs: () => number
}

export class CheckoutGuard {
  /** null: switched off. */
  readonly limits: RateLimits | null
  readonly guessing: Guessing
  /** null: refusals are told as they are. */
  readonly uniform: UniformHold | null
  private readonly hash: SubjectHash
  private readonly nowMs: () => number

  constructor({ limits, guessing, uniform, random, nowMs }: GuardParts) {
    this.limits = limits
    this.guessing = guessing
    this.uniform = uniform
    this.hash = new SubjectHash(random)
    this.nowMs = nowMs
  }

  /** Where refusals of this caller wait for their moment; null: they do not. */
  holdFor(caller: Caller): UniformHold | null {
    return caller.role === 'checkout' ? this.uniform : null
  }

  /** Only where somebody waits for it. */
  arrivalMs(hold: UniformHold | null): number {
    return hold === null ? 0 : this.nowMs()
  }

  /** From what uWebSockets.js calls the remote address. */
  address(remote: ArrayBuffer): Address {
    const bytes = addressBytes(remote)
    return { bytes, subject: this.hash.ofAddress(bytes) }
  }

  user(userId: string): Subject {
    return this.hash.ofUser(userId)
  }
}

export class CheckoutVisit implements CallGate {
  private readonly guard: CheckoutGuard
  private readonly isKeyed: boolean
  private readonly hold: UniformHold | null
  private readonly arrivedMs: number
  private rates: RateVisit | null = null
  private userId: string | null = null

  /** When the call has come whole. */
  constructor(guard: CheckoutGuard, caller: Caller) {
    this.guard = guard
    this.isKeyed = caller.keyId !== null
    this.hold = guard.holdFor(caller)
    this.arrivedMs = guard.arrivalMs(this.hold)
  }

  /** Whether an answer to wrong codes says nothing about where and when it was made. */
  get isUniform(): boolean {
    return this.hold !== null
  }

  /** Tells an answer to wrong codes, now or at its moment. */
  tellWrong(tell: () => void): void {
    if (this.hold === null) tell()
    else this.hold.hold(this.arrivedMs, tell)
  }

  /** Where limits are on, before anything else of the call is looked at. null: it may go on. */
  enter(limits: RateLimits, { subject }: Address): Problem | null {
    this.rates = limits.visit(subject, this.isKeyed)
    return this.rates.admitAddress()
  }

  admit(userId: string | null): Problem | null {
    this.userId = userId
    if (this.rates === null || userId === null) return null
    return this.rates.admitUser(this.guard.user(userId))
  }

  /** The answer says of so many codes that they do not exist. A problem is told instead of it. */
  wrongCodes(count: number, address: Address | null): Problem | null {
    const { guard, userId, isKeyed } = this
    const { guessing } = guard
    if (userId !== null) guessing.ofUser(guard.user(userId), userId, count)
    if (address !== null) guessing.ofAddress(address.subject, () => addressText(address.bytes), isKeyed, count)
    return this.rates?.wrongCodes(count) ?? null
  }

  /** Header lines of limits; '' where they are off. */
  fields(): string {
    return this.rates?.fields() ?? ''
  }
}

/** The user that a body names, whatever the call; null where it names none. The call judges later whether it is one. */
export function userOfBody(body: unknown): string | null {
  if (typeof body !== 'object' || body === null) return null
  const { userId } = body as { readonly userId?: unknown }
  return typeof userId === 'string' ? userId : null
}

/** The same of a query. */
export function userOfQuery(query: string): string | null {
  return query.includes('userId=') ? new URLSearchParams(query).get('userId') : null
}
