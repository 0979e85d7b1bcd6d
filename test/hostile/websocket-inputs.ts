// Messages and frames of WebSocket that no client sends. Masks are zero, so that a case shows what is in it.

import { Packr } from 'msgpackr'
import type { SeededRandom } from '../support/seeded-random.ts'
import { OPCODE } from '../support/ws-client.ts'
import type { Input } from './input.ts'
import { jsonOf, Members, oddNumber, oddText, oddValue, Spelt, type Tree } from './odd-values.ts'
import type { World } from './world.ts'

const packr = new Packr({ useRecords: false })
const ROWS_MAX = 4_096
const FRAME_BYTES_MAX = 1_048_576
const MESSAGES_MAX = 16_384

interface FrameForm {
  readonly isFinal?: boolean
  readonly reserved?: number
  readonly isMasked?: boolean
  /** What the head says, where it lies. */
  readonly claimed?: bigint
}

function frame(
  opcode: number,
  payload: Buffer,
  { isFinal = true, reserved = 0, isMasked = true, claimed }: FrameForm = {},
): Buffer {
  const length = claimed ?? BigInt(payload.length)
  const short = length < 126n ? Number(length) : length < 65_536n ? 126 : 127
  const head = Buffer.alloc(short === 126 ? 4 : short === 127 ? 10 : 2)
  head[0] = (isFinal ? 0x80 : 0) | (reserved << 4) | opcode
  head[1] = (isMasked ? 0x80 : 0) | short
  if (short === 126) head.writeUInt16BE(Number(length), 2)
  if (short === 127) head.writeBigUInt64BE(length, 2)
  return Buffer.concat([head, Buffer.alloc(isMasked ? 4 : 0), payload])
}

const text = (content: string): Buffer => frame(OPCODE.TEXT, Buffer.from(content))
const binary = (content: Buffer): Buffer => frame(OPCODE.BINARY, content)

/** The head of a MessagePack element that claims what is not there. */
const BOMBS: readonly string[] = [
  'ddffffffff',
  'dfffffffff',
  'dbffffffff',
  'c6ffffffff',
  'dcffff',
  'deffff',
  'c9ffffffff01',
  'd401ff',
  'd8ff00000000000000000000000000000000',
  'c1',
  'ddffffffffdfffffffff',
  '82a26964a161a26f70ddffffffff',
  '8201a1610203',
  'c70c00',
  '92c7ff0100',
]

interface Kind {
  readonly what: string
  readonly share: number
  readonly make: (random: SeededRandom, world: World) => Input
}

const KINDS: readonly Kind[] = [
  {
    what: 'a message',
    share: 50,
    make: (random, world) => messages(random, [message(random, world, random.pick([0, 30, 8]))], false),
  },
  {
    what: 'messages',
    share: 8,
    make: (random, world) => {
      const list = Array.from({ length: 1 + random.below(8) }, () => message(random, world, random.pick([0, 20])))
      return messages(random, list, true)
    },
  },
  { what: 'columns', share: 12, make: columnsInput },
  { what: 'a text that is no message', share: 6, make: brokenText },
  { what: 'a MessagePack bomb', share: 8, make: bomb },
  { what: 'frames', share: 16, make: frames },
]

const SHARES = KINDS.flatMap((kind) => new Array<Kind>(kind.share).fill(kind))

export class WebSocketInputs {
  private readonly world: World

  constructor(world: World) {
    this.world = world
  }

  draw(random: SeededRandom): Input {
    return random.pick(SHARES).make(random, this.world)
  }
}

