/**
 * Who calls, and what a role may do. The gateway knows only this port; keys and where they are kept stand behind it.
 *
 * Without an authenticator (authentication off, loopback only) everybody is `operations` and nameless.
 * Must never happen here: a credential in a log line or an answer.
 */
import { problem } from '../problem.ts'
import type { Problem } from '../problem.ts'

export const ROLES = ['checkout', 'marketing', 'operations'] as const
export type Role = (typeof ROLES)[number]

export interface Caller {
  readonly role: Role
  /** The key's name, for the log of who changed what; null without authentication. */
  readonly name: string | null
  /** The key's id, which no other key ever has: idempotency keys are apart by it. Null without authentication. */
  readonly keyId: string | null
}

export interface Authenticator {
  /** The caller of an `Authorization` header ('' where there was none); null: no valid key. */
  roleOf(authorizationHeader: string): Caller | null
}

export const ANYBODY: Caller = Object.freeze({ role: 'operations', name: null, keyId: null })

const UNAUTHENTICATED = problem('UNAUTHENTICATED', 'send an API key as "Authorization: Bearer <key>"')

/** The caller of this header, or why there is none. */
export function authenticate(authenticator: Authenticator, header: string): Caller | Problem {
  return authenticator.roleOf(header) ?? UNAUTHENTICATED
}

export function isProblem(value: Caller | Problem): value is Problem {
  return 'code' in value
}

/** FORBIDDEN unless the role is among those of the call; `operations` may do everything. */
export function forbidden(caller: Caller, roles: readonly Role[]): Problem | null {
  if (caller.role === 'operations' || roles.includes(caller.role)) return null
  return problem('FORBIDDEN', `this call needs a key of role ${roles.join(' or ')}; this key has role ${caller.role}`)
}
