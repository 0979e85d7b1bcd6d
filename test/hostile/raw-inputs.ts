// What no HTTP client sends: heads in pieces, lengths that contradict each other, chunks that are none, other protocols, and
// clients that dawdle or go away.

import type { SeededRandom } from '../support/seeded-random.ts'
import type { Input } from './input.ts'
import type { World } from './world.ts'

const LIVE = 'GET /livez HTTP/1.1\r\nhost: x\r\n\r\n'
const VALIDATE = JSON.stringify({ codes: ['HOSTILE-0'], cart: { orderTotal: 1_000, currency: 'EUR' } })

interface Trick {
  readonly what: string
  readonly pieces: (random: SeededRandom, head: (extra: string) => string) => readonly (string | Buffer)[]
  /** Answers that have to come; absent: the client ends its side and takes what came. */
  readonly answers?: number
  /** It is HTTP, however it comes, and has to be answered as such. */
  readonly isSound?: boolean
}

const whole = (head: (extra: string) => string): string => head(`content-length: ${VALIDATE.length}\r\n`) + VALIDATE

const TRICKS: readonly Trick[] = [
  {
    what: 'a request split at a byte',
    answers: 1,
    isSound: true,
    pieces: (random, head) => {
      const text = whole(head)
      const from = text.indexOf('\r\n') + 2
      const cut = from + random.below(text.length - from)
      return [text.slice(0, cut), text.slice(cut)]
    },
  },
  {
    what: 'a request byte by byte',
    answers: 1,
    isSound: true,
    pieces: (_random, head) => {
      const text = whole(head)
      const from = text.indexOf('\r\n') + 2
      return [text.slice(0, from), ...Array.from(text.slice(from))]
    },
  },
  {
    // uWebSockets.js answers 505 where the version is cut off so far: nothing was done, and the connection is closed.
    what: 'a first line split at a byte',
    answers: 1,
    pieces: (random, head) => {
      const text = whole(head)
      const cut = 1 + random.below(text.indexOf('\r\n') + 1)
      return [text.slice(0, cut), text.slice(cut)]
    },
  },
  {
    what: 'a request and its abort',
    pieces: (random, head) => [whole(head).slice(0, random.below(whole(head).length + 1))],
  },
  {
    what: 'two lengths',
    pieces: (random, head) => [
      head(`content-length: ${VALIDATE.length}\r\ncontent-length: ${random.pick([0, 1, VALIDATE.length, 5_000])}\r\n`) +
        VALIDATE +
        LIVE,
    ],
  },
  {
    what: 'a length and chunks',
    pieces: (random, head) => [
      head(`content-length: ${random.pick([0, 5, 100])}\r\ntransfer-encoding: chunked\r\n`) + `0\r\n\r\n${LIVE}`,
    ],
  },
  {
    what: 'a length that is none',
    pieces: (random, head) => [
      head(
        `content-length: ${random.pick(['-1', '+5', '0x10', '1e3', '5 5', '', ' ', '18446744073709551615', '99999999999999999999999'])}\r\n`,
      ) + VALIDATE,
    ],
  },
  {
    what: 'an encoding of transfer that is none',
    pieces: (random, head) => [
      head(
        `transfer-encoding: ${random.pick(['gzip', 'chunked, gzip', 'xchunked', 'chunked\r\ntransfer-encoding: identity', ''])}\r\n`,
      ) + `5\r\nhello\r\n0\r\n\r\n`,
    ],
  },
  {
    what: 'malformed chunks',
    pieces: (random, head) => [
      head('transfer-encoding: chunked\r\n') +
        random.pick([
          'zz\r\nabc\r\n',
          '-1\r\n\r\n',
          'ffffffffffffffff\r\nabc',
          'ffffffffffffffffff\r\nabc',
          '3\r\nabcd\r\n0\r\n\r\n',
          '3;x=y\r\nabc\r\n0\r\n\r\n',
          '3\nabc\n0\n\n',
          '\r\n\r\n',
          `${'0'.repeat(5_000)}\r\n\r\n`,
          '0\r\nx: y\r\n\r\n',
        ]),
    ],
  },
  {
    what: 'a head without end',
    pieces: (random) => [
      'GET /livez HTTP/1.1\r\n',
      ...Array.from({ length: random.pick([3, 40, 400]) }, (_, i) => `x-${i}: ${'y'.repeat(100)}\r\n`),
    ],
  },
  { what: 'an address without end', pieces: (random) => [`GET /${'a'.repeat(random.pick([5_000, 70_000, 600_000]))}`] },
  {
    what: 'a first line that is none',
    pieces: (random) => [
      `${random.pick(['GET', 'GET /livez', 'GET  /livez  HTTP/1.1', '\r\n\r\n', 'GET /livez HTTP/0.9', 'GET /livez HTTP/2.0', 'GET /livez HTTP/1.1 x', ' / HTTP/1.1', 'GET http://x/livez HTTP/1.1', 'GET \u0000 HTTP/1.1'])}\r\nhost: x\r\n\r\n`,
    ],
  },
  {
    what: 'headers that are none',
    pieces: (random) => [
      `GET /livez HTTP/1.1\r\n${random.pick(['host', ': x', 'a b: c', 'x:\u0000', 'x:y\nz:w', ' x: y', 'x : y', '\u00ff: 1', 'host: a\r\nhost: b', 'host: a\r\n b'])}\r\n\r\n`,
    ],
  },
  {
    what: 'random bytes',
    pieces: (random) => [Buffer.from(Array.from({ length: 1 + random.below(600) }, () => random.below(256)))],
  },
  { what: 'TLS', pieces: (random) => [Buffer.from(`16030102000100${'01fc0303'.repeat(1 + random.below(40))}`, 'hex')] },
  { what: 'HTTP/2', pieces: () => ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', Buffer.from('000000040000000000', 'hex')] },
  {
    what: 'h2c',
    pieces: () => [
      'GET /livez HTTP/1.1\r\nhost: x\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: x\r\n\r\n',
    ],
  },
  { what: 'a proxy protocol', pieces: () => [`PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n${LIVE}`] },
  { what: 'pages in a pipeline', answers: 1_000, isSound: true, pieces: () => [LIVE.repeat(1_000)] },
  { what: 'calls in a pipeline', pieces: (random, head) => [whole(head).repeat(random.pick([2, 10, 100]))] },
  {
    what: 'an event stream and its abort',
    pieces: (_random, head) => [head('accept: text/event-stream\r\n').replace('POST /v1/validate', 'GET /v1/events')],
  },
  {
    what: 'an export and its abort',
    pieces: (random, head) => [head('').replace('POST /v1/validate', `GET /v1/coupons?limit=200&x=${random.below(9)}`)],
  },
  {
    what: 'an import that breaks off',
    pieces: (random, head) => [
      head('content-length: 100000\r\n')
        .replace('/v1/validate', '/v1/imports/coupons')
        .replace('application/json', 'text/csv') + `code,type,value\n${'A,PERCENT,5\n'.repeat(random.below(500))}`,
    ],
  },
  {
    what: 'an upgrade that is none',
    pieces: (random) => [
      `GET /v1/ws HTTP/1.1\r\nhost: x\r\nupgrade: ${random.pick(['websocket', 'WebSocket', 'h2c', ''])}\r\nconnection: ${random.pick(['upgrade', 'close', ''])}\r\n${random.pick(['', 'sec-websocket-key: x\r\n', 'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n'])}sec-websocket-version: ${random.pick(['13', '8', '99', ''])}\r\n\r\n`,
    ],
  },
]

export class RawInputs {
  private readonly world: World

  constructor(world: World) {
    this.world = world
  }

  draw(random: SeededRandom): Input {
    const { what, pieces, answers = null, isSound = false } = random.pick(TRICKS)
    const made = pieces(random, (extra) => this.head(extra)).filter((piece) => piece.length > 0)
    return { what, way: { via: 'raw', answers, isSlow: false, isSound }, pieces: made.map(bytesOf) }
  }

  /** Requests that begin and go no further: every one has to be given up by the server. */
  slow(): Input[] {
    const body = this.head('content-length: 100000\r\n')
    const upload = body.replace('/v1/validate', '/v1/imports/coupons').replace('application/json', 'text/csv')
    const empty = this.head('content-length: 0\r\n')
    const beginnings = [
      ['nothing at all', ''],
      ['half a first line', 'GET /liv'],
      ['half a head', 'GET /livez HTTP/1.1\r\nhost: x\r\nx-a: b'],
      ['half a body', `${body}{"codes":`],
      ['half a chunk', `${this.head('transfer-encoding: chunked\r\n')}ff\r\nabc`],
      ['half a file', `${upload}code,type`],
      ['half a body that nobody wants', `${body.replace('/v1/validate', '/v1/nowhere')}{`],
      ['one request and then nothing', LIVE],
    ] as const
    const cut = empty.length - 10
    const inTwo = [Buffer.from(empty.slice(0, cut)), Buffer.from(empty.slice(cut))]
    const way = { via: 'raw', answers: null, isSlow: true, isSound: false } as const
    return [
      // uWebSockets.js does not tell of the end of a body that has none, where the head came in two.
      { what: 'an empty body behind a head in two', way, pieces: inTwo },
      ...beginnings.map(([what, text]) => ({ what, way, pieces: text === '' ? [] : [Buffer.from(text)] })),
    ]
  }

  private head(extra: string): string {
    return `POST /v1/validate HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${this.world.keys.operations}\r\ncontent-type: application/json\r\n${extra}\r\n`
  }
}

function bytesOf(piece: string | Buffer): Buffer {
  return typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece
}
