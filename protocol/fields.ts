/**
 * Fields that the layouts of events and messages have in common, as bytes.
 */
import { assert } from './assert.ts'
import type { Bytes, ByteReader, ByteWriter } from './bytes.ts'

export function writeNumbers(w: ByteWriter, numbers: readonly number[]): void {
  w.varint(numbers.length)
  for (const number of numbers) w.varint(number)
}

export function readNumbers(r: ByteReader): number[] {
  const count = r.varint()
  const numbers: number[] = []
  for (let i = 0; i < count; i++) numbers.push(r.varint())
  return numbers
}

export function writeMaybeRange(w: ByteWriter, range: Bytes | null): void {
  w.u8(range === null ? 0 : 1)
  if (range !== null) w.range(range)
}

export function readMaybeRange(r: ByteReader): Bytes | null {
  return r.u8() === 1 ? r.range() : null
}

/** The member of a closed set that stands at an index. */
export function named<T>(names: readonly T[], index: number): T {
  const name = names[index]
  assert(name !== undefined, `unknown kind ${index}`)
  return name
}
