// Requests made from the OpenAPI document: right ones, nearly right ones, wrong ones; and requests with a key that may not.

import type { Role } from '../../gateway/access/authenticate.ts'
import type { Contract } from '../gateway/support/contract.ts'
import type { SeededRandom } from '../support/seeded-random.ts'
import type { Input, Request } from './input.ts'
import { jsonOf, Members, oddNumber, oddText, type Schema, SchemaValues, type Tree } from './odd-values.ts'
import type { World } from './world.ts'

interface Parameter {
  readonly name: string
  readonly in: string
  readonly schema: Schema
}

interface Operation {
  readonly method: string
  readonly template: string
  readonly parameters: readonly Parameter[]
  readonly roles: readonly string[]
  readonly body: Schema | null
  /** The schema as the document has it, for a check of what was made. */
  readonly bodyOfDocument: object | null
  readonly bodyType: string
}

const BODY_BYTES_MAX = 1_048_576
const ODD_PATHS = [
  '%',
  '%zz',
  '%ff',
  '%00',
  '%2F',
  '%2e%2e',
  '..',
  '%F0%9F%98%80',
  '%ED%A0%80',
  'a%20b',
  '%C0%80',
  '*',
  'a'.repeat(300),
]
const ODD_TYPES = [
  '',
  'text/plain',
  'application/json; charset=latin1',
  'application/json;charset=utf-8',
  'APPLICATION/JSON',
  'application/json, application/json',
  'application/merge-patch+json',
  'text/csv',
  'multipart/form-data; boundary=x',
]
const ODD_METHODS = ['PUT', 'OPTIONS', 'HEAD', 'TRACE', 'PROPFIND', 'get', 'FOO', 'CONNECT']

export class HttpInputs {
  private readonly contract: Contract
  private readonly world: World
  private readonly operations: readonly Operation[]

  constructor(contract: Contract, world: World) {
    this.contract = contract
    this.world = world
    this.operations = operationsOf(contract)
  }

  /** The next input; the same for the same random choices. */
  draw(random: SeededRandom): Input {
    const kind = random.below(100)
    if (kind < 10) return this.forbidden(random)
    if (kind < 15) return this.unrouted(random)
    return this.call(random, random.pick(this.operations))
  }

  private call(random: SeededRandom, operation: Operation): Input {
    const oddness = random.pick([0, 0, 60, 25, 8])
    const { method, template } = operation
    const isOddHead = oddness > 0 && random.below(6) === 0
    const path = this.path(random, operation, oddness)
    const headers = new Headers(`Bearer ${this.world.keys.operations}`)
    let mayBreak = path.length > 2_000
    let isWrong = false
    let body: Buffer | null = null
    if (operation.body !== null) {
      const drawn = this.body(random, operation, oddness)
      ;({ body } = drawn)
      isWrong = drawn.isWrong
      headers.add('content-type', isOddHead && random.below(2) === 0 ? random.pick(ODD_TYPES) : operation.bodyType)
    } else if (random.below(20) === 0) body = Buffer.from('{"ignored":true}')
    for (const { name, in: place } of operation.parameters) {
      if (place !== 'header') continue
      if (name === 'If-Match' && random.below(8) !== 0)
        headers.add('if-match', random.pick(['"1"', '"2"', '*', '1', '""']))
      if (name === 'Idempotency-Key' && random.below(4) === 0)
        headers.add(
          'idempotency-key',
          random.pick(['k1', 'k2', `k${random.below(1_000_000)}`, 'x'.repeat(129), '\u00e9']),
        )
    }
    if (isOddHead) mayBreak = oddHeaders(random, headers) || mayBreak
    const way: Request = { via: 'http', method, template, statuses: null, isWrong, mayBreak }
    const what = `${method} ${template}, ${oddness === 0 ? 'right' : 'odd'}`
    return { what, way, pieces: framed(random, method, path, headers, body) }
  }

