// Users who claim coupons of a campaign over WebSocket, in frames of many messages, some frames in flight; some of those who
// get one redeem it at once.
//
//   [{id, op: "claim", campaignId, userId}, …] ──▶ [{id, ok, result: {coupon, reservationId, …}}, …]
//
// A closed loop on purpose: this measures throughput. Every answer is read, because who got which coupon is what is checked.

import { performance } from 'node:perf_hooks'
import { closeWords, openWebSocket, pong, textFrame } from './open-websocket.ts'
import { OPCODE, WebSocketReader } from './websocket-reader.ts'

export interface ClaimsInput {
  readonly port: number
  readonly campaignId: string
  /** Users are numbered `[firstUser, endUser)`. */
  readonly firstUser: number
  readonly endUser: number
  readonly messagesPerFrame: number
  readonly framesInFlight: number
  readonly connections: number
  /** Who has a coupon redeems it, but for every so manieth; 0: nobody redeems. */
  readonly letGoEvery: number
}

export interface ClaimsResult {
  readonly claims: number
  readonly redemptions: number
  /** Refusals by code. */
  readonly refused: Readonly<Record<string, number>>
  /** Coupon of each claim that got one, in the order of the answers, and whether it was redeemed. */
  readonly handedOut: readonly { readonly user: number; readonly code: string; readonly redeemed: boolean }[]
  readonly elapsedSeconds: number
  /** Claims answered, with a coupon or without. */
  readonly answeredPerSecond: number
  /** Share of one core that the client itself used. */
  readonly clientCpu: number
}

const SILENCE_LIMIT_MS = 15_000
const CART = '{"orderTotal":4999,"currency":"EUR"}'

interface Message {
  readonly id: number
  readonly ok: boolean
  readonly result?: { readonly coupon?: { readonly code: string }; readonly reservationId?: string }
  readonly error?: { readonly code: string; readonly detail: string }
}

interface Held {
  readonly user: number
  readonly code: string
  redeemed: boolean
}

export async function runClaims(input: ClaimsInput): Promise<ClaimsResult> {
  const crowd = new Crowd(input)
  const cpuBefore = process.cpuUsage()
  const startMs = performance.now()
  await Promise.all(Array.from({ length: input.connections }, async () => await connection(input, crowd)))
  const elapsedSeconds = (performance.now() - startMs) / 1_000
  const cpu = process.cpuUsage(cpuBefore)
  const { claims, redemptions, refused, handedOut } = crowd
  return {
    claims,
    redemptions,
    refused: Object.fromEntries(refused),
    handedOut,
    elapsedSeconds,
    answeredPerSecond: (claims + crowd.claimsRefused) / elapsedSeconds,
    clientCpu: (cpu.user + cpu.system) / 1e6 / elapsedSeconds,
  }
}

/** What all connections share: who comes next, and what became of everybody. */
class Crowd {
  claims = 0
  claimsRefused = 0
  redemptions = 0
  readonly refused = new Map<string, number>()
  readonly handedOut: Held[] = []
  private readonly input: ClaimsInput
  private readonly purchases: { readonly held: Held; readonly reservationId: string }[] = []
  private next: number

  constructor(input: ClaimsInput) {
    this.input = input
    this.next = input.firstUser
  }

  /** The next message and who waits for it; null: nobody comes any more. */
  take(id: number): { readonly text: string; readonly user: number; readonly held: Held | null } | null {
    const purchase = this.purchases.pop()
    if (purchase !== undefined) {
      const { held, reservationId } = purchase
      const text = `{"id":${id},"op":"redeemReservation","reservationId":"${reservationId}","orderId":"o${held.user}","cart":${CART}}`
      return { text, user: held.user, held }
    }
    if (this.next >= this.input.endUser) return null
    const user = this.next++
    const text = `{"id":${id},"op":"claim","campaignId":"${this.input.campaignId}","userId":"u${user}"}`
    return { text, user, held: null }
  }

  answered(user: number, held: Held | null, { result, error }: Message): void {
    if (held !== null) {
      if (error !== undefined) throw new Error(`a held coupon was not redeemed: ${error.code}, ${error.detail}`)
      held.redeemed = true
      this.redemptions++
      return
    }
    if (error !== undefined) {
      this.claimsRefused++
      this.refused.set(error.code, (this.refused.get(error.code) ?? 0) + 1)
      return
    }
    const code = result?.coupon?.code
    const reservationId = result?.reservationId
    if (code === undefined || reservationId === undefined) throw new Error(`a claim answered ${JSON.stringify(result)}`)
    this.claims++
    const got: Held = { user, code, redeemed: false }
    this.handedOut.push(got)
    const { letGoEvery } = this.input
    if (letGoEvery > 0 && this.claims % letGoEvery !== 0) this.purchases.push({ held: got, reservationId })
  }
}

async function connection(input: ClaimsInput, crowd: Crowd): Promise<void> {
  const socket = await openWebSocket(input.port)
  const waiting = new Map<number, { readonly user: number; readonly held: Held | null }>()
  let lastId = 0
  let lastAnswerMs = performance.now()
  const silence = setInterval(() => {
    if (performance.now() - lastAnswerMs > SILENCE_LIMIT_MS) socket.destroy(new Error('no answer for long'))
  }, 1_000)
  const send = (): void => {
    const messages: string[] = []
    while (messages.length < input.messagesPerFrame) {
      const next = crowd.take(lastId + 1)
      if (next === null) break
      waiting.set(++lastId, next)
      messages.push(next.text)
    }
    if (messages.length > 0) socket.write(textFrame(`[${messages.join(',')}]`))
  }
  try {
    await new Promise<void>((resolve, reject) => {
      const hear = (message: Message): void => {
        const asked = waiting.get(message.id)
        if (asked === undefined) throw new Error(`an answer to nothing: ${JSON.stringify(message)}`)
        waiting.delete(message.id)
        crowd.answered(asked.user, asked.held, message)
      }
      const reader = new WebSocketReader((opcode, payload) => {
        if (opcode === OPCODE.ping) socket.write(pong(payload))
        else if (opcode === OPCODE.close) reject(new Error(`closed by the server: ${closeWords(payload)}`))
        if (opcode !== OPCODE.text) return
        lastAnswerMs = performance.now()
        const frame = JSON.parse(payload.toString('utf8')) as Message | readonly Message[]
        for (const message of Array.isArray(frame) ? (frame as readonly Message[]) : [frame as Message]) hear(message)
        while (waiting.size <= input.messagesPerFrame * (input.framesInFlight - 1)) {
          const before = waiting.size
          send()
          if (waiting.size === before) break
        }
        if (waiting.size === 0) resolve()
      })
      socket.on('data', (chunk: Buffer) => {
        try {
          reader.feed(chunk, chunk.length)
        } catch (cause) {
          reject(cause)
        }
      })
      socket.once('error', reject)
      socket.once('close', () => reject(new Error('the server closed the connection')))
      for (let frame = 0; frame < input.framesInFlight; frame++) send()
      if (waiting.size === 0) resolve()
    })
  } finally {
    clearInterval(silence)
    socket.destroy()
  }
}
