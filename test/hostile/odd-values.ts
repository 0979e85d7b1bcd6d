// Values that programs stumble over, and values of a JSON schema: right ones, ones at its bounds, ones just beyond, and odd ones.
//
// JSON here is a tree of its own, because JavaScript's objects cannot hold what is needed: a key twice, a key `__proto__`, -0,
// numbers as they are spelt.

import type { SeededRandom } from '../support/seeded-random.ts'

export type Tree = string | boolean | null | Spelt | readonly Tree[] | Members

/** JSON text as it is to be sent. */
export class Spelt {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

/** An object: its members in order, a name as often as one likes. */
export class Members {
  readonly list: (readonly [string, Tree])[] = []

  with(name: string, value: Tree): this {
    this.list.push([name, value])
    return this
  }
}

export function jsonOf(tree: Tree): string {
  if (tree instanceof Spelt) return tree.text
  if (tree instanceof Members)
    return `{${tree.list.map(([name, value]) => `${JSON.stringify(name)}:${jsonOf(value)}`).join(',')}}`
  if (Array.isArray(tree)) return `[${tree.map((item) => jsonOf(item as Tree)).join(',')}]`
  return JSON.stringify(tree)
}

const ODD_NUMBERS = [
  '0',
  '-0',
  '-1',
  '0.1',
  '1e0',
  '1.0',
  '2147483647',
  '2147483648',
  '4294967296',
  '9007199254740991',
  '9007199254740992',
  '9007199254740993',
  '18446744073709551616',
  '1e308',
  '1e400',
  '-1e400',
  '5e-324',
  '0.30000000000000004',
  '100.001',
  `1${'0'.repeat(400)}`,
]

const ODD_TEXTS = [
  '',
  ' ',
  '\u0000',
  '\ud83d',
  '\udc00x',
  '\ufeffx',
  '\u202ex',
  'é',
  'e\u0301',
  '😀'.repeat(64),
  '😀'.repeat(65),
  'ß',
  'ﬁ',
  'İ',
  "' OR 1=1 --",
  '../../etc/passwd',
  '${jndi:x}',
  '<script>',
  '%00',
  '=1+1',
  'x'.repeat(127),
  'x'.repeat(128),
  'x'.repeat(129),
  'x'.repeat(65_536),
  '2020-02-30T00:00:00Z',
  '9999-12-31T23:59:59.999999999Z',
  '0000-01-01T00:00:00Z',
  '2020-01-01T00:00:60Z',
  'null',
  '__proto__',
  'cpn_',
  'cpn_zzzzzzzzzzzzzzzzzzzz',
  'rsv_-1',
  'SEARCH',
]

const ODD_KEYS = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  '',
  'x',
  '\ud83d',
  '~1/~0',
  'length',
]

const COUNTS = ['1', '2', '3']
const ODD_COUNTS = ['1', '2', '0', '-1', '1.5', '5000001', '4294967297', '"3"', 'null', '1e400', '[1]']

function nested(levels: number, random: SeededRandom): Spelt {
  return random.below(2) === 0
    ? new Spelt('['.repeat(levels) + ']'.repeat(levels))
    : new Spelt(`${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`)
}

export function oddNumber(random: SeededRandom): Spelt {
  return new Spelt(random.pick(ODD_NUMBERS))
}

export function oddText(random: SeededRandom): string {
  return random.pick(ODD_TEXTS)
}

export function oddValue(random: SeededRandom): Tree {
  switch (random.below(12)) {
    case 0:
      return null
    case 1:
      return random.below(2) === 0
    case 2:
      return []
    case 3:
      return new Members()
    case 4:
      return nested(random.pick([15, 16, 17, 100, 3_000]), random)
    case 5:
      return new Members().with(random.pick(ODD_KEYS), oddText(random))
    case 6:
      return Array.from({ length: random.pick([11, 51, 101, 501, 1_001]) }, () => 'a')
    case 7:
    case 8:
      return oddText(random)
    default:
      return oddNumber(random)
  }
}

export interface Schema {
  readonly $ref?: string
  readonly type?: string
  readonly enum?: readonly (string | number)[]
  readonly const?: unknown
  readonly anyOf?: readonly Schema[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly items?: Schema
  readonly minItems?: number
  readonly maxItems?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly minimum?: number
  readonly maximum?: number
  readonly pattern?: string
  readonly format?: string
}

/** Draws values. `oddness`: one node in so many is odd; 0: none. */
export class SchemaValues {
  private readonly schemas: Readonly<Record<string, Schema>>
  private readonly random: SeededRandom
  private readonly oddness: number
  /** A value that means something in the world, for members that name such a thing. */
  private readonly known: (name: string) => Tree | undefined

