/**
 * The generated alphabet by byte: the five bits of a letter, and the letter of five bits.
 */
import { CODE_ALPHABET } from '../../../protocol/codes.ts'

export const LETTER_OF = Uint8Array.from(CODE_ALPHABET, (letter) => letter.charCodeAt(0))

/** -1: a letter of no generated code. */
export const VALUE_OF = new Int8Array(256).fill(-1)
for (let value = 0; value < LETTER_OF.length; value++) VALUE_OF[LETTER_OF[value] as number] = value
