/**
 * Codes that the engine makes up. The alphabet has 32 letters, so five bits of a random byte choose one and no letter is
 * likelier than another.
 */
import { GENERATED_CODE_LENGTH } from './limits.ts'
import { CODE_ALPHABET } from '../protocol/codes.ts'

/** `random` gives bytes from a CSPRNG. The chance of hitting a name of a path is nil: those have other lengths. */
export function generatedCode(random: (length: number) => Uint8Array): string {
  let code = ''
  for (const byte of random(GENERATED_CODE_LENGTH)) code += CODE_ALPHABET[byte & 31] as string
  return code
}
