/** Boxes as bytes, written without the code that is tested. */
import { join } from 'couplet'
import { toLatin1 } from '../../framing/line-model.ts'

/** A pair, whatever it is: what it says of its lengths can be wrong. */
export function pair(key: string, value: string, keyLength = key.length, valueLength = value.length): Uint8Array {
  const lengths = (length: number): number[] => [(length >> 8) & 0xff, length & 0xff]
  return join([
    Uint8Array.from(lengths(keyLength)),
    toLatin1(key),
    Uint8Array.from(lengths(valueLength)),
    toLatin1(value),
  ])
}

export const end = Uint8Array.of(0, 0)

/** A whole box; keys and values are Latin-1. */
export function box(pairs: Readonly<Record<string, string>>): Uint8Array {
  return join([...Object.entries(pairs).map(([key, value]) => pair(key, value)), end])
}
