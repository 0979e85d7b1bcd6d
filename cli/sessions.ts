/**
 * Puts the WebSocket sessions on the gateway's app, with the clock, the timers and the log of this process.
 */
import type { Logger } from 'pino'
import type { GatewayOptions } from '../gateway/server.ts'
import { attachWebSocket } from '../gateway/websocket/websocket.ts'

export function attachSessions(logger: Logger): NonNullable<GatewayOptions['attachSessions']> {
  return (app, services) =>
    attachWebSocket(app, services, {
      monotonicMs: () => performance.now(),
      every,
      dropped: (why, key) => logger.warn({ why, key }, 'a connection was given up'),
    })
}

function every(intervalMs: number, tick: () => void): () => void {
  const timer = setInterval(tick, intervalMs)
  return () => clearInterval(timer)
}
