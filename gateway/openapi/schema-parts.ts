/**
 * What schemas of bodies are made of: JSON Schema 2020-12, made with typebox from the same bounds that the decoders use.
 *
 * Requests are judged by hand-written decoders (`decode-*.ts`, `*-json.ts`) because they have to be fast and to point
 * at the fault. A differential test holds both together: whatever a schema refuses the decoder refuses, and the decoder refuses
 * more only by the rules a schema cannot say (sums, currencies beside money, the same code twice, which fields go together).
 */
import Type, { type TProperties, type TSchema } from 'typebox'
import {
  LIST_LIMIT_DEFAULT,
  LIST_LIMIT_MAX,
  NAME_LENGTH_MAX,
  PSEUDONYM_LENGTH_MAX,
  REASON_LENGTH_MAX,
} from '../limits.ts'

export const MAX = Number.MAX_SAFE_INTEGER

/** An object without further members. */
export function closed<Properties extends TProperties>(properties: Properties) {
  return Type.Object(properties, { additionalProperties: false })
}

export function oneOf(values: readonly string[]) {
  return Type.Enum([...values])
}

export function eachOptional(properties: Readonly<Record<string, TSchema>>, nullable: boolean): TProperties {
  const made: Record<string, TSchema> = {}
  for (const [key, schema] of Object.entries(properties)) {
    made[key] = Type.Optional(nullable ? Type.Union([schema, Type.Null()]) : schema)
  }
  return made
}

export const Name = Type.String({ minLength: 1, maxLength: NAME_LENGTH_MAX })
export const Pseudonym = Type.String({ minLength: 1, maxLength: PSEUDONYM_LENGTH_MAX })
export const Reason = Type.String({ minLength: 1, maxLength: REASON_LENGTH_MAX })
export const Amount = Type.Integer({ minimum: 0, maximum: MAX, description: 'Minor units.' })
export const Count = Type.Integer({ minimum: 1, maximum: MAX })
export const Tally = Type.Integer({ minimum: 0, maximum: MAX })
export const Currency = Type.String({ pattern: '^[A-Z]{3}$', description: 'ISO 4217.' })
export const Time = Type.String({
  format: 'date-time',
  pattern: '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}(\\.\\d{1,9})?(Z|[+-]00:00)$',
  description: 'RFC 3339 in UTC.',
})
export const Id = Type.String({ description: 'Opaque.' })
export const Code = Type.String({ description: 'Case and surrounding space are ignored.' })

const NextCursor = Type.Union([Type.String(), Type.Null()], { description: 'null at the end.' })

export function pageOf(item: TSchema) {
  return closed({ data: Type.Array(item, { maxItems: LIST_LIMIT_MAX }), nextCursor: NextCursor })
}

export const pageQuery = {
  limit: Type.Integer({ minimum: 1, maximum: LIST_LIMIT_MAX, default: LIST_LIMIT_DEFAULT }),
  cursor: Type.String({ description: 'nextCursor of the page before.' }),
} as const
