// How long the state tables take and how much they hold: nanoseconds an operation and bytes an entry.
//
//   npm run build && node dist/bench/micro/tables.js [codes] [users]        (10 million each by default)
//
// Keys come from a small generator, run again from its seed for the hits and from another seed for the misses, so
// nothing but the table lies in memory; every time includes making the key. Bytes are what the tables allocated,
// and beside them what the process really holds (RSS), which must not be more than that and a constant.

import { pathToFileURL } from 'node:url'
import { KeyHash } from '../../engine/domain/key-hash.ts'
import { CodeTable } from '../../engine/shard/tables/code-table.ts'
import { CounterTable } from '../../engine/shard/tables/counter-table.ts'
import { OrderTable } from '../../engine/shard/tables/order-table.ts'

export interface TableFigures {
  readonly table: string
  readonly entries: number
  readonly insertNs: number
  readonly hitNs: number
  readonly missNs: number
  readonly bytesPerEntry: number
  /** The largest bytes per entry seen on the way, from a tenth of the entries on: growth is included. */
  readonly peakBytesPerEntry: number
  /** Growth of the resident set by this table. Only meaningful for millions of entries. */
  readonly residentBytesPerEntry: number
  /** The longest single insert. */
  readonly worstInsertUs: number
}

/** User counters in a table with reserved room, each batch warmed first: what a frame of columns can have. */
export interface WarmedFigures {
  readonly insertNs: number
  readonly hitNs: number
}

export interface TableMeasurement {
  readonly hashNs: number
  readonly warmed: WarmedFigures
  readonly tables: readonly TableFigures[]
}

interface Subject {
  readonly table: string
  readonly entries: number
  readonly size: () => number
  readonly bytes: () => number
  /** Makes the next key and inserts it. */
  readonly insert: (random: Random) => void
  /** Makes the next key and tells whether it is there. */
  readonly find: (random: Random) => boolean
}

/** Marsaglia's xorshift128, 32 bits at a time. */
class Random {
  private x: number
  private y = 362_436_069
  private z = 521_288_629
  private w = 88_675_123

  constructor(seed: number) {
    this.x = seed | 0
  }

  next(): number {
    const t = this.x ^ (this.x << 11)
    this.x = this.y
    this.y = this.z
    this.z = this.w
    this.w = this.w ^ (this.w >>> 19) ^ t ^ (t >>> 8)
    return this.w
  }
}

const SECRET = Uint8Array.from({ length: 32 }, (_, index) => index)
const ALPHABET = 'ABCDEFGHJKLMNPQRSTUVWXYZ23456789'
const LETTERS = Uint8Array.from(ALPHABET, (letter) => letter.charCodeAt(0))
const CODE_LETTERS = 10
const BATCH_KEYS = 32
const SEED_PRESENT = 20_261_107
const SEED_ABSENT = 77_345_112

export function measureTables({ codes, users }: { codes: number; users: number }): TableMeasurement {
  // All stay alive to the end: memory given back by one would hide what the next one takes.
  const subjects = [codeSubject(codes), counterSubject(users), orderSubject(users)]
  const tables = subjects.map(measure)
  return { hashNs: measureHash(users), warmed: measureWarmed(users), tables }
}

function codeSubject(entries: number): Subject {
  const codes = new CodeTable(SECRET)
  const code = new Uint8Array(CODE_LETTERS)
  let ordinal = 0
  const write = (random: Random): void => {
    let bits = random.next()
    for (let index = 0; index < 5; index++, bits >>>= 5) code[index] = LETTERS[bits & 31]!
    bits = random.next()
    for (let index = 5; index < 10; index++, bits >>>= 5) code[index] = LETTERS[bits & 31]!
  }
  return {
    table: 'codes',
    entries,
    size: () => codes.size,
    bytes: () => codes.bytes,
    insert: (random) => {
      write(random)
      codes.set(code, 0, CODE_LETTERS, ordinal++)
    },
    find: (random) => {
      write(random)
      return codes.get(code, 0, CODE_LETTERS) >= 0
    },
  }
}

function counterSubject(entries: number): Subject {
  const counters = new CounterTable()
  return {
    table: 'user counters',
    entries,
    size: () => counters.size,
    bytes: () => counters.bytes,
    insert: (random) => {
      const slot = counters.findOrInsert(random.next(), random.next(), random.next(), random.next())
      counters.setUses(slot, counters.uses(slot) + 1)
    },
    find: (random) => counters.find(random.next(), random.next(), random.next(), random.next()) >= 0,
  }
}

function orderSubject(entries: number): Subject {
  const orders = new OrderTable()
  let seq = 0
  return {
    table: 'orders',
    entries,
    size: () => orders.size,
    bytes: () => orders.bytes,
    insert: (random) => {
      const slot = orders.findOrInsert(random.next(), random.next(), random.next(), random.next())
      seq++
      orders.setRecord(slot, seq, seq, seq)
    },
    find: (random) => orders.find(random.next(), random.next(), random.next(), random.next()) >= 0,
  }
}

