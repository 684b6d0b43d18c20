/** Bytes: encoded, joined, compared, and shown so that nothing in them can do harm. */
import { copy, equal, escaped, join, toBytes, toText } from 'couplet'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

const bytes = fc.uint8Array({ maxLength: 200 })
/** Any character that UTF-8 has; fast-check's own unit of this kind takes seconds to prepare. */
const character = fc
  .integer({ min: 0, max: 0x10ffff })
  .filter((code) => code < 0xd800 || code > 0xdfff)
  .map((code) => String.fromCodePoint(code))

describe('bytes', () => {
  it('are UTF-8 when they come from text, and come back as the same text', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.oneof(character, fc.constantFrom('a', 'é', '€', '😀')) }), (text) => {
        expect(toText(toBytes(text))).toBe(text)
        expect(Buffer.from(toBytes(text)).equals(Buffer.from(text))).toBe(true)
      }),
    )
  })

  it('keep a byte order mark', () => {
    expect(toText(toBytes('\uFEFFpoem'))).toBe('\uFEFFpoem')
  })

  it('that are no UTF-8 become U+FFFD, not an error', () => {
    expect(toText(Uint8Array.of(0x41, 0xff, 0x42))).toBe('A\uFFFDB')
  })

  it('are taken as they are, not copied', () => {
    const given = Uint8Array.of(1, 2)
    expect(toBytes(given)).toBe(given)
  })

  it('join to what Buffer.concat gives, in memory of their own', () => {
    fc.assert(
      fc.property(fc.array(bytes), (pieces) => {
        const whole = join(pieces)
        expect(Buffer.concat(pieces).equals(whole)).toBe(true)
        expect(whole.constructor).toBe(Uint8Array)
        expect(pieces.every((piece) => piece.buffer !== whole.buffer)).toBe(true)
      }),
    )
  })

  it('are equal if, and only if, they are the same bytes', () => {
    fc.assert(
      fc.property(bytes, bytes, (one, other) => {
        expect(equal(one, copy(one))).toBe(true)
        expect(equal(one, other)).toBe(Buffer.compare(one, other) === 0)
      }),
    )
    expect(equal(Uint8Array.of(1), Uint8Array.of(1, 2))).toBe(false)
    expect(equal(Uint8Array.of(1, 2), Uint8Array.of(1, 3))).toBe(false)
  })

  it('when copied, keep nothing of a larger chunk', () => {
    const chunk = Buffer.alloc(65_536, 7)
    const kept = copy(chunk.subarray(3, 5))
    expect([kept.buffer.byteLength, kept.constructor]).toEqual([2, Uint8Array])
  })
})

describe('escaped', () => {
  it('shows printable ASCII and escapes the rest', () => {
    expect(escaped(toBytes('a"b\\c\r\n\t\x1b[31mé'))).toBe(String.raw`"a\"b\\c\r\n\x09\x1b[31m\xc3\xa9"`)
  })

  it('never lets anything but printable ASCII through, and can be read back', () => {
    fc.assert(
      fc.property(bytes, (given) => {
        const shown = escaped(given, 1000)
        expect(shown).toMatch(/^"[\x20-\x7e]*"$/)
        const hexadecimal = shown.replaceAll(/\\(?:x(..)|(.))/g, (_, hex?: string, one?: string) => {
          const code = hex === undefined ? { r: 13, n: 10, '\\': 92, '"': 34 }[one ?? ''] : Number.parseInt(hex, 16)
          return String.fromCharCode(code ?? 0)
        })
        expect(Buffer.from(hexadecimal.slice(1, -1), 'latin1').equals(given)).toBe(true)
      }),
    )
  })

  it('knows for every byte whether it is harmless', () => {
    for (let byte = 0; byte < 256; byte++) {
      const shown = escaped(Uint8Array.of(byte))
      const plain = byte >= 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c
      expect([byte, shown.length === 3]).toEqual([byte, plain])
      expect(shown).toMatch(/^"[\x20-\x7e]+"$/)
    }
  })

  it('counts what is beyond the limit', () => {
    expect(escaped(new Uint8Array(1000).fill(0x61), 3)).toBe('"aaa"… (1000 bytes)')
    expect(escaped(new Uint8Array(3).fill(0x61), 3)).toBe('"aaa"')
  })
})
