/**
 * A JSON value as one text, whatever the order of its members and the white space it came with: what two requests are
 * compared by. Numbers are those that JavaScript reads, so `1.0` is `1`.
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).sort(byName)
    return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member)}`).join(',')}}`
  }
  // MessagePack has whole numbers that JSON has not.
  return typeof value === 'bigint' ? String(value) : (JSON.stringify(value) ?? 'null')
}

function byName([a]: [string, unknown], [b]: [string, unknown]): number {
  return a < b ? -1 : 1
}