function measure(subject: Subject): TableFigures {
  const residentBefore = process.memoryUsage.rss()
  const random = new Random(SEED_PRESENT)
  const slice = Math.max(1, Math.floor(subject.entries / 100))
  let peakBytesPerEntry = 0
  let insertNs = 0
  for (let done = 0; done < subject.entries; ) {
    const count = Math.min(slice, subject.entries - done)
    insertNs += elapsedNs(() => {
      for (let index = 0; index < count; index++) subject.insert(random)
    })
    done += count
    if (done >= subject.entries / 10) peakBytesPerEntry = Math.max(peakBytesPerEntry, subject.bytes() / subject.size())
  }
  const residentBytes = process.memoryUsage.rss() - residentBefore
  const bytesPerEntry = subject.bytes() / subject.size()
  const hitNs = elapsedNs(() => expectFound(subject, SEED_PRESENT, subject.entries))
  const missNs = elapsedNs(() => expectFound(subject, SEED_ABSENT, 0))
  return {
    table: subject.table,
    entries: subject.size(),
    insertNs: insertNs / subject.entries,
    hitNs: hitNs / subject.entries,
    missNs: missNs / subject.entries,
    bytesPerEntry,
    peakBytesPerEntry,
    residentBytesPerEntry: residentBytes / subject.size(),
    worstInsertUs: worstInsertUs(subject, random),
  }
}

/** A lookup that is not what it should be makes the figures worthless. A few random codes may occur in both runs. */
function expectFound(subject: Subject, seed: number, expected: number): void {
  const random = new Random(seed)
  let found = 0
  for (let index = 0; index < subject.entries; index++) if (subject.find(random)) found++
  if (Math.abs(found - expected) > subject.entries / 10_000) {
    throw new Error(`${subject.table}: found ${found} keys instead of ${expected}`)
  }
}

/** The worst of a further twentieth, each timed on its own. */
function worstInsertUs(subject: Subject, random: Random): number {
  let worst = 0
  for (let index = 0; index < subject.entries / 20; index++) {
    const start = process.hrtime.bigint()
    subject.insert(random)
    worst = Math.max(worst, Number(process.hrtime.bigint() - start))
  }
  return worst / 1000
}

function measureWarmed(entries: number): WarmedFigures {
  const counters = new CounterTable()
  counters.reserve(entries)
  let heat = 0
  const inBatches = (work: (k0: number, k1: number, k2: number, k3: number) => void): number => {
    const random = new Random(SEED_PRESENT)
    const keys = new Int32Array(4 * BATCH_KEYS)
    const batches = Math.ceil(entries / BATCH_KEYS)
    const ns = elapsedNs(() => {
      for (let batch = 0; batch < batches; batch++) {
        for (let word = 0; word < keys.length; word++) keys[word] = random.next()
        for (let word = 0; word < keys.length; word += 4) heat ^= counters.warm(keys[word]!)
        for (let word = 0; word < keys.length; word += 4) {
          work(keys[word]!, keys[word + 1]!, keys[word + 2]!, keys[word + 3]!)
        }
      }
    })
    return ns / (batches * BATCH_KEYS)
  }
  const insertNs = inBatches((k0, k1, k2, k3) => {
    counters.setUses(counters.findOrInsert(k0, k1, k2, k3), 1)
  })
  let missing = 0
  const hitNs = inBatches((k0, k1, k2, k3) => {
    if (counters.find(k0, k1, k2, k3) < 0) missing++
  })
  if (missing > 0) throw new Error(`${missing} keys not found (${heat})`)
  return { insertNs, hitNs }
}

function measureHash(count: number): number {
  const hash = new KeyHash(SECRET)
  const id = new TextEncoder().encode('user-00000000')
  let sum = 0
  const ns = elapsedNs(() => {
    for (let index = 0; index < count; index++) {
      id[12] = index & 127
      id[11] = (index >>> 7) & 127
      hash.hash(id, 0, id.length, index)
      sum ^= hash.k0
    }
  })
  if (sum === 0) throw new Error('the hashes cancelled out')
  return ns / count
}

function elapsedNs(work: () => void): number {
  const start = process.hrtime.bigint()
  work()
  return Number(process.hrtime.bigint() - start)
}

function main(): void {
  const codes = Number(process.argv[2] ?? 10_000_000)
  const users = Number(process.argv[3] ?? codes)
  const { hashNs, warmed, tables } = measureTables({ codes, users })
  process.stdout.write(`key hash, 13 bytes and a domain: ${hashNs.toFixed(1)} ns\n`)
  process.stdout.write(
    `user counters, reserved, in warmed batches of ${BATCH_KEYS}:` +
      ` insert ${warmed.insertNs.toFixed(0)} ns  hit ${warmed.hitNs.toFixed(0)} ns\n`,
  )
  for (const figures of tables) {
    process.stdout.write(
      `${figures.table.padEnd(14)} ${figures.entries} entries  insert ${figures.insertNs.toFixed(0)} ns` +
        `  hit ${figures.hitNs.toFixed(0)} ns  miss ${figures.missNs.toFixed(0)} ns` +
        `  ${figures.bytesPerEntry.toFixed(1)} B/entry (peak ${figures.peakBytesPerEntry.toFixed(1)},` +
        ` resident ${figures.residentBytesPerEntry.toFixed(1)})  worst insert ${figures.worstInsertUs.toFixed(0)} us\n`,
    )
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) main()
