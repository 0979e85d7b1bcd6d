/** Every transport there is, held to what all of them promise. */
import { BusRig } from './bus-rig.ts'
import { InProcessRig } from './in-process-rig.ts'
import { MemoryBus } from './memory-bus.ts'
import { testTransport } from './transport-suite.ts'
import { WireRig } from './wire-transport.ts'

testTransport({ name: 'rings in shared memory', make: (roomCalls) => new InProcessRig(roomCalls), faults: false })
testTransport({ name: 'a medium that loses and doubles', make: (roomCalls) => new WireRig(roomCalls), faults: true })

/** Smaller than the suite's largest call, so that it travels in parts. */
const PAYLOAD_BYTES_MAX = 6_000

testTransport({
  name: 'a bus',
  make: (roomCalls) => {
    const bus = new MemoryBus(PAYLOAD_BYTES_MAX)
    return new BusRig(bus, 'suite', { faults: bus, ...(roomCalls === undefined ? {} : { roomCalls }) })
  },
  faults: true,
})
