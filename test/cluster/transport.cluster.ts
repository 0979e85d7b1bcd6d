/** The transport over a real NATS, held to what every transport promises. */
import { afterAll, beforeAll } from 'vitest'
import { NatsBus } from '../../engine/transport/nats/connection.ts'
import { BusRig } from '../conformance/bus-rig.ts'
import { testTransport } from '../conformance/transport-suite.ts'
import { NatsServer } from './nats-server.ts'

let nats: NatsServer
let bus: NatsBus
let rigs = 0

beforeAll(async () => {
  nats = await NatsServer.start()
  bus = await NatsBus.connect({ url: nats.url, name: 'suite', onDisconnected: () => {}, onReconnected: () => {} })
})

afterAll(async () => {
  await bus.close()
  await nats.kill()
})

testTransport({
  name: 'NATS',
  make: (roomCalls) => new BusRig(bus, `suite-${rigs++}`, roomCalls === undefined ? {} : { roomCalls }),
  // A server that is well loses and doubles nothing; what comes of it stands in the suite over the bus in memory.
  faults: false,
})
