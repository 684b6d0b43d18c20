/**
 * The few things this framework does with bytes: encode, decode, join, copy, and show them safely.
 *
 * Bytes are `Uint8Array` everywhere. No ancestor: Python has `bytes`.
 */

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** What `write` and `send…` take: bytes as they are, or text, which is sent as UTF-8. */
export type Data = Uint8Array | string

/** `data` as bytes; text becomes UTF-8. Bytes are returned as they are, not copied. */
export function toBytes(data: Data): Uint8Array {
  return typeof data === 'string' ? encoder.encode(data) : data
}

/** Bytes as text. What is not UTF-8 becomes U+FFFD; a byte order mark stays. */
export function toText(bytes: Uint8Array): string {
  return decoder.decode(bytes)
}

/** The pieces as one piece, in new memory. */
export function join(pieces: readonly Uint8Array[]): Uint8Array {
  let length = 0
  for (const piece of pieces) length += piece.length
  const whole = new Uint8Array(length)
  let offset = 0
  for (const piece of pieces) {
    whole.set(piece, offset)
    offset += piece.length
  }
  return whole
}

/** The same bytes in memory of their own, so that keeping them keeps nothing else. */
export function copy(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes)
}

/** Where a byte is next, at `from` or later; -1 if it is not there. */
export type ByteSearch = (bytes: Uint8Array, byte: number, from: number) => number

let search: ByteSearch = (bytes, byte, from) => bytes.indexOf(byte, from)

/** Where `byte` is next in `bytes`, at `from` or later; -1 if it is not there. */
export function indexOfByte(bytes: Uint8Array, byte: number, from = 0): number {
  return search(bytes, byte, from)
}

/** Finds bytes with something faster, where there is something: `Uint8Array#indexOf` looks at one byte at a time. */
export function setByteSearch(faster: ByteSearch): void {
  search = faster
}

/** Whether both hold the same bytes. */
export function equal(one: Uint8Array, other: Uint8Array): boolean {
  const { length } = one
  if (length !== other.length) return false
  // A loop is several times as fast as `every`, and tests compare megabytes.
  for (let index = 0; index < length; index++) if (one[index] !== other[index]) return false
  return true
}

/**
 * Bytes as a short, harmless text for an error, a log or a terminal: printable ASCII stays, everything else is
 * escaped, and what is beyond `limit` bytes is only counted. Peer bytes are never shown in any other way.
 */
export function escaped(bytes: Uint8Array, limit = 64): string {
  let text = ''
  for (const byte of bytes.subarray(0, limit)) {
    if (byte === 0x0d) text += '\\r'
    else if (byte === 0x0a) text += '\\n'
    else if (byte === 0x5c || byte === 0x22) text += `\\${String.fromCharCode(byte)}`
    else if (byte >= 0x20 && byte < 0x7f) text += String.fromCharCode(byte)
    else text += `\\x${byte.toString(16).padStart(2, '0')}`
  }
  return bytes.length > limit ? `"${text}"… (${bytes.length} bytes)` : `"${text}"`
}
