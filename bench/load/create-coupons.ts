// Creates described coupons over many connections, each with one request under way: how a directory of the workloads that search
// comes to its size.

import { connect } from 'node:net'
import { Descriptions } from './descriptions.ts'
import { HttpReplyReader } from './http-reply.ts'

export interface CreateCouponsInput {
  readonly port: number
  readonly count: number
  readonly connections: number
  readonly seed: number
}

export interface CreateCouponsResult {
  readonly created: number
  readonly elapsedMs: number
}

const REPLY_BUFFER_BYTES = 16_384
const CATEGORIES = 50
const MERCHANTS = 1_000
const CODE_DIGITS = 8

/** The code of the coupon of this number. */
export function describedCode(number: number): string {
  return `D${String(number).padStart(CODE_DIGITS, '0')}`
}

export async function createDescribedCoupons(input: CreateCouponsInput): Promise<CreateCouponsResult> {
  const descriptions = new Descriptions(input.seed)
  const startMs = performance.now()
  let next = 0
  const nextRequest = (): string | null => {
    if (next === input.count) return null
    const number = next++
    return request(number, descriptions.next())
  }
  await Promise.all(
    Array.from({ length: Math.min(input.connections, input.count) }, async () => await lane(input.port, nextRequest)),
  )
  return { created: next, elapsedMs: performance.now() - startMs }
}

function request(number: number, description: string): string {
  const body = JSON.stringify({
    code: describedCode(number),
    type: 'PERCENT',
    value: 10,
    description,
    category: `category${number % CATEGORIES}`,
    merchantId: `merchant${number % MERCHANTS}`,
    listed: number % 2 === 0,
  })
  return (
    'POST /v1/coupons HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n' +
    `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
  )
}

/** One connection, until there is nothing more to ask for. */
async function lane(port: number, nextRequest: () => string | null): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const buffer = Buffer.allocUnsafeSlow(REPLY_BUFFER_BYTES)
    const reader = new HttpReplyReader()
    const send = (): void => {
      const text = nextRequest()
      if (text === null) socket.end(resolve)
      else socket.write(text)
    }
    const received = (length: number): boolean => {
      const status = reader.feed(buffer, length)
      if (status === 0) return true
      if (status === 201) send()
      else socket.destroy(new Error(`a coupon was not created: ${status} ${reader.lastBody.slice(0, 300)}`))
      return true
    }
    const socket = connect({ port, host: '127.0.0.1', noDelay: true, onread: { buffer, callback: received } })
    socket.once('error', reject)
    socket.once('connect', send)
  })
}
