/**
 * UTF-8 of ids as bytes: is it valid, and how many characters has it? Answered without making a string, because the
 * ids of a frame of columns never become one.
 *
 * Valid is what RFC 3629 says: no overlong forms, no surrogates, nothing above U+10FFFF. A character is a code point,
 * so that a limit of 128 means the same for bytes here and for strings elsewhere.
 */

/** Characters in `buf[start, end)`; -1 when it is not valid UTF-8. */
export function utf8Characters(buf: Uint8Array, start: number, end: number): number {
  let characters = 0
  let at = start
  while (at < end) {
    const lead = buf[at] as number
    const length = lead < 0x80 ? 1 : sequenceLength(lead)
    if (length === 0 || at + length > end) return -1
    if (length > 1 && !isSequence(buf, at, lead, length)) return -1
    at += length
    characters += 1
  }
  return characters
}

/** Characters of a string (code points), or -1 when it has a lone surrogate and so no UTF-8. */
export function characters(text: string): number {
  if (!text.isWellFormed()) return -1
  let count = text.length
  for (let i = 0; i < text.length; i++) if ((text.charCodeAt(i) & 0xfc00) === 0xd800) count -= 1
  return count
}

/** Bytes of the sequence that begins with `lead`; 0 when none does. */
function sequenceLength(lead: number): number {
  if (lead < 0xc2) return 0
  if (lead < 0xe0) return 2
  if (lead < 0xf0) return 3
  return lead < 0xf5 ? 4 : 0
}

function isSequence(buf: Uint8Array, at: number, lead: number, length: number): boolean {
  const second = buf[at + 1] as number
  // The second byte's range is what shuts out overlong forms, surrogates and what lies above U+10FFFF.
  const from = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80
  const to = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf
  if (second < from || second > to) return false
  for (let i = 2; i < length; i++) if (((buf[at + i] as number) & 0xc0) !== 0x80) return false
  return true
}
