// Streams of shards: who may append, what became of an append that nobody answered, and how a log and a stream come together.

import { beforeEach, describe, expect, it } from 'vitest'
import { compare, type LogEnd } from '../../../engine/replica/catch-up.ts'
import {
  BadStream,
  claimMessage,
  entryBytes,
  entryMessages,
  readEntry,
  readStreamMessage,
  type StreamEntry,
} from '../../../engine/replica/entry-message.ts'
import { StreamWriter } from '../../../engine/replica/stream-writer.ts'
import type { JournalError } from '../../../persistence/errors.ts'
import { MemoryStream, type StreamFault } from '../../conformance/memory-stream.ts'

const SHARD = 3
const PATIENCE_MS = 5_000
const NO_HASH = Buffer.alloc(32)

let stream: MemoryStream
let writer: StreamWriter

beforeEach(() => {
  stream = new MemoryStream(SHARD, 200)
  writer = new StreamWriter(stream, 0, PATIENCE_MS)
})

/** Entries of so many events each, one behind the other; the bytes of each event are its entry's number. */
function entries(...counts: readonly number[]): Buffer[] {
  let firstSeq = 1
  let prevHash: Uint8Array = NO_HASH
  return counts.map((eventCount, i) => {
    const events = new Uint8Array(eventCount * 40).fill(i + 1)
    const draft = { shard: SHARD, firstSeq, eventCount, timeMs: 1_000 + i, events, length: events.length }
    const bytes = entryBytes(draft, prevHash)
    firstSeq += eventCount
    prevHash = bytes.subarray(0, 32)
    return bytes
  })
}

function append(by: StreamWriter, messages: readonly Uint8Array[]): Promise<JournalError | null> {
  return new Promise((resolve) => by.append(messages, resolve))
}

/** Appends whole entries. */
async function store(by: StreamWriter, ...all: readonly Buffer[]): Promise<void> {
  for (const bytes of all) expect(await append(by, entryMessages(bytes, by.messageBytesMax))).toBeNull()
}

function endOf(bytes: Buffer | undefined): LogEnd {
  if (bytes === undefined) return { seq: 0, hash: NO_HASH }
  const { firstSeq, eventCount, hash } = readEntry(bytes, 'a test')
  return { seq: firstSeq + eventCount - 1, hash }
}

async function missingFrom(own: LogEnd): Promise<readonly StreamEntry[]> {
  const { missing } = await compare(stream, own)
  const found: StreamEntry[] = []
  for await (const entry of missing) found.push(entry)
  return found
}

describe('an append', () => {
  it('of another owner at the same place is refused, and nothing of it is there', async () => {
    const other = new StreamWriter(stream, 0, PATIENCE_MS)
    const [mine, its] = entries(1, 1) as [Buffer, Buffer]
    await store(writer, mine)
    expect((await append(other, [its]))?.code).toBe('FENCED')
    expect(stream.messages).toHaveLength(1)
  })

  it.each<readonly StreamFault[]>([
    ['LOST'],
    ['UNHEARD'],
    ['LATE'],
    ['LOST', 'LOST', 'UNHEARD'],
    ['LATE', 'UNHEARD'],
    ['LATE', 'LATE', 'LOST'],
  ])('that nobody answered (%s) is found out about, and is there once', async (...faults) => {
    stream.faults.push(...faults)
    const [first, second] = entries(1, 1) as [Buffer, Buffer]
    await store(writer, first, second)
    expect(stream.messages.map((message) => Buffer.from(message.subarray(5)))).toEqual([first, second])
  })

  it('that nobody answered, where another owner has gone on meanwhile, is refused', async () => {
    const [mine, its] = entries(1, 2) as [Buffer, Buffer]
    stream.faults.push('LOST')
    const pending = append(writer, [mine])
    stream.messages.push(claimMessage('another'), its)
    expect((await pending)?.code).toBe('FENCED')
  })

  it('is given up when the stream does not answer for long, and says that its fate is unknown', async () => {
    const impatient = new StreamWriter(stream, 0, 1)
    stream.faults.push('LOST')
    stream.lastSeq = () => Promise.reject(new Error('no answer'))
    expect((await append(impatient, [Uint8Array.of(1)]))?.code).toBe('FLUSH_FAILED')
  })
})

