// The judges, shown what they have to refuse: an attack proves nothing under a judge that lets everything pass.

import { describe, expect, it, test } from 'vitest'
import type { Footprint } from '../../bench/server/footprint.ts'
import { openApiText } from '../../gateway/openapi/openapi.ts'
import { Contract, type OpenApi } from '../gateway/support/contract.ts'
import type { HttpAnswer } from '../gateway/support/gateway.ts'
import { AnswerReader } from './answer-reader.ts'
import type { Request } from './input.ts'
import {
  faultsOfAnswer,
  faultsOfClose,
  faultsOfLog,
  faultsOfMemory,
  faultsOfMessage,
  faultsOfPace,
  faultsOfRawAnswer,
} from './judge.ts'

const contract = new Contract(JSON.parse(openApiText()) as OpenApi)
const VALIDATE: Request = {
  via: 'http',
  method: 'POST',
  template: '/v1/validate',
  statuses: null,
  isWrong: false,
  mayBreak: false,
}

function refusal(status: number, code: string, headers: Record<string, string> = {}): HttpAnswer {
  const json = { type: 'urn:x', title: 'X', status, code, detail: 'why', requestId: 'r1' }
  const all = { 'content-type': 'application/problem+json', 'x-request-id': 'r1', ...headers }
  return { status, headers: all, text: JSON.stringify(json), json }
}

const VALID: HttpAnswer = {
  status: 200,
  headers: { 'content-type': 'application/json', 'x-request-id': 'r1' },
  text: '{}',
  json: { valid: true, discount: null, coupons: [] },
}
const BARE: HttpAnswer = { status: 505, headers: { connection: 'close' }, text: '<h1>', json: '<h1>' }

describe('of an answer', () => {
  test.each<[string, Request, HttpAnswer]>([
    ['a success', VALIDATE, VALID],
    ['a refusal', VALIDATE, refusal(400, 'INVALID_REQUEST')],
    ['too much at once', VALIDATE, refusal(503, 'OVERLOADED', { 'retry-after': '1' })],
    ['a path that is none', { ...VALIDATE, template: '', statuses: [404] }, refusal(404, 'NOT_FOUND')],
    ['no HTTP', { ...VALIDATE, mayBreak: true }, BARE],
  ])('%s passes', (_what, way, answer) => {
    expect(faultsOfAnswer(contract, way, answer)).toEqual([])
  })

  test.each<[string, Request, HttpAnswer, RegExp]>([
    [
      'a status that the operation does not document',
      VALIDATE,
      refusal(412, 'VERSION_CONFLICT'),
      /does not document 412/,
    ],
    ['an error of the inside', VALIDATE, refusal(500, 'INTERNAL_ERROR'), /500 INTERNAL_ERROR/],
    ['a disk that is gone', VALIDATE, refusal(503, 'STORAGE_UNAVAILABLE'), /503 STORAGE_UNAVAILABLE/],
    ['a code that there is not', VALIDATE, refusal(400, 'NOT_A_CODE'), /NOT_A_CODE is no code/],
    ['another request id', VALIDATE, refusal(400, 'INVALID_REQUEST', { 'x-request-id': 'r2' }), /request id/],
    ['no time to come back', VALIDATE, refusal(503, 'OVERLOADED'), /when to come back/],
    ['a body that is not as documented', VALIDATE, { ...VALID, json: { valid: 'yes' } }, /not as documented/],
    [
      'another media type',
      VALIDATE,
      { ...VALID, headers: { ...VALID.headers, 'content-type': 'text/html' } },
      /text\/html/,
    ],
    ['a success for what is wrong', { ...VALIDATE, isWrong: true }, VALID, /200 to what is wrong/],
    ['another status than the one that is right', { ...VALIDATE, statuses: [401] }, VALID, /200 instead of 401/],
    ['bare words to HTTP', VALIDATE, BARE, /bare 505/],
  ])('%s is a fault', (_what, way, answer, fault) => {
    expect(faultsOfAnswer(contract, way, answer).join('; ')).toMatch(fault)
  })

  it('outside of any operation may be bare only where the request was none', () => {
    expect(faultsOfRawAnswer(BARE, false)).toEqual([])
    expect(faultsOfRawAnswer(BARE, true)).toEqual(['a bare 505'])
    expect(faultsOfRawAnswer(refusal(500, 'INTERNAL_ERROR'), false)).toEqual(['500 INTERNAL_ERROR'])
    expect(faultsOfRawAnswer({ ...BARE, status: 500 }, false)).toEqual(['a bare 500'])
  })
})

