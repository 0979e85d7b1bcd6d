// The ceiling: what uWebSockets.js itself can answer on this machine, with everything of ours taken out.
//
// It reads the headers that the product reads, collects and parses the body with `JSON.parse`, and answers the status,
// the headers and the body that the product gave to one such request, so that both send the same number of bytes. It
// decides nothing, stores nothing and waits for nothing. A process of its own, as the product is.

import * as uWS from 'uWebSockets.js'
import { answerParent } from '../children.ts'
import type { SampleAnswer } from './sample.ts'

export interface BareServerInput {
  readonly port: number
  readonly answers: Readonly<Record<string, SampleAnswer>>
}

/** What the gateway reads of every checkout call. One header too many here would flatter every ratio. */
const READ_HEADERS = ['content-type', 'authorization', 'x-request-id', 'traceparent'] as const

function answerWith(answer: SampleAnswer): (res: uWS.HttpResponse, req: uWS.HttpRequest) => void {
  return (res, req) => {
    let aborted = false
    res.onAborted(() => {
      aborted = true
    })
    let headerLetters = 0
    for (const name of READ_HEADERS) headerLetters += req.getHeader(name).length
    let held: Buffer | undefined
    res.onData((chunk, last) => {
      const bytes = Buffer.from(chunk)
      if (!last) {
        // Copied: the chunk's memory is gone after this call.
        held = Buffer.concat(held === undefined ? [bytes] : [held, bytes])
        return
      }
      const whole = held === undefined ? bytes : Buffer.concat([held, bytes])
      const body = JSON.parse(whole.toString()) as { codes?: unknown }
      if (aborted || headerLetters === 0 || body.codes === undefined) return
      res.cork(() => {
        res.writeStatus(answer.status)
        for (const [name, value] of answer.headers) res.writeHeader(name, value)
        res.end(answer.body)
      })
    })
  }
}

answerParent((input: BareServerInput) => {
  const app = uWS.App()
  for (const [path, answer] of Object.entries(input.answers)) app.post(path, answerWith(answer))
  return new Promise<{ port: number }>((resolve, reject) => {
    app.listen('127.0.0.1', input.port, (socket) => {
      if (socket === false) reject(new Error(`the bare server cannot listen on port ${input.port}`))
      else resolve({ port: input.port })
    })
  })
})
