/**
 * Where a connection comes from, as it counts for limits: an IPv4 address whole, an IPv6 one by its first 64 bits, which
 * is the least that a provider gives to one customer.
 *
 * It is the address of the peer, never that of a header: anybody can write `X-Forwarded-For`. Behind a proxy all calls
 * come from the proxy.
 */

const V4_BYTES = 4
const V6_NETWORK_BYTES = 8
const V4_IN_V6_AT = 12

/** The bytes that tell addresses apart, from what uWebSockets.js calls one: 4 or 16 bytes, or none of a closed socket. */
export function addressBytes(remote: ArrayBuffer): Uint8Array {
  if (remote.byteLength <= V4_BYTES) return new Uint8Array(remote)
  return isV4InV6(new Uint8Array(remote))
    ? new Uint8Array(remote, V4_IN_V6_AT, V4_BYTES)
    : new Uint8Array(remote, 0, V6_NETWORK_BYTES)
}

/** For the eyes of operations: `192.0.2.7`, `2001:db8:0:1::/64`; '' where it is not known. */
export function addressText(bytes: Uint8Array): string {
  if (bytes.length === V4_BYTES) return bytes.join('.')
  if (bytes.length !== V6_NETWORK_BYTES) return ''
  let text = ''
  for (let at = 0; at < V6_NETWORK_BYTES; at += 2) {
    text += `${(((bytes[at] as number) << 8) | (bytes[at + 1] as number)).toString(16)}:`
  }
  return `${text}:/64`
}

/** `::ffff:192.0.2.7`, as a socket of both families shows an IPv4 peer. */
function isV4InV6(bytes: Uint8Array): boolean {
  for (let at = 0; at < 10; at++) if (bytes[at] !== 0) return false
  return bytes[10] === 0xff && bytes[11] === 0xff
}