  /** A key that is missing, wrong or of another role. */
  private forbidden(random: SeededRandom): Input {
    const operation = random.pick(this.operations.filter(({ roles }) => roles.length > 0))
    const { method, template } = operation
    const { keys } = this.world
    const right = operation.roles as readonly Role[]
    const others = (['checkout', 'marketing'] as const).filter((role) => !right.includes(role))
    const isOther = others.length > 0 && random.below(2) === 0
    const authorization = isOther
      ? `Bearer ${keys[random.pick(others)]}`
      : random.pick([
          '',
          'Bearer',
          'Bearer ',
          `Basic ${keys.operations}`,
          `Bearer ${keys.operations}x`,
          `Bearer ${keys.operations.slice(0, -1)}`,
          `Bearer ${keys.operations.toUpperCase()}`,
          `Bearer ${'x'.repeat(1_000)}`,
          'Bearer \u00ff\u00fe',
        ])
    const headers = new Headers(authorization)
    const body = operation.body === null ? null : this.body(random, operation, 0).body
    if (operation.body !== null) headers.add('content-type', operation.bodyType)
    const statuses = [isOther ? 403 : 401]
    const way: Request = { via: 'http', method, template, statuses, isWrong: true, mayBreak: false }
    const pieces = framed(random, method, this.path(random, operation, 0), headers, body)
    return { what: `${method} ${template}, ${isOther ? 'a key of another role' : 'no right key'}`, way, pieces }
  }

  /** Paths and methods that the document does not have. */
  private unrouted(random: SeededRandom): Input {
    const operation = random.pick(this.operations)
    const method = random.below(2) === 0 ? random.pick(ODD_METHODS) : operation.method
    const path =
      random.below(2) === 0
        ? random.pick([
            '/',
            '//',
            '/v1',
            '/v1/',
            '/v2/coupons',
            '/v1/coupons/A/B/C',
            '/V1/coupons',
            '/v1/%63oupons',
            '*',
            '/v1/ws',
          ])
        : this.path(random, operation, 0).replace('/v1', random.pick(['/v1', '/v0', '/v1/v1', '']))
    const isKnown = this.operations.some(
      (other) => other.method === method && fits(other.template, path.split('?')[0] as string),
    )
    if (isKnown) return this.call(random, operation)
    const way: Request = { via: 'http', method, template: '', statuses: [400, 404, 405], isWrong: true, mayBreak: true }
    const headers = new Headers(`Bearer ${this.world.keys.operations}`)
    return { what: `${method} where it is not`, way, pieces: framed(random, method, path, headers, null) }
  }

  private path(random: SeededRandom, operation: Operation, oddness: number): string {
    const isOdd = (): boolean => oddness > 0 && random.below(oddness) === 0
    const path = operation.template.replace(/\{(\w+)\}/, (_all, name: string) => {
      if (isOdd()) return random.below(2) === 0 ? random.pick(ODD_PATHS) : encoded(oddText(random).slice(0, 200))
      return encodeURIComponent(this.target(random, operation.template, name))
    })
    const values = this.values(random, oddness)
    const query: string[] = []
    for (const { name, in: place, schema } of operation.parameters) {
      if (place !== 'query' || random.below(3) !== 0) continue
      const value = isOdd()
        ? random.pick([oddNumber(random), oddText(random).slice(0, 300)])
        : values.draw(schema, name)
      query.push(`${name}=${isOdd() ? random.pick(ODD_PATHS) : encoded(textOf(value).slice(0, 300))}`)
    }
    if (isOdd()) query.push(random.pick(['x=1', '__proto__=1', '&&', '=', 'limit=1&limit=2', `q=${'y'.repeat(3_500)}`]))
    return query.length === 0 ? path : `${path}?${query.join('&')}`
  }

