/**
 * IP addresses as the bytes that they are on the wire, and back to text.
 *
 * No ancestor: Python has `ipaddress`.
 */

/** The 12 bytes before an IPv4 address that is written as an IPv6 one, `::ffff:192.0.2.1` (RFC 4291 section 2.5.5.2). */
const mappedPrefix = new Uint8Array([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff])

/**
 * The bytes of an address that is valid: 4 for IPv4, 16 for IPv6; a zone is left out.
 *
 * @param host as in `IPv4Address.host` and `IPv6Address.host`
 */
export function bytesOfIP(host: string): Uint8Array {
  if (!host.includes(':')) return new Uint8Array(host.split('.').map(Number))
  const [address = ''] = host.split('%')
  const [before = '', after] = address.split('::')
  const head = groupBytes(before)
  const tail = groupBytes(after ?? '')
  const bytes = new Uint8Array(16)
  bytes.set(head)
  bytes.set(tail, 16 - tail.length)
  return bytes
}

/** 4 or 16 bytes as text; IPv6 as RFC 5952 says. */
export function textOfIP(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.')
  if (isMapped(bytes)) return `::ffff:${bytes.subarray(12).join('.')}`
  const groups = Array.from({ length: 8 }, (_, index) => bytes[2 * index]! * 256 + bytes[2 * index + 1]!)
  const [start, length] = longestZeros(groups)
  const text = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(':')
  if (length < 2) return text(groups)
  return `${text(groups.slice(0, start))}::${text(groups.slice(start + length))}`
}

/** The bytes, or, for an IPv4 address that is written as an IPv6 one, the four that matter. */
export function unmapped(bytes: Uint8Array): Uint8Array {
  return bytes.length === 16 && isMapped(bytes) ? bytes.subarray(12) : bytes
}

/** The same address as 16 bytes. */
export function mapped(bytes: Uint8Array): Uint8Array {
  if (bytes.length === 16) return bytes
  const whole = new Uint8Array(16)
  whole.set(mappedPrefix)
  whole.set(bytes, 12)
  return whole
}

/** The same length, with everything behind the first `bits` bits set to 0. */
export function masked(bytes: Uint8Array, bits: number): Uint8Array {
  return bytes.map((byte, index) => {
    const kept = Math.min(Math.max(bits - 8 * index, 0), 8)
    return byte & (0xff00 >> kept)
  })
}

function isMapped(bytes: Uint8Array): boolean {
  return mappedPrefix.every((byte, index) => bytes[index] === byte)
}

/** The bytes of one half of an IPv6 address, whose last group may be an IPv4 address. */
function groupBytes(half: string): number[] {
  if (half === '') return []
  return half.split(':').flatMap((group) => {
    if (group.includes('.')) return group.split('.').map(Number)
    const value = Number.parseInt(group, 16)
    return [value >> 8, value & 0xff]
  })
}

/** The longest run of zeros; the first one, if several are as long. */
function longestZeros(groups: readonly number[]): [start: number, length: number] {
  let best: [number, number] = [0, 0]
  let start = 0
  groups.forEach((group, index) => {
    if (group !== 0) start = index + 1
    else if (index + 1 - start > best[1]) best = [start, index + 1 - start]
  })
  return best
}
