/**
 * What strings with a length are, one model for each format, written so plainly that it must be right: whether a few
 * bytes can still become a frame is asked anew for each byte. One character is one byte.
 */
import {
  Int16StringReceiver,
  Int32StringReceiver,
  Int8StringReceiver,
  NetstringReceiver,
  type StringReceiver,
  VarintStringReceiver,
} from 'couplet'
import { toLatin1 } from './line-model.ts'

/** What the first bytes of a frame are: what they need to be a whole one, if they say so; or why they are refused. */
type Verdict =
  | { readonly need?: number; readonly begin?: number; readonly length?: number }
  | { readonly refused: 'too long' | 'bad'; readonly offered?: number }

export interface Format {
  readonly name: string
  readonly build: (received: (string: Uint8Array) => void) => StringReceiver
  /** What is sent for a string. */
  readonly encode: (string: string) => string
  /** `begun`, all but the last byte of which is fine. */
  readonly judge: (begun: string, maxLength: number) => Verdict
  /** The longest string that can be sent. */
  readonly longest: number
  /** Bytes that make good trouble. */
  readonly letters: string
}

const number = (bytes: string): number => toLatin1(bytes).reduce((sum, byte) => sum * 256 + byte, 0)

function intFormat(name: string, width: number, build: Format['build']): Format {
  return {
    name,
    build,
    encode: (string) =>
      String.fromCharCode(
        ...string.length
          .toString(16)
          .padStart(2 * width, '0')
          .match(/../g)!
          .map((x) => parseInt(x, 16)),
      ) + string,
    judge(begun, maxLength) {
      if (begun.length < width) return {}
      const length = number(begun.slice(0, width))
      if (length > maxLength) return { refused: 'too long', offered: length }
      return { need: width + length, begin: width, length }
    },
    longest: 256 ** width - 1,
    letters: '\0\0\0\x01\x02\x03\x04\x09\xff',
  }
}

const netstrings: Format = {
  name: 'netstrings',
  build: (received) =>
    new (class extends NetstringReceiver {
      override stringReceived(string: Uint8Array): void {
        received(string)
      }
    })(),
  encode: (string) => `${string.length}:${string},`,
  judge(begun, maxLength) {
    const [, digits = '', colon = ''] = /^(0|[1-9][0-9]*)(:?)/.exec(begun) ?? []
    const length = Number(digits)
    if (length > maxLength) return { refused: 'too long', offered: length }
    if (colon === '') return begun === digits ? {} : { refused: 'bad' }
    const need = digits.length + 1 + length + 1
    if (begun.length === need && !begun.endsWith(',')) return { refused: 'bad' }
    return { need, begin: digits.length + 1, length }
  },
  longest: Infinity,
  letters: '0001234589::,,,a\n+- ٥',
}

const varints: Format = {
  name: 'varint strings',
  build: (received) =>
    new (class extends VarintStringReceiver {
      override stringReceived(string: Uint8Array): void {
        received(string)
      }
    })(),
  encode(string) {
    const groups = string.length
      .toString(2)
      .split('')
      .reverse()
      .join('')
      .match(/.{1,7}/g)!
    const bytes = groups.map((group, index) => {
      const low = parseInt(group.split('').reverse().join(''), 2)
      return String.fromCharCode(index < groups.length - 1 ? low + 128 : low)
    })
    return bytes.join('') + string
  },
  judge(begun, maxLength) {
    let length = 0n
    for (const [index, byte] of toLatin1(begun).entries()) {
      const value = BigInt(byte)
      length += (value & 127n) << BigInt(7 * index)
      if (value === 0n && index > 0) return { refused: 'bad' }
      const least = value < 128n ? length : length + (1n << BigInt(7 * (index + 1)))
      if (least > BigInt(maxLength)) return { refused: 'too long', offered: Number(least) }
      if (value < 128n) return { need: index + 1 + Number(length), begin: index + 1, length: Number(length) }
    }
    return {}
  },
  longest: Infinity,
  letters: '\0\x01\x02\x03\x7f\x80\x80\x81\xff',
}

export const formats: readonly Format[] = [
  netstrings,
  intFormat('int8 strings', 1, (received) => {
    return new (class extends Int8StringReceiver {
      override stringReceived(string: Uint8Array): void {
        received(string)
      }
    })()
  }),
  intFormat('int16 strings', 2, (received) => {
    return new (class extends Int16StringReceiver {
      override stringReceived(string: Uint8Array): void {
        received(string)
      }
    })()
  }),
  intFormat('int32 strings', 4, (received) => {
    return new (class extends Int32StringReceiver {
      override stringReceived(string: Uint8Array): void {
        received(string)
      }
    })()
  }),
  varints,
]

export interface ExpectedStrings {
  readonly strings: readonly string[]
  /** Bytes in whole frames. */
  readonly offset: number
  /** How many bytes it takes to see that the frame at `offset` is refused, and why. */
  readonly refused?: { readonly at: number; readonly why: 'too long' | 'bad'; readonly offered: number | undefined }
  /** What the frame that was begun needs, if it has said so. */
  readonly need?: number | undefined
}

/** Reads `text`, one character a byte, as `format` says. */
export function readStrings(format: Format, text: string, maxLength: number): ExpectedStrings {
  const strings: string[] = []
  let offset = 0
  let need: number | undefined
  for (let end = 0; end <= text.length; end++) {
    if (end === offset) continue
    const verdict = format.judge(text.slice(offset, end), maxLength)
    if ('refused' in verdict) {
      return { strings, offset, refused: { at: end, why: verdict.refused, offered: verdict.offered } }
    }
    need = verdict.need
    if (need === end - offset) {
      const { begin = 0, length = 0 } = verdict
      strings.push(text.slice(offset + begin, offset + begin + length))
      offset = end
      need = undefined
    }
  }
  return { strings, offset, need }
}