  private target(random: SeededRandom, template: string, name: string): string {
    const { world } = this
    if (random.below(10) === 0) return random.pick(['NOSUCH', 'cpn_001', 'cmp_zz1', 'rsv_zz1', 'rdm_001', 'job_001'])
    if (name === 'coupon') return random.pick(random.below(2) === 0 ? world.codes : world.coupons)
    if (template.includes('/campaigns/')) return random.pick(world.campaigns)
    if (template.includes('/reservations/')) return random.pick(world.reservations)
    return random.pick(template.includes('/jobs/') ? world.jobs : world.redemptions)
  }

  private values(random: SeededRandom, oddness: number): SchemaValues {
    const { schemas } = this.contract.document.components
    return new SchemaValues(schemas, random, oddness, (name) => known(this.world, random, name))
  }

  private body(random: SeededRandom, operation: Operation, oddness: number): { body: Buffer; isWrong: boolean } {
    const { body: schema, bodyOfDocument, bodyType } = operation
    if (bodyType === 'text/csv') return { body: Buffer.from(csvOf(random)), isWrong: false }
    const text = jsonOf(this.values(random, oddness).draw(schema as Schema))
    if (oddness === 0 || random.below(10) !== 0) {
      const isWrong = !this.contract.checkOf(bodyOfDocument as object)(JSON.parse(text))
      return { body: Buffer.from(text), isWrong }
    }
    return { body: brokenText(random, text), isWrong: false }
  }
}

function known(world: World, random: SeededRandom, name: string): Tree | undefined {
  switch (name) {
    case 'code':
      // What a buyer types may be anything; no schema says otherwise.
      if (random.below(12) === 0) return oddText(random)
      return random.below(10) === 0 ? 'NOSUCH' : ` ${random.pick(world.codes).toLowerCase()}`.slice(random.below(2))
    case 'couponId':
      return random.pick(world.coupons)
    case 'campaignId':
      return random.below(4) === 0 ? random.pick(world.campaigns) : undefined
    case 'userId':
      return `u${random.below(30)}`
    case 'orderId':
      return `o${random.below(100_000)}`
    case 'userIds':
      return ['a', 'b']
    default:
      return undefined
  }
}

function operationsOf({ document }: Contract): Operation[] {
  const found: Operation[] = []
  for (const [template, methods] of Object.entries(document.paths)) {
    for (const [method, entry] of Object.entries(methods)) {
      const { parameters = [], 'x-tearoff-roles': roles = [] } = entry as unknown as {
        parameters?: Parameter[]
        'x-tearoff-roles'?: string[]
      }
      const media = Object.entries(entry.requestBody?.content ?? {}).at(-1)
      const [bodyType = '', content] = media ?? []
      const body = (content?.schema ?? null) as Schema | null
      const type = template.includes('/imports/') ? 'text/csv' : bodyType
      found.push({
        method: method.toUpperCase(),
        template,
        parameters,
        roles,
        body,
        bodyOfDocument: body,
        bodyType: type,
      })
    }
  }
  return found
}

/** Nearly JSON, or JSON that is too long. */
function brokenText(random: SeededRandom, text: string): Buffer {
  const bytes = Buffer.from(text)
  switch (random.below(8)) {
    case 0:
      return bytes.subarray(0, random.below(bytes.length))
    case 1:
      bytes[random.below(bytes.length)] = random.below(256)
      return bytes
    case 2:
      return Buffer.concat([bytes, Buffer.from(random.pick([' ', '{}', '\u0000', ']', ',']))])
    case 3:
      return Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), bytes])
    case 4:
      return Buffer.from(`${'['.repeat(random.pick([17, 1_000, 50_000]))}${text}`)
    case 5: {
      const levels = random.pick([16, 17, 20_000])
      return Buffer.from(`{"a":${'['.repeat(levels)}${']'.repeat(levels)}}`)
    }
    case 6: {
      if (random.below(8) !== 0) return Buffer.alloc(0)
      const bytesMax = BODY_BYTES_MAX + random.below(3) - 1
      return Buffer.from(`${text.slice(0, -1)}${' '.repeat(Math.max(0, bytesMax - bytes.length))}}`)
    }
    default:
      return Buffer.from(text.replace('{', '{"__proto__":{"x":1},"constructor":1,'))
  }
}

