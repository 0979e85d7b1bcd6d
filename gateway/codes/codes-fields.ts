/**
 * What is said about codes that the engine draws: how many, how long, how they begin, for whom.
 *
 *     length 12, prefix SUMMER-      S U M M E R - x x x x x       the engine draws five letters
 *
 * Whether there is room for so many of them is for the shard to say (`CODE_SPACE_TOO_SMALL`).
 */
import {
  arrayAt,
  BadField,
  choiceAt,
  integerAt,
  type JsonObject,
  pseudonymAt,
  required,
} from '../json/decode-fields.ts'
import {
  CODE_LENGTH_MAX,
  CODE_LENGTH_MIN,
  GENERATED_CODE_LENGTH,
  JOB_USERS_BYTES_MAX,
  JOB_USERS_MAX,
} from '../limits.ts'
import { problem } from '../problem.ts'
import { Refusal } from '../operations/shard-question.ts'
import { canonicalCode } from '../../protocol/codes.ts'
import { type Distribution, DISTRIBUTIONS } from '../../protocol/jobs.ts'
import { CODES_OF_JOB_MAX } from '../../engine/domain/limits.ts'

const PREFIX_FORM = /^[A-Z0-9_-]*$/
/** The ending brings a code to its shard, so it is always drawn. */
const DRAWN_LETTERS_MIN = 2
const textEncoder = new TextEncoder()

export interface CodeForm {
  readonly length: number
  /** Canonical; '' for none. */
  readonly prefix: string
}

/** Throws BadField, or a Refusal where no code at all could be drawn. */
export function codeFormOf(fields: JsonObject): CodeForm {
  const length =
    fields['length'] === undefined
      ? GENERATED_CODE_LENGTH
      : integerAt(fields['length'], '/length', CODE_LENGTH_MIN, CODE_LENGTH_MAX)
  const prefix = fields['prefix'] === undefined ? '' : prefixAt(fields['prefix'], '/prefix')
  if (prefix.length >= length) {
    throw new BadField(
      '/prefix',
      `has ${prefix.length} of the ${length} letters that a code has in all; make length larger`,
    )
  }
  if (length - prefix.length < DRAWN_LETTERS_MIN) {
    throw new Refusal(
      problem('CODE_SPACE_TOO_SMALL', `a prefix of ${prefix.length} letters leaves too few of ${length} to be drawn`),
    )
  }
  return { length, prefix }
}

function prefixAt(value: unknown, pointer: string): string {
  if (typeof value !== 'string') throw new BadField(pointer, 'has to be a string')
  const prefix = canonicalCode(value)
  if (!PREFIX_FORM.test(prefix)) throw new BadField(pointer, 'a code has letters of A-Z, 0-9, _ and -')
  if (prefix.startsWith('CPN_'))
    throw new BadField(pointer, 'the prefix CPN_ belongs to coupon ids; choose another one')
  return prefix
}

export function codeCountAt(value: unknown, pointer: string): number {
  return integerAt(value, pointer, 1, CODES_OF_JOB_MAX)
}

export interface CodesRequest extends CodeForm {
  readonly count: number
  readonly distribution: Distribution
  readonly userIds: readonly string[]
}

/** The fields of a request for a campaign's codes; the caller has refused unknown ones. */
export function decodeCodes(fields: JsonObject): CodesRequest {
  const userIds = fields['userIds'] === undefined ? [] : userIdsAt(fields['userIds'], '/userIds')
  const asked = fields['count'] === undefined ? null : codeCountAt(fields['count'], '/count')
  if (asked === null && userIds.length === 0) required('/count')
  if (asked !== null && userIds.length > 0 && asked !== userIds.length) {
    throw new BadField('/count', `is ${asked}, and there are ${userIds.length} userIds of one code each`)
  }
  return {
    count: asked ?? userIds.length,
    distribution:
      fields['distribution'] === undefined ? 'POOL' : choiceAt(fields['distribution'], '/distribution', DISTRIBUTIONS),
    userIds,
    ...codeFormOf(fields),
  }
}

/** They stand in the event that begins the job, whose size is bounded: more of them are more jobs. */
function userIdsAt(value: unknown, pointer: string): readonly string[] {
  const userIds = arrayAt(value, pointer, 1, JOB_USERS_MAX).map((each, i) => pseudonymAt(each, `${pointer}/${i}`))
  let bytes = 0
  for (const [index, userId] of userIds.entries()) {
    bytes += textEncoder.encode(userId).length + 2
    if (bytes > JOB_USERS_BYTES_MAX) {
      throw new BadField(
        pointer,
        `one job holds ${JOB_USERS_BYTES_MAX} bytes of userIds, which are the first ${index} of these ${userIds.length}; send the others in further calls`,
      )
    }
  }
  return userIds
}
