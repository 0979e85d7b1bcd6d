// The judge on traces written by hand: what it must accept, and every way to be early that it must see.

import { describe, expect, it } from 'vitest'
import { judgeTrace, type Told } from './judge.ts'
import { tracedCalls } from './strace-lines.ts'

const SEGMENT = '/d/lanes/00/000001.mdb'
const SOCKET = 'TCP:[127.0.0.1:80->127.0.0.1:9]'
const PATTERN = /ord-\d+/g
const TOLD: Told = { orders: new Set(['ord-1', 'ord-2']), rowsOf: new Map(), winnersOf: new Map() }

let clock = 0
/** A line of a thread; times only have to look like some. */
function line(thread: number, text: string): string {
  clock += 0.000_1
  return `${thread} ${(1_700_000_000 + clock).toFixed(6)} ${text}`
}

function pages(text: string, offset = 8_192): string {
  return line(7, `pwrite64(25<${SEGMENT}>, "\\2\\0${text}\\0", ${text.length + 3}, ${offset}) = ${text.length + 3}`)
}

const root = (): string => line(7, `pwrite64(25<${SEGMENT}>, "\\1\\0\\0\\0", 4, 40) = 4`)
const flush = (): string => line(9, `fdatasync(27<${SEGMENT}>) = 0`)

function receipt(order: string): string {
  const body = `{\\"redemptionId\\":\\"rdm_1\\",\\"orderId\\":\\"${order}\\"}`
  const length = body.replaceAll('\\', '').length
  const head = `HTTP/1.1 201 Created\\r\\ncontent-length: ${length}\\r\\n\\r\\n`
  const bytes = head.replaceAll(/\\./g, '.').length + length
  return line(3, `sendto(23<${SOCKET}>, "${head}${body}", ${bytes}, MSG_NOSIGNAL, NULL, 0) = ${bytes}`)
}

function violationsOf(...lines: readonly string[]): readonly string[] {
  return judgeTrace(lines.join('\n'), TOLD, PATTERN).violations
}

describe('the judge of traces', () => {
  it('accepts a reply behind pages, root and flush', () => {
    const judged = judgeTrace([pages('ord-1'), root(), flush(), receipt('ord-1')].join('\n'), TOLD, PATTERN)
    expect(judged).toMatchObject({ acknowledgements: 1, flushes: 1, violations: [] })
  })

  it('sees a reply before the flush', () => {
    expect(violationsOf(pages('ord-1'), root(), receipt('ord-1'), flush())).toHaveLength(1)
  })

  it('sees a reply that leaves while the flush is under way', () => {
    const begun = line(9, `fdatasync(27<${SEGMENT}> <unfinished ...>`)
    const ended = line(9, '<... fdatasync resumed>) = 0')
    expect(violationsOf(pages('ord-1'), root(), begun, receipt('ord-1'), ended)).toHaveLength(1)
    expect(violationsOf(pages('ord-1'), root(), begun, ended, receipt('ord-1'))).toHaveLength(0)
  })

  it('does not count a flush that began before the pages or the root were written', () => {
    expect(violationsOf(flush(), pages('ord-1'), root(), receipt('ord-1'))).toHaveLength(1)
    expect(violationsOf(pages('ord-1'), flush(), root(), receipt('ord-1'))).toHaveLength(1)
    const begun = line(9, `fdatasync(27<${SEGMENT}> <unfinished ...>`)
    const ended = line(9, '<... fdatasync resumed>) = 0')
    expect(violationsOf(pages('ord-1'), begun, root(), ended, receipt('ord-1'))).toHaveLength(1)
  })

  it('does not count a failed flush, a short write or a flush of another file', () => {
    const failed = line(9, `fdatasync(27<${SEGMENT}>) = -1 EIO (Input/output error)`)
    expect(violationsOf(pages('ord-1'), root(), failed, receipt('ord-1'))).toHaveLength(1)
    const other = line(9, 'fdatasync(28</d/lanes/01/000001.mdb>) = 0')
    expect(violationsOf(pages('ord-1'), root(), other, receipt('ord-1'))).toHaveLength(1)
    const short = line(7, `pwrite64(25<${SEGMENT}>, "ord-1", 5, 8192) = 2`)
    expect(violationsOf(short, root(), flush(), receipt('ord-1'))).toHaveLength(1)
  })

  it('sees an order that was never written, and takes the first flush of one that was written twice', () => {
    expect(violationsOf(pages('ord-1'), root(), flush(), receipt('ord-2'))).toHaveLength(1)
    expect(violationsOf(pages('ord-1'), root(), flush(), receipt('ord-1'), pages('ord-1 ord-2'), root())).toHaveLength(
      0,
    )
  })

  it('holds messages, rows, refusals and counters to the same', () => {
    const told: Told = {
      orders: TOLD.orders,
      rowsOf: new Map([['m1', ['ord-1', 'ord-2']]]),
      winnersOf: new Map([['C', ['ord-1', 'ord-2']]]),
    }
    const upgrade = line(3, `sendto(23<${SOCKET}>, "HTTP/1.1 101 Switching\\r\\n\\r\\n", 26, 0, NULL, 0) = 26`)
    const frame = (json: string): string => {
      const bytes = json.length + 2
      return line(
        3,
        `sendto(23<${SOCKET}>, "\\${(0x81).toString(8)}\\${json.length.toString(8).padStart(3, '0')}${json.replaceAll('"', '\\"')}", ${bytes}, 0, NULL, 0) = ${bytes}`,
      )
    }
    const judge = (...lines: readonly string[]) => judgeTrace([upgrade, ...lines].join('\n'), told, PATTERN)
    const rows = frame('{"id":"m1","ok":true,"outcomes":[0,1],"discounts":[1,1]}')
    expect(judge(pages('ord-1'), root(), flush(), pages('ord-2'), rows, root(), flush())).toMatchObject({
      acknowledgements: 2,
      violations: [expect.stringContaining('ord-2')],
    })
    const refused = frame('{"id":"m2","ok":false,"error":{"code":"COUPON_EXHAUSTED","coupon":"C"}}')
    expect(judge(pages('ord-1'), root(), flush(), pages('ord-2'), refused).violations).toHaveLength(1)
    expect(judge(pages('ord-1 ord-2'), root(), flush(), refused)).toMatchObject({ refusals: 1, violations: [] })
    const read = frame('{"id":"m3","ok":true,"result":{"couponId":"c","code":"C","uses":2}}')
    expect(judge(pages('ord-1'), root(), flush(), pages('ord-2'), read).violations).toHaveLength(1)
    expect(judge(pages('ord-1 ord-2'), root(), flush(), read)).toMatchObject({ reads: 1, violations: [] })
  })

  it('reads escapes, and a call whose end the trace does not have', () => {
    const [call] = tracedCalls(line(1, 'write(3</a>, "a\\0012\\t\\"\\\\\\377\\n", 9 <unfinished ...>'))
    expect(call).toMatchObject({
      name: 'write',
      target: '/a',
      bytes: 'a\u{1}2\t"\\\u{ff}\n',
      result: -1,
      endsAt: Number.POSITIVE_INFINITY,
    })
  })
})
