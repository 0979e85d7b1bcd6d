/**
 * Bytes of a body to a JSON value. The bytes belong to the socket and are gone when its callback returns, so they become
 * a string at once; a body in one piece, which nearly every one is, is never copied before that.
 */
import { isUtf8 } from 'node:buffer'
import { BadField } from '../json/decode-fields.ts'
import { NESTING_MAX } from '../limits.ts'

const REPLACEMENT = '\ufffd'

/** Throws BadField for what is not JSON in UTF-8. */
export function parseBody(bytes: Buffer): unknown {
  const text = bytes.toString('utf8')
  // Broken UTF-8 is decoded to replacement characters; a client may also have sent one. Seldom enough to look twice.
  if (text.includes(REPLACEMENT) && !isUtf8(bytes)) throw new BadField('', 'the body is not UTF-8')
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch (error) {
    throw new BadField('', text === '' ? 'the body is empty; send a JSON object' : brokenJson(error))
  }
  if (isDeeper(body, NESTING_MAX)) throw new BadField('', `the body nests deeper than ${NESTING_MAX} levels`)
  return body
}

/** Goes down so many levels and no further. */
function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (levels === 0) return true
  for (const member of Object.values(value)) if (isDeeper(member, levels - 1)) return true
  return false
}

/** Where it breaks, without repeating any of it. */
function brokenJson(error: unknown): string {
  const message = error instanceof SyntaxError ? error.message : ''
  const found = /at position (\d+)/.exec(message)
  if (found !== null) return `the body is not JSON: it breaks at character ${found[1]}`
  return message.startsWith('Unexpected end') ? 'the body is not complete JSON' : 'the body is not JSON'
}

const JSON_TYPE = /^application\/json *(?:; *charset="?utf-8"?)? *$/i
const MERGE_PATCH_TYPE = /^application\/(?:merge-patch\+)?json *(?:; *charset="?utf-8"?)? *$/i

export function isJsonType(contentType: string, form: 'json' | 'mergePatch'): boolean {
  if (contentType === 'application/json') return true
  return (form === 'json' ? JSON_TYPE : MERGE_PATCH_TYPE).test(contentType)
}