describe('a log and its stream', () => {
  it('that are the same differ in nothing', async () => {
    const all = entries(2, 1, 3)
    await store(writer, ...all)
    const { aheadOf, end } = await compare(stream, endOf(all.at(-1)))
    expect([aheadOf, end]).toEqual([null, stream.messages.length])
    expect(await missingFrom(endOf(all.at(-1)))).toEqual([])
    expect((await compare(new MemoryStream(SHARD), endOf(undefined))).aheadOf).toBeNull()
  })

  it('of which the stream is ahead: the log gets what it lacks, in order, from wherever it ends', async () => {
    // Some are larger than a message; claims come in between.
    const all = entries(1, 9, 2, 20, 1, 1, 12, 3)
    for (const [i, bytes] of all.entries()) {
      if (i % 3 === 0) expect(await append(writer, [claimMessage(`owner ${i}`)])).toBeNull()
      await store(writer, bytes)
    }
    expect(stream.messages.length).toBeGreaterThan(all.length + 3)
    for (let has = 0; has <= all.length; has++) {
      const found = await missingFrom(endOf(all[has - 1]))
      expect(found.map((entry) => entryBytes(entry, entry.prevHash))).toEqual(all.slice(has))
    }
  })

  it('of which the log is ahead: it is told behind what', async () => {
    const all = entries(2, 4, 1)
    expect((await compare(stream, endOf(all[2]))).aheadOf).toEqual(endOf(undefined))
    await store(writer, all[0] as Buffer)
    expect((await compare(stream, endOf(all[2]))).aheadOf).toEqual(endOf(all[0]))
  })

  it('that each have something the other has not are not brought together', async () => {
    const [first, second] = entries(1, 1) as [Buffer, Buffer]
    const [, instead, after] = entries(1, 3, 1) as [Buffer, Buffer, Buffer]
    await store(writer, first, instead)
    await expect(missingFrom(endOf(second))).rejects.toMatchObject({ code: 'FENCED' })
    await store(writer, after)
    await expect(missingFrom(endOf(second))).rejects.toMatchObject({ code: 'FENCED' })
    const [other] = entries(1).map((bytes) => entryBytes({ ...readEntry(bytes, 'a test'), timeMs: 5 }, NO_HASH)) as [
      Buffer,
    ]
    const same = new MemoryStream(SHARD)
    await store(new StreamWriter(same, 0, PATIENCE_MS), first)
    await expect(compare(same, endOf(other))).rejects.toMatchObject({ code: 'FENCED' })
  })

  it('drop an entry that its owner left half said', async () => {
    const [first, large, instead] = [...entries(1, 20), entries(1, 2)[1]] as [Buffer, Buffer, Buffer]
    await store(writer, first)
    const parts = entryMessages(large, stream.messageBytesMax)
    expect(parts.length).toBeGreaterThan(3)
    expect(await append(writer, parts.slice(0, 2))).toBeNull()
    expect(await missingFrom(endOf(first))).toEqual([])
    expect((await compare(stream, endOf(first))).aheadOf).toBeNull()
    expect(await append(writer, [claimMessage('the next')])).toBeNull()
    await store(writer, instead)
    expect((await missingFrom(endOf(first))).map(({ hash }) => hash)).toEqual([instead.subarray(0, 32)])
    expect(await missingFrom(endOf(instead))).toEqual([])
  })
})

describe('a message', () => {
  it('that is damaged is told so', () => {
    const [bytes] = entries(2) as [Buffer]
    const [message] = entryMessages(bytes, 1_000) as [Buffer]
    expect(readStreamMessage(message, 'it')).toMatchObject({ type: 'ENTRY', entry: { firstSeq: 1, eventCount: 2 } })
    for (let at = 5; at < message.length; at++) {
      const flipped = Buffer.from(message)
      flipped[at] = (flipped[at] as number) ^ 4
      expect(() => readStreamMessage(flipped, 'it'), `byte ${at}`).toThrow(BadStream)
    }
    expect(() => readStreamMessage(Uint8Array.of(9, 1, 1), 'it')).toThrow('it is no message of Tearoff')
    expect(() => readStreamMessage(message.subarray(0, 30), 'it')).toThrow(BadStream)
    expect(readStreamMessage(claimMessage('a node'), 'it')).toEqual({ type: 'CLAIM', owner: 'a node' })
  })
})
