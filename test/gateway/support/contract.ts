// Holds answers against the OpenAPI document that the gateway serves.

import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import type { HttpAnswer } from './gateway.ts'

interface Media {
  readonly schema: object
}
interface Response {
  readonly $ref?: string
  readonly content?: Readonly<Record<string, Media>>
}
interface Operation {
  readonly operationId: string
  readonly responses: Readonly<Record<string, Response>>
  readonly requestBody?: { readonly content: Readonly<Record<string, Media>> }
}
export interface OpenApi {
  readonly openapi: string
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: {
    readonly schemas: Readonly<Record<string, object>>
    readonly responses: Readonly<Record<string, Response>>
  }
}

export class Contract {
  readonly document: OpenApi
  /** `POST /v1/validate 200`, for every answer that was held against it. */
  readonly met = new Set<string>()
  private readonly ajv = new Ajv2020({ strict: false, allErrors: true })
  private readonly checks = new Map<object, ValidateFunction>()

  constructor(document: OpenApi) {
    this.document = document
    addFormats.default(this.ajv)
    this.ajv.addSchema({ ...document, $id: 'doc' })
  }

  operation(method: string, path: string): Operation {
    const operation = this.document.paths[path]?.[method.toLowerCase()]
    if (operation === undefined) throw new Error(`the document has no ${method} ${path}`)
    return operation
  }

  /** The status is documented, and the body is what it says. */
  assertAnswer(method: string, path: string, answer: HttpAnswer): void {
    const documented = this.operation(method, path).responses[answer.status]
    if (documented === undefined)
      throw new Error(`${method} ${path} does not document ${answer.status}: ${answer.text}`)
    const response = documented.$ref === undefined ? documented : this.document.components.responses['Problem']
    this.met.add(`${method} ${path} ${answer.status}`)
    if (!/^\S+$/.test(String(answer.headers['x-request-id']))) throw new Error('an answer without a request id')
    if (response?.content === undefined) {
      if (answer.text !== '') throw new Error(`${method} ${path} ${answer.status} documents no body: ${answer.text}`)
      return
    }
    // A media type is documented without its parameters.
    const [type] = String(answer.headers['content-type']).split(';') as [string]
    const media = response.content[type]
    if (media === undefined) throw new Error(`${method} ${path} ${answer.status} does not document ${type}`)
    this.assertSchema(media.schema, type.startsWith('text/') && type !== 'text/plain' ? answer.text : answer.json)
  }

  /** Compiled once for each schema of the document. */
  checkOf(schema: object): ValidateFunction {
    const known = this.checks.get(schema)
    if (known !== undefined) return known
    const check = this.ajv.compile(pointedAtDocument(schema))
    this.checks.set(schema, check)
    return check
  }

  private assertSchema(schema: object, value: unknown): void {
    const check = this.checkOf(schema)
    if (!check(value))
      throw new Error(`${JSON.stringify(value)} is not as documented: ${this.ajv.errorsText(check.errors)}`)
  }
}

/** What a refusal lacks that the contract promises beside its schema. */
export function faultsOfRefusal({ status, json, headers }: HttpAnswer): string[] {
  const { code, detail, requestId, status: told } = json as Readonly<Record<string, unknown>>
  const rules: readonly (readonly [string, boolean])[] = [
    ['the media type of problems', headers['content-type'] === 'application/problem+json'],
    ['its status in the body', told === status],
    ['a detail', typeof detail === 'string' && detail !== ''],
    ['its request id in both places', headers['x-request-id'] === requestId],
    ['when to come back', (status !== 423 && code !== 'OVERLOADED') || Number(headers['retry-after']) >= 1],
    ['how to authenticate', status !== 401 || headers['www-authenticate'] === 'Bearer'],
    ['the methods that there are', status !== 405 || /^[A-Z]+(, [A-Z]+)*$/.test(String(headers['allow']))],
  ]
  return rules.filter(([, isKept]) => !isKept).map(([rule]) => rule)
}

function pointedAtDocument(schema: object): object {
  const text = JSON.stringify(schema).replaceAll('"$ref":"#/', '"$ref":"doc#/')
  return JSON.parse(text) as object
}