describe('of a message', () => {
  const error = { status: 400, code: 'INVALID_REQUEST', detail: 'why' }
  test.each<[unknown]>([
    [{ id: 1, ok: true, result: null }],
    [{ id: 1, ok: true, outcomes: [], discounts: [] }],
    [{ id: null, ok: false, error }],
    [{ topic: 'coupon:X', uses: 1, reserved: 0, remaining: null, status: 'ACTIVE' }],
  ])('%j passes', (message) => {
    expect(faultsOfMessage(message)).toEqual([])
  })

  test.each<[unknown, string]>([
    [null, 'a message that is no object'],
    [{ id: 1 }, 'neither an answer nor a push'],
    [{ ok: true, result: 1 }, 'an answer without an id'],
    [{ id: 1, ok: true }, 'an answer without a result'],
    [{ id: 1, ok: false, error: { ...error, code: 'X' } }, 'X is no code'],
    [{ id: 1, ok: false, error: { ...error, detail: '' } }, 'INVALID_REQUEST without a detail'],
    [{ id: 1, ok: false, error: { ...error, status: 500, code: 'INTERNAL_ERROR' } }, '500 INTERNAL_ERROR'],
  ])('%j is a fault', (message, fault) => {
    expect(faultsOfMessage(message)).toEqual([fault])
  })

  it('a close has a code of the protocol', () => {
    expect(faultsOfClose(1009)).toEqual([])
    expect(faultsOfClose(1011)).toEqual(['closed with 1011'])
  })
})

it('a line of the log that tells of an error is a fault', () => {
  expect(faultsOfLog([{ level: 30 }, { level: 40, msg: 'slow' }])).toEqual([])
  expect(faultsOfLog([{ level: 50, msg: 'x' }])).toHaveLength(1)
})

describe('of a bystander', () => {
  /** One latency in so many is slow. */
  const latencies = (slowMs: number, every: number): number[] =>
    Array.from({ length: 1_000 }, (_, i) => (i % every === 0 ? slowMs : 2))

  it('twice its p99 passes, more is a fault', () => {
    expect(faultsOfPace(latencies(5, 50), latencies(10, 50))).toEqual([])
    expect(faultsOfPace(latencies(5, 50), latencies(10.1, 50))).toEqual([
      "the bystander's p99 is 10.1 ms under attack, 5.0 ms without",
    ])
  })

  it('what happens to fewer than one in a hundred is not its p99', () => {
    expect(faultsOfPace(latencies(5, 50), latencies(1_000, 101))).toEqual([])
  })

  it('a handful of orders proves nothing', () => {
    expect(faultsOfPace([1, 2, 3], latencies(1, 2))).toHaveLength(1)
  })
})

describe('of memory', () => {
  const MIB = 1_048_576
  /** A sample a second for five minutes: so much grows a minute, beside a state that grows too. */
  function samples(mibPerMinute: number, peakMib = 0): Footprint[] {
    return Array.from({ length: 300 }, (_, i) => ({
      atMs: 1_000_000 + i * 1_000,
      stateBytes: i * 1_000_000,
      anonymousBytes: 150 * MIB + i * 1_000_000 + (mibPerMinute * MIB * i) / 60 + (i % 10 === 0 ? peakMib * MIB : 0),
      searchBytes: 0,
      readModelLagMs: 0,
    }))
  }

  it('flat beside a growing state, with peaks, passes', () => {
    expect(faultsOfMemory(samples(0.5, 40))).toEqual([])
  })

  it('growing beside the state is a fault', () => {
    expect(faultsOfMemory(samples(2))).toEqual(['memory less state grows by 2048 KiB a minute'])
    expect(faultsOfMemory(samples(2).slice(0, 10))).toHaveLength(1)
  })

  it('what grows before it is warm does not count', () => {
    const warming = samples(0).map((sample, i) => ({
      ...sample,
      anonymousBytes: sample.anonymousBytes + Math.min(i, 80) * MIB,
    }))
    expect(faultsOfMemory(warming)).toEqual([])
  })
})

describe('the reader of answers', () => {
  const ANSWERS =
    'HTTP/1.1 100 Continue\r\n\r\n' +
    'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n{"a":1}' +
    'HTTP/1.1 204 No Content\r\nX: y\r\n\r\n' +
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n' +
    'HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n<h1>'

  it('finds them however they come', () => {
    for (let cut = 0; cut < ANSWERS.length; cut++) {
      const reader = new AnswerReader()
      const found: HttpAnswer[] = []
      const takeAll = (): void => {
        for (let answer = reader.take(); answer !== null; answer = reader.take()) found.push(answer)
      }
      for (const piece of [ANSWERS.slice(0, cut), ANSWERS.slice(cut)]) {
        reader.feed(Buffer.from(piece))
        takeAll()
      }
      reader.end()
      takeAll()
      expect(found.map(({ status, text }) => [status, text])).toEqual([
        [200, '{"a":1}'],
        [204, ''],
        [200, 'abcde'],
        [400, '<h1>'],
      ])
      expect(found[0]?.json).toEqual({ a: 1 })
      expect(reader.left).toBe(0)
    }
  })

  it('refuses what is no HTTP', () => {
    const reader = new AnswerReader()
    reader.feed(Buffer.from('SSH-2.0-x\r\n\r\n'))
    expect(() => reader.take()).toThrow('no answer of HTTP')
  })
})