function csvOf(random: SeededRandom): string {
  const head = random.pick(['code,type,value', 'code;type', '', 'code,type,value,__proto__', '"code', 'code,code'])
  const rows = Array.from(
    { length: random.below(4) },
    (_, i) => `I${i}-${random.below(500)},PERCENT,${random.pick(['5', 'x', '-1'])}`,
  )
  return [head, ...rows].join(random.pick(['\n', '\r\n']))
}

/** Whether the server may take the head for none. */
function oddHeaders(random: SeededRandom, headers: Headers): boolean {
  switch (random.below(7)) {
    case 0:
      headers.add('x-long', 'y'.repeat(random.pick([1_000, 3_000, 5_000])))
      return true
    case 1:
      for (let i = 0; i < random.pick([20, 60, 150]); i++) headers.add(`x-${i}`, 'y')
      return true
    case 2:
      headers.add('content-encoding', 'gzip')
      return false
    case 3:
      headers.add('accept', 'application/xml')
      return false
    case 4:
      headers.add(
        'traceparent',
        random.pick(['00-0-0-0', 'x'.repeat(500), '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01']),
      )
      return false
    case 5:
      headers.add('x-bytes', '\u00ff\u0080')
      return true
    default:
      headers.add('expect', '100-continue')
      return false
  }
}

class Headers {
  text = 'host: x\r\n'

  constructor(authorization: string) {
    if (authorization !== '') this.add('authorization', authorization)
  }

  add(name: string, value: string): void {
    this.text += `${name}: ${value}\r\n`
  }
}

/** Mostly in one piece with a length, sometimes in chunks, sometimes cut where nobody expects it. */
function framed(random: SeededRandom, method: string, path: string, headers: Headers, body: Buffer | null): Buffer[] {
  const isChunked = body !== null && body.length > 0 && random.below(10) === 0
  const length =
    body === null ? '' : isChunked ? 'transfer-encoding: chunked\r\n' : `content-length: ${body.length}\r\n`
  const head = Buffer.from(`${method} ${path} HTTP/1.1\r\n${headers.text}${length}\r\n`, 'latin1')
  const sent = body === null ? [] : isChunked ? chunks(random, body) : [body]
  const whole = Buffer.concat([head, ...sent])
  // Of an empty body behind a head in two pieces uWebSockets.js never hears (see raw-inputs.ts).
  if (body?.length === 0 || random.below(12) !== 0) return [whole]
  // Behind the first line, which the server's HTTP wants in one piece (see raw-inputs.ts).
  const from = head.indexOf('\r\n') + 2
  const cut = from + random.below(Math.min(whole.length, head.length + 10) - from)
  return [whole.subarray(0, cut), whole.subarray(cut)]
}

function chunks(random: SeededRandom, body: Buffer): Buffer[] {
  const cut = random.below(body.length)
  const parts = [body.subarray(0, cut), body.subarray(cut)].filter((part) => part.length > 0)
  return [
    ...parts.flatMap((part) => [Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n')]),
    Buffer.from('0\r\n\r\n'),
  ]
}

function textOf(value: Tree): string {
  if (typeof value === 'string') return value
  return value instanceof Members ? jsonOf(value) : jsonOf(value).slice(0, 300)
}

/** Half a surrogate pair has no encoding; it goes as the three bytes that some programs make of it. */
function encoded(text: string): string {
  return text.isWellFormed() ? encodeURIComponent(text) : '%ED%A0%BD'
}

function fits(template: string, path: string): boolean {
  const parts = path.split('/')
  const wanted = template.split('/')
  return wanted.length === parts.length && wanted.every((part, i) => part.startsWith('{') || part === parts[i])
}
