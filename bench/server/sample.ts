// The product's real answer to one request, so that the bare server can give the same one: status line, the headers
// that the product writes itself, and the body. What uWebSockets.js adds on its own it adds there too.

import { request } from 'node:http'

export interface SampleAnswer {
  /** Code and phrase: `201 Created`. */
  readonly status: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: string
}

/** Written by uWebSockets.js or belonging to the connection. */
const NOT_OURS = new Set(['content-length', 'connection', 'keep-alive', 'date', 'uwebsockets', 'transfer-encoding'])

/** Sends one request with the headers that the load tools send; fails when the status is not the expected one. */
export function sampleAnswer(port: number, path: string, body: string, expectedStatus: number): Promise<SampleAnswer> {
  return new Promise((resolve, reject) => {
    const sent = request(
      { host: '127.0.0.1', port, path, method: 'POST', headers: { 'Content-Type': 'application/json' } },
      (answer) => {
        const chunks: Buffer[] = []
        answer.on('data', (chunk: Buffer) => chunks.push(chunk))
        answer.on('error', reject)
        answer.on('end', () => {
          const text = Buffer.concat(chunks).toString()
          if (answer.statusCode !== expectedStatus) {
            reject(
              new Error(`${path} answered ${answer.statusCode} instead of ${expectedStatus}: ${text.slice(0, 300)}`),
            )
            return
          }
          const headers: [string, string][] = []
          for (let index = 0; index + 1 < answer.rawHeaders.length; index += 2) {
            const name = answer.rawHeaders[index] as string
            if (!NOT_OURS.has(name.toLowerCase())) headers.push([name, answer.rawHeaders[index + 1] as string])
          }
          resolve({ status: `${answer.statusCode} ${answer.statusMessage ?? ''}`.trimEnd(), headers, body: text })
        })
      },
    )
    sent.setTimeout(5_000, () => sent.destroy(new Error(`${path} gave no answer within 5 s`)))
    sent.on('error', reject)
    sent.end(body)
  })
}