function message(random: SeededRandom, world: World, oddness: number): Members {
  const isOdd = (): boolean => oddness > 0 && random.below(oddness) === 0
  const put = (made: Members, name: string, value: Tree): void => {
    if (!isOdd()) made.with(name, isOdd() ? oddValue(random) : value)
  }
  const op = random.pick([
    'validate',
    'reserve',
    'redeem',
    'release',
    'redeemReservation',
    'claim',
    'get',
    'outcomes',
    'subscribe',
    'unsubscribe',
  ])
  const made = new Members()
  put(made, 'id', random.below(2) === 0 ? `m${random.below(1_000)}` : oddId(random, isOdd()))
  put(made, 'op', isOdd() ? random.pick(['', 'toString', '__proto__', 'REDEEM', oddText(random)]) : op)
  const code = random.below(12) === 0 ? oddText(random) : random.pick(world.codes)
  const cart = new Members().with('currency', 'EUR').with('orderTotal', isOdd() ? oddNumber(random) : new Spelt('1000'))
  switch (op) {
    case 'validate':
    case 'reserve':
    case 'redeem':
      put(made, 'codes', [code])
      put(made, 'userId', `u${random.below(30)}`)
      if (op === 'redeem') put(made, 'orderId', `w${random.below(100_000)}`)
      put(made, 'cart', cart)
      break
    case 'release':
    case 'redeemReservation':
      put(made, 'reservationId', random.pick(world.reservations))
      if (op === 'redeemReservation') put(made, 'orderId', `w${random.below(100_000)}`)
      break
    case 'claim':
      put(made, 'campaignId', random.pick(world.campaigns))
      put(made, 'userId', `u${random.below(30)}`)
      break
    case 'get':
      put(
        made,
        random.pick(['coupon', 'reservationId', 'redemptionId']),
        random.pick([code, ...world.reservations, ...world.redemptions]),
      )
      break
    case 'subscribe':
    case 'unsubscribe':
      put(
        made,
        'topic',
        random.pick([`coupon:${code}`, `campaign:${random.pick(world.campaigns)}`, 'coupon:NOSUCH', 'x', 'coupon:']),
      )
      break
    default:
  }
  if (isOdd()) made.with('idempotencyKey', oddText(random))
  if (isOdd()) made.with(random.pick(['__proto__', 'constructor', 'x', '']), oddValue(random))
  return made
}

function oddId(random: SeededRandom, isOdd: boolean): Tree {
  return isOdd
    ? random.pick<Tree>([oddNumber(random), oddText(random), null, []])
    : new Spelt(String(random.below(1_000)))
}

