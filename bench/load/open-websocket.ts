// The client's side of a WebSocket connection, as far as load needs it: the handshake, the words of a close, a pong.

import { createHash, randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { OPCODE } from './websocket-reader.ts'

/** Connects and does the handshake of RFC 6455, without extensions. */
export async function openWebSocket(port: number): Promise<Socket> {
  const key = randomBytes(16).toString('base64')
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  const head = await new Promise<string>((resolve, reject) => {
    let text = ''
    const onData = (chunk: Buffer): void => {
      text += chunk.toString('latin1')
      if (!text.includes('\r\n\r\n')) return
      socket.off('data', onData)
      resolve(text)
    }
    socket.on('data', onData)
    socket.once('error', reject)
    socket.once('end', () => reject(new Error('the server closed the connection during the handshake')))
    socket.write(
      `GET /v1/ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        `Sec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
    )
  })
  if (!head.startsWith('HTTP/1.1 101')) throw new Error(`no WebSocket: ${head.slice(0, 300)}`)
  if (!head.includes(accept)) throw new Error('the server answered another key')
  return socket
}

export function closeWords(payload: Buffer): string {
  return payload.length < 2 ? 'no reason' : `${payload.readUInt16BE(0)} ${payload.toString('utf8', 2)}`
}

/** An empty mask is allowed and saves the masking of a frame that nobody measures. */
export function pong(payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0x80 | OPCODE.pong, 0x80 | payload.length, 0, 0, 0, 0]), payload])
}

/** A text frame of any length, masked with nothing: the mask protects proxies, and there is none. */
export function textFrame(text: string): Buffer {
  const payload = Buffer.from(text)
  const head = Buffer.alloc(14)
  head[0] = 0x80 | OPCODE.text
  head[1] = 0xff
  head.writeBigUInt64BE(BigInt(payload.length), 2)
  return Buffer.concat([head, payload])
}
