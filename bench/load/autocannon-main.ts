// autocannon as a process of its own, with the requests that the script of wrk makes. Used where wrk is missing.

import autocannon from 'autocannon'
import { readFileSync } from 'node:fs'
import { answerParent } from '../children.ts'
import type { ClosedLoopInput, ClosedLoopResult } from './closed-loop.ts'
import { redeemBody, validateBody } from './redeem-request.ts'

answerParent(async (input: ClosedLoopInput): Promise<ClosedLoopResult> => {
  const codes = readFileSync(input.codesFile, 'utf8').trimEnd().split('\n')
  const bodyOf = input.kind === 'redeem' ? redeemBody : validateBody
  let number = 0
  const result = await autocannon({
    url: `http://127.0.0.1:${input.port}`,
    connections: input.connections,
    duration: input.seconds,
    pipelining: 1,
    requests: [
      {
        method: 'POST',
        path: input.kind === 'redeem' ? '/v1/redemptions' : '/v1/validate',
        headers: { 'content-type': 'application/json' },
        setupRequest: (request) => {
          request.body = bodyOf(codes[number % codes.length] as string, input.tag, number)
          number += 1
          return request
        },
      },
    ],
  })
  return {
    succeeded: result['2xx'],
    errors: result.non2xx + result.errors,
    seconds: result.duration,
    succeededPerSecond: result['2xx'] / result.duration,
  }
})
