// Memory for small pages of tables: cut from slabs, because a page once made stays as long as its table.
//
//   slab, 1 MiB   │ page │ page │ page │ … │ rest, unused when the next page does not fit │
//
// Allocated one by one, pages of 16 to 64 KiB lie in the allocator's heap between what comes and goes, and keep it from ever giving
// that back: 75 MB of 734 after an hour of the soak (docs/reports/soak.md). A slab is mapped by itself. Pages are zeros.

const SLAB_BYTES = 1 << 20
const ALIGNMENT = 8

let slab = new ArrayBuffer(0)
let used = 0

/** Makes room for so many bytes and says where in `slab` they begin. */
function take(bytes: number): number {
  const size = (bytes + ALIGNMENT - 1) & -ALIGNMENT
  if (used + size > slab.byteLength) {
    slab = new ArrayBuffer(Math.max(SLAB_BYTES, size))
    used = 0
  }
  const at = used
  used += size
  return at
}

export function u8Page(length: number): Uint8Array<ArrayBuffer> {
  const at = take(length)
  return new Uint8Array(slab, at, length)
}

export function u32Page(length: number): Uint32Array<ArrayBuffer> {
  const at = take(length * Uint32Array.BYTES_PER_ELEMENT)
  return new Uint32Array(slab, at, length)
}

export function i32Page(length: number): Int32Array<ArrayBuffer> {
  const at = take(length * Int32Array.BYTES_PER_ELEMENT)
  return new Int32Array(slab, at, length)
}

export function f64Page(length: number): Float64Array<ArrayBuffer> {
  const at = take(length * Float64Array.BYTES_PER_ELEMENT)
  return new Float64Array(slab, at, length)
}
