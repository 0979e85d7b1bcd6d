// Holds answers against the OpenAPI document that the gateway serves.

import { Ajv2020 } from 'ajv/dist/2020.js'
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

  private assertSchema(schema: object, value: unknown): void {
    const check = this.ajv.compile(pointedAtDocument(schema))
    if (!check(value))
      throw new Error(`${JSON.stringify(value)} is not as documented: ${this.ajv.errorsText(check.errors)}`)
  }
}

function pointedAtDocument(schema: object): object {
  const text = JSON.stringify(schema).replaceAll('"$ref":"#/', '"$ref":"doc#/')
  return JSON.parse(text) as object
}
