/**
 * Coupon codes: their canonical form, what is refused, and the alphabet of generated ones.
 *
 * The last two letters of a code are a number from 0 to 1023, added to the hash of the rest when a code is routed
 * (`engine/routing`): a generator picks them so that a code lands on its campaign's shard.
 */

/** Letters of generated codes: no I, O, 0 or 1, so 32 of them, 5 bits each. */
export const CODE_ALPHABET = 'ABCDEFGHJKLMNPQRSTUVWXYZ23456789'

const CODE_FORM = /^[A-Z0-9_-]{3,64}$/
const RESERVED_CODES: ReadonlySet<string> = new Set(['SEARCH', 'GENERATE', 'LOCKED', 'REDEEM'])

const ASCII = /^[\x20-\x7e]*$/

/**
 * Upper case without surrounding space: the only form in which codes are stored, compared and shown. Letters beyond ASCII
 * are left as they are, so that the form is refused: some of them have an ASCII letter as their upper case.
 */
export function canonicalCode(raw: string): string {
  const code = raw.trim()
  return ASCII.test(code) ? code.toUpperCase() : code
}

/** Why a canonical code cannot be created, as a sentence; null when it can. */
export function codeFault(code: string): string | null {
  if (!CODE_FORM.test(code)) return 'a code has 3 to 64 characters of A-Z, 0-9, _ and -'
  if (RESERVED_CODES.has(code)) return `${code} is the name of a path; choose another code`
  if (code.startsWith('CPN_')) return 'the prefix CPN_ belongs to coupon ids; choose another code'
  return null
}

const letterNumbers = new Uint8Array(128)
for (let unit = 0; unit < 128; unit++) {
  const index = CODE_ALPHABET.indexOf(String.fromCharCode(unit))
  letterNumbers[unit] = index >= 0 ? index : unit & 31
}

/** The number, 0 to 1023, of the last two letters of a code given as canonical ASCII bytes. */
export function lastLettersNumber(buf: Uint8Array, end: number): number {
  const high = letterNumbers[(buf[end - 2] as number) & 127] as number
  const low = letterNumbers[(buf[end - 1] as number) & 127] as number
  return high * 32 + low
}
