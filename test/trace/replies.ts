// What left over sockets, put together again: for each connection its bytes, cut into HTTP answers and WebSocket frames, each
// with the place in the trace where its first byte was handed to the system.

import type { TracedCall } from './strace-lines.ts'

export interface Reply {
  /** The line in which the call began that carried its first byte. */
  readonly leavesAt: number
  readonly atSeconds: number
  /** 0 over WebSocket. */
  readonly status: number
  /** `shard:seq@timeMs`, several with commas between; '' where it names none. */
  readonly position: string
  /** Parsed JSON, empty where there is none; a frame with an array gives a reply for each message. */
  readonly body: Record<string, unknown>
}

interface Stream {
  bytes: string
  /** Where each call's bytes begin in `bytes`. */
  readonly pieces: { readonly from: number; readonly call: TracedCall }[]
}

const SENDS: ReadonlySet<string> = new Set(['write', 'writev', 'send', 'sendto', 'sendmsg'])

/** Throws when a connection carried something else than the two protocols. */
export function repliesOf(calls: readonly TracedCall[]): Reply[] {
  const streams = new Map<string, Stream>()
  for (const call of calls) {
    if (!SENDS.has(call.name) || !call.target.startsWith('TCP:') || call.bytes === '' || call.result === 0) continue
    const stream = streams.get(call.target) ?? { bytes: '', pieces: [] }
    streams.set(call.target, stream)
    stream.pieces.push({ from: stream.bytes.length, call })
    // A call whose end was not seen may have sent all of it.
    stream.bytes += call.result > 0 ? call.bytes.slice(0, call.result) : call.bytes
  }
  return [...streams.values()].flatMap((stream) => cut(stream)).sort((a, b) => a.leavesAt - b.leavesAt)
}

function cut(stream: Stream): Reply[] {
  const replies: Reply[] = []
  let at = 0
  let isWebSocket = false
  while (at < stream.bytes.length) {
    if (isWebSocket) {
      const frame = frameAt(stream.bytes, at)
      if (frame === null) break
      if (frame.isText)
        replies.push(...messagesOf(frame.payload).map((body) => replyAt(stream, at, 0, positionOf(body), body)))
      at = frame.end
      continue
    }
    const headEnd = stream.bytes.indexOf('\r\n\r\n', at)
    if (headEnd < 0) break
    const head = stream.bytes.slice(at, headEnd)
    const status = Number(head.slice(9, 12))
    if (!head.startsWith('HTTP/1.1 ')) throw new Error(`no answer begins with ${JSON.stringify(head.slice(0, 80))}`)
    const length = Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0)
    const body = Buffer.from(stream.bytes.slice(headEnd + 4, headEnd + 4 + length), 'latin1').toString('utf8')
    const position = /^x-tearoff-position: (\S+)/im.exec(head)?.[1] ?? ''
    const content = body.startsWith('{') ? (JSON.parse(body) as Record<string, unknown>) : {}
    replies.push(replyAt(stream, at, status, position, content))
    isWebSocket = status === 101
    at = headEnd + 4 + length
  }
  return replies
}

function replyAt(
  { pieces }: Stream,
  at: number,
  status: number,
  position: string,
  body: Record<string, unknown>,
): Reply {
  const { call } = pieces.findLast(({ from }) => from <= at) as Stream['pieces'][number]
  return { leavesAt: call.beginsAt, atSeconds: call.atSeconds, status, position, body }
}

function frameAt(
  bytes: string,
  at: number,
): { readonly payload: string; readonly isText: boolean; readonly end: number } | null {
  const short = bytes.charCodeAt(at + 1) & 127
  const start = at + (short === 126 ? 4 : short === 127 ? 10 : 2)
  if (bytes.length < start) return null
  let length = short
  if (short >= 126) {
    length = 0
    for (let i = at + 2; i < start; i++) length = length * 256 + bytes.charCodeAt(i)
  }
  if (bytes.length < start + length) return null
  return { payload: bytes.slice(start, start + length), isText: (bytes.charCodeAt(at) & 15) === 1, end: start + length }
}

function messagesOf(payload: string): Record<string, unknown>[] {
  const content: unknown = JSON.parse(Buffer.from(payload, 'latin1').toString('utf8'))
  return (Array.isArray(content) ? content : [content]) as Record<string, unknown>[]
}

function positionOf({ position }: Record<string, unknown>): string {
  return typeof position === 'string' ? position : ''
}
