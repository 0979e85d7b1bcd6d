/**
 * The in-process transport beyond what all transports promise (test/conformance): the bell, and answers that stand in the ring
 * when it closes.
 */
import { describe, expect, test } from 'vitest'
import { SETTLED, type Settled } from '../../../engine/transport/port.ts'
import { InProcessRig } from '../../conformance/in-process-rig.ts'
import type { Arrival } from '../../conformance/transport-suite.ts'

describe('a call', () => {
  test('finds the bell of a worker that sleeps, after the turn in which it was made', async () => {
    const rig = new InProcessRig()
    const awake = new Promise<void>((resolve) => rig.requests.whenReadable(resolve))
    rig.transport.call(1, Uint8Array.of(7), 1, { settled: () => {} })
    await awake
    expect(await rig.arrivals(1)).toMatchObject([{ shard: 1, bytes: [7] }])
  })

  test('gives its slot to the next one', async () => {
    const rig = new InProcessRig()
    for (let i = 0; i < 20; i++) {
      const settled = new Promise<void>((resolve) =>
        rig.transport.call(0, Uint8Array.of(i), 1, { settled: () => resolve() }),
      )
      const [arrival] = (await rig.arrivals(1)) as [Arrival]
      expect(arrival).toMatchObject({ bytes: [i], token: 0 })
      rig.answer(arrival, [])
      await settled
    }
  })
})

describe('a transport that is closed', () => {
  test('delivers the answers that are in its ring first', async () => {
    const rig = new InProcessRig()
    const settledAs: Settled[] = []
    rig.transport.call(0, Uint8Array.of(1), 1, { settled: (kind) => settledAs.push(kind) })
    const [arrival] = (await rig.arrivals(1)) as [Arrival]
    rig.answer(arrival, [1])
    rig.transport.close(SETTLED.UNKNOWN)
    expect(settledAs).toEqual([SETTLED.ANSWERED])
  })
})
