/**
 * Columns that grow. They double, so a column of a million numbers is copied twenty times in its life, some milliseconds each
 * towards the end; `ArrayBuffer`s of one column stay far below their bound.
 */

export type Column = Uint8Array | Uint32Array | Float64Array

/** The column itself where it has room for so many, otherwise a longer copy. */
export function withRoom<Kind extends Column>(column: Kind, count: number): Kind {
  if (count <= column.length) return column
  const make = column.constructor as new (length: number) => Kind
  const grown = new make(Math.max(count, column.length * 2))
  grown.set(column)
  return grown
}
