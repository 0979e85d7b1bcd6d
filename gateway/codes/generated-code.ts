/**
 * Codes that the engine makes up. The alphabet has 32 letters, so five bits of a random byte choose one and no letter is
 * likelier than another.
 */
import { GENERATED_CODE_LENGTH } from '../limits.ts'
import type { Router } from '../../engine/routing.ts'
import { bytesOf } from '../../protocol/bytes.ts'
import { CODE_ALPHABET } from '../../protocol/codes.ts'

/** `random` gives bytes from a CSPRNG. The chance of hitting a name of a path is nil: those have other lengths. */
export function generatedCode(random: (length: number) => Uint8Array): string {
  let code = ''
  for (const byte of random(GENERATED_CODE_LENGTH)) code += CODE_ALPHABET[byte & 31] as string
  return code
}

/** Endings of two letters. */
const ENDINGS = 1_024

/** A code that lives on this shard: its last two letters are drawn among those that lead there. */
export function generatedCodeOn(router: Router, shard: number, random: (length: number) => Uint8Array): string {
  const head = generatedCode(random).slice(0, -2)
  const [low, high] = random(2) as Uint8Array & [number, number]
  const pick = (high * 256 + low) % (ENDINGS / router.shards)
  const { buf, end } = bytesOf(head)
  const ending = router.endingFor(shard, buf, end, pick)
  return head + (CODE_ALPHABET[ending >>> 5] as string) + (CODE_ALPHABET[ending & 31] as string)
}
