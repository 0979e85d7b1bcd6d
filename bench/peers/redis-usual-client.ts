// The same way to a Redis by the client that most services use. It gathers the commands of a turn as well (auto-pipelining);
// what it costs more is a command's own: queues, promises, options. Never sends a command again by itself.

import { createClient } from 'redis'
import type { RedisConnection, RedisReply } from './redis-connection.ts'

export async function connectUsualClient(socketPath: string): Promise<RedisConnection> {
  const client = createClient({ socket: { path: socketPath, reconnectStrategy: false }, disableOfflineQueue: true })
  // A lost connection rejects the commands on it, which is where it is told.
  client.on('error', () => {})
  await client.connect()
  const send = (words: readonly string[]): Promise<RedisReply> => client.sendCommand<RedisReply>(words)
  return {
    send,
    template: (words) => (rest) => send([...words, ...rest]),
    close: async () => await client.close(),
  }
}