  constructor(
    schemas: Readonly<Record<string, Schema>>,
    random: SeededRandom,
    oddness: number,
    known: (name: string) => Tree | undefined,
  ) {
    this.schemas = schemas
    this.random = random
    this.oddness = oddness
    this.known = known
  }

  draw(schema: Schema, name = ''): Tree {
    const { random } = this
    // Before anything odd: a million codes are right, and load, which is not what is tried here.
    if (name === 'count') return new Spelt(random.pick(this.oddness === 0 ? COUNTS : ODD_COUNTS))
    const found = schema.$ref === undefined ? schema : (this.schemas[schema.$ref.split('/').at(-1) as string] as Schema)
    if (this.oddness > 0 && random.below(this.oddness) === 0) {
      return random.below(3) === 0 ? oddValue(random) : this.beyond(found)
    }
    const known = this.known(name)
    if (known !== undefined) return known
    if (found.anyOf !== undefined) return this.draw(random.pick(found.anyOf), name)
    if (found.enum !== undefined) return spelt(random.pick(found.enum))
    if (found.const !== undefined) return spelt(found.const)
    switch (found.type) {
      case 'object':
        return this.object(found)
      case 'array':
        return this.array(found, name)
      case 'string':
        return this.text(found)
      case 'boolean':
        return random.below(2) === 0
      case 'null':
        return null
      default:
        return this.number(found)
    }
  }

  private object({ properties = {}, required = [] }: Schema): Members {
    const { random, oddness } = this
    const members = new Members()
    for (const [name, schema] of Object.entries(properties)) {
      const isOmitted = oddness > 0 && random.below(oddness * 3) === 0
      if (required.includes(name) ? !isOmitted : random.below(5) === 0) members.with(name, this.draw(schema, name))
    }
    if (oddness > 0 && random.below(oddness) === 0) members.with(random.pick(ODD_KEYS), oddValue(random))
    const again = members.list[0]
    if (again !== undefined && oddness > 0 && random.below(oddness) === 0) members.with(again[0], oddValue(random))
    return members
  }

  private array({ items = {}, minItems = 0, maxItems = 10 }: Schema, name: string): Tree[] {
    const { random } = this
    const most = Math.min(maxItems, Math.max(minItems, 3))
    const length = minItems + random.below(most - minItems + 1)
    return Array.from({ length }, () => this.draw(items, name === 'codes' ? 'code' : ''))
  }

  private text({ pattern, format, minLength = 0, maxLength = 40 }: Schema): string {
    const { random } = this
    if (format === 'date-time')
      return random.pick(['2020-01-01T00:00:00Z', '2099-01-01T00:00:00.5Z', '2030-06-01T12:00:00Z'])
    if (pattern !== undefined) return random.pick(['EUR', 'EUR', 'USD', 'JPY', 'XXX'])
    if (random.below(8) === 0) return random.pick(['x', '😀']).repeat(random.pick([Math.max(minLength, 1), maxLength]))
    return random.below(16) === 0 ? oddText(random).slice(0, maxLength) : `t${random.below(50)}`
  }

  private number({ minimum = -1_000, maximum = 1_000_000 }: Schema): Spelt {
    const { random } = this
    if (random.below(8) === 0) return new Spelt(String(random.pick([minimum, maximum])))
    return new Spelt(String(Math.min(maximum, Math.max(minimum, random.pick([1, 2, 10, 50, 100, 999, 5_000])))))
  }

  /** One step over a bound of the schema. */
  private beyond(schema: Schema): Tree {
    const { random } = this
    const { minItems, maxItems, minLength, maxLength, minimum, maximum } = schema
    const found: Tree[] = []
    if (maximum !== undefined)
      found.push(new Spelt(String(maximum)), new Spelt(String(BigInt(Math.floor(maximum)) + 1n)))
    if (minimum !== undefined) found.push(new Spelt(String(minimum - 1)), new Spelt('-0'))
    if (maxLength !== undefined)
      found.push('y'.repeat(maxLength + 1), '😀'.repeat(maxLength), '😀'.repeat(maxLength + 1))
    if (minLength !== undefined) found.push('')
    if (minItems !== undefined && minItems > 0) found.push([])
    if (maxItems !== undefined && maxItems <= 1_000) found.push(Array.from({ length: maxItems + 1 }, () => 'a'))
    if (schema.enum !== undefined) found.push(String(schema.enum[0]).toLowerCase(), `${String(schema.enum[0])} `)
    return found.length === 0 ? oddValue(random) : random.pick(found)
  }
}

function spelt(value: unknown): Spelt {
  return new Spelt(JSON.stringify(value))
}
