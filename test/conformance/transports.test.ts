/** Every transport there is, held to what all of them promise. */
import { InProcessRig } from './in-process-rig.ts'
import { testTransport } from './transport-suite.ts'
import { WireRig } from './wire-transport.ts'

testTransport({ name: 'rings in shared memory', make: (roomCalls) => new InProcessRig(roomCalls), faults: false })
testTransport({ name: 'a medium that loses and doubles', make: (roomCalls) => new WireRig(roomCalls), faults: true })
