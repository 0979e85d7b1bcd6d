/**
 * RFC 7396 within a member that is an object itself: a patch of it changes the members it names, null removes one. Such members
 * hold texts, numbers and lists only, so one level is all there is.
 */
import type { JsonObject } from './decode-fields.ts'

/** `present` after the patch. What is no object replaces it, and is refused by whoever decodes it. */
export function mergedObject(present: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch
  const merged = new Map(Object.entries((present ?? {}) as JsonObject))
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) merged.delete(key)
    else merged.set(key, value)
  }
  return Object.fromEntries(merged)
}
