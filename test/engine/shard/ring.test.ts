/**
 * The byte ring: every frame comes out as it went in, in order, whatever the place it begins at; and nobody sleeps through a
 * wake-up. The last test runs across threads, on the compiled ring (threads run no TypeScript).
 */
import { once } from 'node:events'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'
import { describe, expect, test } from 'vitest'
import { RingConsumer, ringMemory, RingProducer } from '../../../engine/transport/byte-ring.ts'
import { PROJECT_ROOT } from '../../support/project.ts'
import { SeededRandom } from '../../support/seeded-random.ts'

const CAPACITY = 256
const HEAD_BYTES = 12

interface Frame {
  readonly wordA: number
  readonly wordB: number
  readonly bytes: readonly number[]
}

function ends(capacity = CAPACITY): { producer: RingProducer; consumer: RingConsumer } {
  const memory = ringMemory(capacity)
  return { producer: new RingProducer(memory), consumer: new RingConsumer(memory) }
}

function frame(number: number, length: number): Frame {
  const bytes = Array.from({ length }, (_, i) => (number * 31 + i * 7) & 255)
  return { wordA: number, wordB: 0xffff_ffff - number, bytes }
}

function push(producer: RingProducer, { wordA, wordB, bytes }: Frame): boolean {
  // Around the payload stands what must not get into the ring.
  return producer.push(wordA, wordB, Uint8Array.from([0xaa, ...bytes, 0xbb]), 1, bytes.length + 1)
}

function drained(consumer: RingConsumer, atMost = Number.POSITIVE_INFINITY): Frame[] {
  const frames: Frame[] = []
  consumer.drain((wordA, wordB, data, start, end) => {
    frames.push({ wordA, wordB, bytes: [...data.subarray(start, end)] })
    return frames.length < atMost
  })
  return frames
}

/** A ring whose next frame begins at `offset`, empty. */
function ringAt(offset: number): { producer: RingProducer; consumer: RingConsumer } {
  const pair = ends()
  let rest = offset
  while (rest > 0) {
    const size = rest > 4 * HEAD_BYTES ? HEAD_BYTES : rest
    push(pair.producer, frame(0, size - HEAD_BYTES))
    drained(pair.consumer)
    rest -= size
  }
  return pair
}

const OFFSETS = [0, ...Array.from({ length: (CAPACITY - HEAD_BYTES) / 4 }, (_, i) => HEAD_BYTES + i * 4)]

describe('frames', () => {
  test('of every length come out whole, from every offset', () => {
    const { payloadBytesMax } = ends().producer
    for (const offset of OFFSETS) {
      for (let length = 0; length <= payloadBytesMax; length++) {
        const { producer, consumer } = ringAt(offset)
        const sent = frame(length + 1, length)
        expect(push(producer, sent)).toBe(true)
        expect(drained(consumer)).toEqual([sent])
        expect(consumer.isEmpty).toBe(true)
      }
    }
  })

  test('keep their order around the ring, many times over, in bursts of any size', () => {
    const random = new SeededRandom()
    const { producer, consumer } = ends()
    const { payloadBytesMax } = producer
    let sent = 0
    let received = 0
    let refusals = 0
    const lengths: number[] = []
    while (received < 20_000) {
      const length = random.below(4) === 0 ? random.below(payloadBytesMax + 1) : random.below(12)
      if (push(producer, frame(sent, length))) {
        lengths.push(length)
        sent++
        if (random.below(3) > 0) continue
      } else {
        refusals++
      }
      for (const one of drained(consumer, 1 + random.below(6))) {
        expect(one, `seed ${random.seed}`).toEqual(frame(received, lengths[received] as number))
        received++
      }
    }
    expect(refusals).toBeGreaterThan(100)
  })

  test('go on where the counters of written bytes pass 2^32', () => {
    const memory = ringMemory(CAPACITY)
    const producer = new RingProducer(memory)
    const consumer = new RingConsumer(memory)
    const almost = 2 ** 32 - 64
    // As if so many bytes had passed: 50 years of them would take a test too long.
    for (const [end, field] of [
      [producer, 'head'],
      [producer, 'tail'],
      [consumer, 'tail'],
    ] as const) {
      Object.assign(end, { [field]: almost })
    }
    const header = new Int32Array(memory)
    header[0] = almost | 0
    header[16] = almost | 0
    for (let i = 0; i < 20; i++) {
      expect(push(producer, frame(i, 40))).toBe(true)
      expect(drained(consumer)).toEqual([frame(i, 40)])
    }
  })

  test('beyond a full ring are refused and leave no trace; there is room again once one was taken', () => {
    const { producer, consumer } = ends()
    const sent: Frame[] = []
    for (let i = 0; push(producer, frame(i, 20)); i++) sent.push(frame(i, 20))
    expect(sent).toHaveLength(CAPACITY / 32)
    expect(push(producer, frame(99, 0))).toBe(false)
    expect(drained(consumer, 1)).toEqual(sent.slice(0, 1))
    expect(push(producer, frame(100, 20))).toBe(true)
    expect(drained(consumer)).toEqual([...sent.slice(1), frame(100, 20)])
  })

  test('larger than the ring are refused for ever', () => {
    const { producer, consumer } = ends()
    expect(push(producer, frame(1, CAPACITY))).toBe(false)
    expect(consumer.isEmpty).toBe(true)
  })

  test.each([3, 100, 2 ** 31])('a ring of %i bytes is not made', (capacity) => {
    expect(() => ringMemory(capacity)).toThrow(RangeError)
  })
})

