/**
 * Bytes that differ from place to place, so that a test notices when some are lost, doubled or out of order.
 *
 * No ancestor; Twisted's tests send a repeated letter, which looks the same in any order.
 */

/** `length` bytes of one endless sequence, from the place `from` on. */
export function pattern(length: number, from = 0): Uint8Array {
  const bytes = new Uint8Array(length)
  for (let index = 0; index < length; index++) bytes[index] = byteAt(from + index)
  return bytes
}

/** Whether these are the first bytes of the {@link pattern}. */
export function isPattern(bytes: Uint8Array): boolean {
  return whereItDiffers(bytes) === -1
}

/** The first place at which `bytes` are not the {@link pattern}; -1 if there is none. */
export function whereItDiffers(bytes: Uint8Array): number {
  return bytes.findIndex((byte, place) => byte !== (byteAt(place) & 255))
}

function byteAt(place: number): number {
  return place ^ (place >>> 8) ^ (place >>> 16)
}
