// The product's gateway over a peer's store, as a process of its own: the same routes, decoding, rendering and meters.
// On SIGTERM it ends what is in flight, as the product does, so that counts afterwards are final.

import { randomBytes } from 'node:crypto'
import { Router } from '../../engine/routing.ts'
import { createLogger } from '../../gateway/operator/log.ts'
import { startGateway } from '../../gateway/server.ts'
import { answerParent } from '../children.ts'
import { openStore, type PeerDesign } from './designs.ts'
import { PeerTransport } from './peer-transport.ts'

answerParent(async (design: PeerDesign) => {
  const logger = createLogger('warn')
  const store = await openStore(design)
  const transport = new PeerTransport(store, Date.now, (error) => logger.error({ err: error }, 'a call failed'))
  const gateway = await startGateway({
    host: '127.0.0.1',
    port: 0,
    transport,
    router: new Router(transport.shards, randomBytes(32)),
    authenticator: null,
    logger,
    health: {
      ready: () => true,
      progress: () => ({ events: 0, eventsTotal: 0, elapsedMs: 0 }),
      durability: 'flush',
      failed: () => null,
      snapshots: () => ({ madeAtMs: null, eventsBehind: 0, archiveBytes: null }),
      reconciliation: () => ({
        endedAtMs: null,
        countersCompared: 0,
        roundsForAll: null,
        differences: 0,
        lastDifferenceAtMs: null,
      }),
    },
    nowMs: () => performance.now(),
    random: randomBytes,
    attachSessions: null,
  })
  process.once('SIGTERM', () => {
    void (async () => {
      await gateway.close()
      await transport.idle()
      await store.close()
      process.exit(0)
    })()
  })
  return { port: gateway.port }
})