describe('wake-ups', () => {
  test('a consumer that sleeps is woken by the ring of the bell, not by the frame', async () => {
    const { producer, consumer } = ends()
    let woken = 0
    const awake = new Promise<void>((resolve) => consumer.whenReadable(() => resolve(void woken++)))
    push(producer, frame(1, 3))
    await settledTasks()
    expect(woken).toBe(0)
    producer.ring()
    await awake
    expect(drained(consumer)).toEqual([frame(1, 3)])
  })

  test('a frame pushed before the consumer lies down keeps it awake', async () => {
    const { producer, consumer } = ends()
    push(producer, frame(1, 3))
    producer.ring()
    await new Promise<void>((resolve) => consumer.whenReadable(resolve))
    expect(drained(consumer)).toHaveLength(1)
  })

  test('a producer that waits for room is called when the consumer has drained', async () => {
    const { producer, consumer } = ends()
    while (push(producer, frame(1, 20)));
    const room = new Promise<void>((resolve) => producer.whenRoom(resolve))
    drained(consumer)
    await room
    expect(push(producer, frame(2, 20))).toBe(true)
  })

  test('room made between the refusal and the waiting is not slept through', async () => {
    const { producer, consumer } = ends()
    while (push(producer, frame(1, 20)));
    drained(consumer)
    await new Promise<void>((resolve) => producer.whenRoom(resolve))
    expect(push(producer, frame(2, 20))).toBe(true)
  })

  test('across threads: 60,000 frames through small rings and back, in order, with both sides falling asleep', async () => {
    const there = ringMemory(1024)
    const back = ringMemory(512)
    const ring = pathToFileURL(join(PROJECT_ROOT, 'dist', 'engine', 'transport', 'byte-ring.js')).href
    const worker = new Worker(ECHO, { eval: true, workerData: { there, back, ring } })
    const random = new SeededRandom()
    const producer = new RingProducer(there)
    const consumer = new RingConsumer(back)
    const count = 60_000
    let sent = 0
    let received = 0
    const lengthOf = (number: number) => (number * 7) % 90
    await once(worker, 'message')
    await new Promise<void>((resolve, reject) => {
      worker.once('error', reject)
      const feed = (): void => {
        let burst = 1 + random.below(40)
        while (sent < count && burst-- > 0 && push(producer, frame(sent, lengthOf(sent)))) sent++
        producer.ring()
      }
      const take = (): void => {
        consumer.drain((wordA, wordB, data, start, end) => {
          const { bytes, wordB: expected } = frame(received, lengthOf(received))
          const isSame = wordA === received && wordB === expected && bytes.every((byte, i) => data[start + i] === byte)
          if (!isSame || end - start !== bytes.length) reject(new Error(`frame ${received}, seed ${random.seed}`))
          received++
          return true
        })
        if (received === count) resolve()
        else feed()
        // Where the ring of requests was full and all is back, nothing would ever ring again without another push.
        consumer.whenReadable(take)
      }
      consumer.whenReadable(take)
      feed()
    })
    expect(received).toBe(count)
    await worker.terminate()
  })
})

/** Sends every frame back; waits for room where there is none, as a worker's replies do. */
const ECHO = `
  const { parentPort, workerData } = require('node:worker_threads')
  import(workerData.ring).then(({ RingConsumer, RingProducer }) => {
    const requests = new RingConsumer(workerData.there)
    const replies = new RingProducer(workerData.back)
    let waiting = null
    const send = ({ a, b, bytes }) => replies.push(a, b, bytes, 0, bytes.length)
    const resume = () => {
      if (!send(waiting)) { replies.ring(); replies.whenRoom(resume); return }
      waiting = null
      turn()
    }
    const turn = () => {
      requests.drain((a, b, data, start, end) => {
        const held = { a, b, bytes: data.slice(start, end) }
        if (send(held)) return true
        waiting = held
        return false
      })
      replies.ring()
      if (waiting === null) requests.whenReadable(turn)
      else replies.whenRoom(resume)
    }
    requests.whenReadable(turn)
    // Waiting for a ring does not keep a thread alive; listening does.
    parentPort.on('message', () => {})
    parentPort.postMessage('ready')
  })
`

/** Everything that was due has run: tasks, microtasks and what they began. */
async function settledTasks(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise<void>((resolve) => void setImmediate(resolve))
}