/** As text or as MessagePack; what MessagePack cannot hold goes as text. */
function messages(random: SeededRandom, list: readonly Members[], isArray: boolean): Input {
  const content = isArray ? jsonOf(list) : jsonOf(list[0] as Members)
  const way = { via: 'messages', answers: list.length, mayClose: false } as const
  const isBinary = random.below(2) === 0 && !/\[\[\[\[|"a":\{"a":\{/.test(content)
  if (!isBinary) return { what: isArray ? 'messages' : 'a message', way, pieces: [text(content)] }
  return { what: 'a message, packed', way, pieces: [binary(packr.pack(withoutOddities(JSON.parse(content))))] }
}

/** What JSON can hold and MessagePack of this packer cannot: half a pair becomes a mark of its own. */
function withoutOddities(value: unknown): unknown {
  if (typeof value === 'string') return value.toWellFormed()
  if (Array.isArray(value)) return value.map(withoutOddities)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name.toWellFormed(), withoutOddities(member)]),
  )
}

function columnsInput(random: SeededRandom, world: World): Input {
  const rows = random.pick([0, 1, 2, 50, ROWS_MAX - 1, ROWS_MAX, ROWS_MAX + 1])
  const other = random.below(4) === 0 ? random.pick([0, 1, ROWS_MAX + 1]) : rows
  const names = (count: number, letter: string): string[] =>
    Array.from({ length: count }, (_, i) => `${letter}${i % 40}`)
  const totals = random.below(2) === 0 ? random.pick([1_000, -1, 0.5, 2 ** 53, 0]) : names(rows, '').map((_, i) => i)
  const body: Record<string, unknown> = {
    id: random.below(1_000),
    op: 'redeemColumns',
    code: random.pick([...world.codes, 'NOSUCH', '', '\u0000']),
    currency: random.pick(['EUR', 'USD', 'EURO', '']),
    userIds: names(rows, 'u'),
    orderIds: names(other, 'c'),
    orderTotals: totals,
  }
  if (random.below(6) === 0) delete body[random.pick(Object.keys(body).slice(1))]
  if (random.below(6) === 0)
    body[random.pick(['x', 'constructor', 'userIds'])] = random.pick([null, 1, [1, 2], ['', 'x'.repeat(129)]])
  const way = { via: 'messages', answers: 1, mayClose: false } as const
  const isBinary = random.below(2) === 0
  const piece = isBinary ? binary(packr.pack(body)) : text(JSON.stringify(body))
  return { what: `${rows} rows, ${isBinary ? 'packed' : 'as text'}`, way, pieces: [piece] }
}

function brokenText(random: SeededRandom, world: World): Input {
  const sound = jsonOf(message(random, world, 0))
  const many = random.below(40) === 0
  const content = random.pick([
    '',
    'null',
    '1',
    '"x"',
    '[]',
    '{}',
    '[[]]',
    'x',
    sound.slice(0, random.below(sound.length)),
    `${sound}}`,
    '['.repeat(20_000),
    `${'['.repeat(20_000)}${']'.repeat(20_000)}`,
    `{"id":${'['.repeat(20_000)}${']'.repeat(20_000)}}`,
    `{"id":1,"op":"get","coupon":${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}}`,
    `{"id":1,"op":"reserve","idempotencyKey":"k","x":${'['.repeat(20_000)}${']'.repeat(20_000)}}`,
    many ? `[${'1,'.repeat(MESSAGES_MAX)}1]` : '[1]',
    many ? `"${'x'.repeat(FRAME_BYTES_MAX + random.below(3) - 3)}"` : '""',
  ])
  const way = { via: 'messages', answers: 1, mayClose: Buffer.byteLength(content) > FRAME_BYTES_MAX } as const
  return { what: 'a text that is no message', way, pieces: [text(content)] }
}

function bomb(random: SeededRandom, world: World): Input {
  const sound = packr.pack(JSON.parse(jsonOf(message(random, world, 0))) as unknown)
  const cut = sound.subarray(0, random.below(sound.length))
  const levels = random.pick([16, 17, 1_000, 60_000])
  const content = random.pick([
    Buffer.from(random.pick(BOMBS), 'hex'),
    cut.length === 0 ? Buffer.from([0xc1]) : cut,
    Buffer.concat([sound, Buffer.from([1])]),
    Buffer.concat([Buffer.alloc(levels, 0x91), Buffer.from([1])]),
    Buffer.concat([Buffer.from('82a2696401a26f70', 'hex'), Buffer.alloc(levels, 0x91), Buffer.from([1])]),
    Buffer.concat([Buffer.from('81a95f5f70726f746f5f5f', 'hex'), Buffer.from([0x80])]),
    Buffer.from('82a2696401a26f70a3676574a5ff', 'hex'),
    Buffer.from('82a26964cb7ff8000000000000a26f70a3676574', 'hex'),
    Buffer.from('82a26964cf8000000000000000a26f70a3676574', 'hex'),
  ])
  return {
    what: 'a MessagePack bomb',
    way: { via: 'messages', answers: 1, mayClose: false },
    pieces: [binary(content)],
  }
}

function frames(random: SeededRandom, world: World): Input {
  const sound = Buffer.from(jsonOf(message(random, world, 0)))
  const half = random.below(sound.length)
  const first = sound.subarray(0, half)
  const second = sound.subarray(half)
  const [what, isWhole, ...pieces] = random.pick<readonly [string, boolean, ...Buffer[]]>([
    ['fragments', true, frame(OPCODE.TEXT, first, { isFinal: false }), frame(OPCODE.CONTINUATION, second)],
    [
      'a ping between fragments',
      true,
      frame(OPCODE.TEXT, first, { isFinal: false }),
      frame(OPCODE.PING, Buffer.from('x')),
      frame(OPCODE.CONTINUATION, second),
    ],
    ['a text between fragments', true, frame(OPCODE.TEXT, first, { isFinal: false }), frame(OPCODE.TEXT, second)],
    ['a continuation of nothing', true, frame(OPCODE.CONTINUATION, sound)],
    [
      'fragments that never end',
      false,
      ...Array.from({ length: 50 }, (_, i) =>
        frame(i === 0 ? OPCODE.BINARY : 0, Buffer.alloc(1_000), { isFinal: false }),
      ),
    ],
    [
      'empty fragments',
      true,
      ...Array.from({ length: 50 }, (_, i) => frame(i === 0 ? OPCODE.TEXT : 0, Buffer.alloc(0), { isFinal: i === 49 })),
    ],
    ['a wrong opcode', true, frame(random.pick([3, 4, 5, 6, 7, 11, 12, 13, 14, 15]), sound)],
    ['reserved bits', true, frame(OPCODE.TEXT, sound, { reserved: 1 + random.below(7) })],
    ['a long ping', true, frame(OPCODE.PING, Buffer.alloc(126))],
    ['a ping in fragments', true, frame(OPCODE.PING, Buffer.from('x'), { isFinal: false })],
    ['pings', true, ...Array.from({ length: 100 }, () => frame(OPCODE.PING, Buffer.alloc(125)))],
    ['a pong that nobody asked for', true, frame(OPCODE.PONG, Buffer.from('x'))],
    ['no mask', false, frame(OPCODE.TEXT, sound, { isMasked: false })],
    ['a length of 2^63', false, frame(OPCODE.BINARY, Buffer.from('x'), { claimed: 2n ** 63n })],
    ['a length of 2^32', false, frame(OPCODE.BINARY, Buffer.from('x'), { claimed: 2n ** 32n })],
    ['a length over the bound', false, frame(OPCODE.BINARY, Buffer.alloc(50_000), { claimed: 4_194_305n })],
    ['half a frame', false, frame(OPCODE.TEXT, sound, { claimed: BigInt(sound.length + 10) })],
    ['half a head', false, frame(OPCODE.TEXT, sound).subarray(0, 1)],
    ['a close', false, frame(OPCODE.CLOSE, Buffer.from([3, 232]))],
    ['a close without a code', false, frame(OPCODE.CLOSE, Buffer.alloc(0))],
    ['a close of one byte', false, frame(OPCODE.CLOSE, Buffer.alloc(1))],
    [
      'a close with a code that is none',
      false,
      frame(OPCODE.CLOSE, Buffer.from(random.pick(['0000', '03ed', 'ffff']), 'hex')),
    ],
    ['a close and then more', false, frame(OPCODE.CLOSE, Buffer.from([3, 232])), text('{}')],
    [
      'a close in the middle',
      false,
      frame(OPCODE.TEXT, first, { isFinal: false }),
      frame(OPCODE.CLOSE, Buffer.from([3, 232])),
    ],
    ['a text that is no UTF-8', true, frame(OPCODE.TEXT, Buffer.from('c328ff', 'hex'))],
    ['MessagePack as a text', true, frame(OPCODE.TEXT, Buffer.from('82a2696401a26f70a3676574', 'hex'))],
    ['text as MessagePack', true, frame(OPCODE.BINARY, sound)],
    ['HTTP in a WebSocket', false, Buffer.from('GET /livez HTTP/1.1\r\nhost: x\r\n\r\n')],
    ['random bytes', false, Buffer.from(Array.from({ length: 1 + random.below(300) }, () => random.below(256)))],
    [
      'topics in excess',
      true,
      text(
        `[${Array.from({ length: 150 }, (_, i) => `{"id":${i},"op":"subscribe","topic":"coupon:T-${i}"}`).join(',')}]`,
      ),
      text(`[${world.codes.map((code, i) => `{"id":${i},"op":"subscribe","topic":"coupon:${code}"}`).join(',')}]`),
    ],
  ])
  return { what, way: { via: 'frames', isWhole }, pieces }
}
