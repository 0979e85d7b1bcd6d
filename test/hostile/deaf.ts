// Clients that ask and never read, and crowds that connect and say nothing. The server has to let go of the former, and to
// bear the latter.

import { connect, type Socket } from 'node:net'
import { connectWebSocket } from '../support/ws-client.ts'

/** Far more than the kernel keeps for both ends, asked and answered. */
const HTTP_WRITES_MAX = 2_000
const FRAMES_MAX = 3_000
const CROWD = 300

/** Asks whether the server lives, over and over. */
export async function deafHttp(port: number): Promise<string[]> {
  const socket = connect(port, '127.0.0.1')
  const state = watched(socket)
  const requests = 'GET /livez HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(500)
  for (let i = 0; state.isOpen && i < HTTP_WRITES_MAX; i++) await written(socket, requests)
  const { isOpen } = state
  socket.resetAndDestroy()
  return isOpen ? ['a client that never reads its answers is served for ever'] : []
}

/** Asks for a coupon, a thousand times a frame. */
export async function deafWebSocket(port: number, key: string, code: string): Promise<string[]> {
  const client = await connectWebSocket(port, '/v1/ws', { authorization: `Bearer ${key}` })
  const state = watched(client.socket)
  const asked = Array.from({ length: 1_000 }, (_, id) => ({ id, op: 'get', coupon: code }))
  for (let i = 0; state.isOpen && i < FRAMES_MAX; i++) {
    client.say(asked)
    await written(client.socket, '')
  }
  const { isOpen } = state
  client.socket.resetAndDestroy()
  return isOpen ? ['a session that never reads is served for ever'] : []
}

/** All at once; each has to be taken, or refused, and the next one served. */
export async function crowd(port: number): Promise<string[]> {
  const sockets = await Promise.all(
    Array.from(
      { length: CROWD },
      () =>
        new Promise<Socket | null>((resolve) => {
          const socket = connect(port, '127.0.0.1', () => resolve(socket))
          socket.on('error', () => resolve(null))
        }),
    ),
  )
  const taken = sockets.filter((socket) => socket !== null)
  for (const socket of taken) socket.resetAndDestroy()
  return taken.length === CROWD ? [] : [`${CROWD - taken.length} of ${CROWD} connections were not taken`]
}

/** Reads nothing; says whether the other side is still there. */
function watched(socket: Socket): { isOpen: boolean } {
  const state = { isOpen: true }
  socket.pause()
  socket.on('error', () => undefined)
  socket.on('close', () => {
    state.isOpen = false
  })
  return state
}

/** Settles when the kernel has taken it, or there is nobody left to send it to. */
async function written(socket: Socket, bytes: string): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = (): void => resolve()
    socket.once('close', done)
    socket.write(bytes, () => {
      socket.off('close', done)
      setImmediate(done)
    })
  })
}
