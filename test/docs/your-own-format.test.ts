/** docs/your-own-format.md: each of its blocks is a file here, runs, and prints what it says; and its decoders hold. */
import { join } from 'node:path'
import { type Decoder, FrameBuffer, FrameTooLong, RemoteProtocolError } from 'couplet'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { itsBlocksRun, pageNamed } from './page.ts'
import { COBSDecoder } from './your-own-format/cobs-decoder.ts'
import { PacketDecoder } from './your-own-format/packet-decoder.ts'

itsBlocksRun(
  pageNamed('your-own-format'),
  join(import.meta.dirname, 'your-own-format'),
  (name) => import(`./your-own-format/${name}.ts`),
)

/** Everything that comes out of `bytes` in chunks of these sizes: frames, then what is left or why it was refused. */
function decodeAll(decoder: Decoder<unknown>, bytes: Uint8Array, sizes: () => number): readonly unknown[] {
  const input = new FrameBuffer()
  const out: unknown[] = []
  try {
    for (let fed = 0; fed < bytes.length;) {
      const chunk = bytes.slice(fed, fed + sizes())
      fed += chunk.length
      input.append(chunk)
      for (;;) {
        const frame = decoder.decode(input)
        if (frame !== undefined) out.push(frame)
        else if (!input.more()) break
      }
      input.settle()
    }
    return [...out, input.pending]
  } catch (error) {
    if (!(error instanceof RemoteProtocolError)) throw error
    return [...out, error.message]
  }
}

describe.each<[string, () => Decoder<unknown>, number[]]>([
  ['packets', () => new PacketDecoder(300), [0x30, 0, 1, 2, 5, 0x7f, 0x80, 0x81, 0xff]],
  ['COBS frames', () => new COBSDecoder(), [0, 0, 0, 1, 2, 3, 4, 0xff]],
])('the decoder of %s', (_, make, letters) => {
  it('says the same of any bytes, whatever the chunks', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...letters), { maxLength: 1500, size: 'max' }),
        fc.infiniteStream(fc.integer({ min: 1, max: 9 })),
        (bytes, sizes) => {
          const whole = decodeAll(make(), Uint8Array.from(bytes), () => Infinity)
          expect(decodeAll(make(), Uint8Array.from(bytes), () => sizes.next().value)).toEqual(whole)
        },
      ),
      { numRuns: 300 },
    )
  })
})

describe('a COBS frame', () => {
  /** As in the paper: each block says where the next zero is, or 255 that none is. */
  const stuff = (bytes: readonly number[]): Uint8Array => {
    const out: number[] = []
    for (const [index, part] of splitAtZeros(bytes).entries()) {
      for (let start = 0; ; start += 254) {
        const block = part.slice(start, start + 254)
        if (start > 0 && block.length === 0 && index === splitAtZeros(bytes).length - 1) break
        out.push(block.length + 1, ...block)
        if (block.length < 254) break
      }
    }
    return Uint8Array.from([...out, 0])
  }
  const splitAtZeros = (bytes: readonly number[]): number[][] => {
    const parts: number[][] = [[]]
    for (const byte of bytes) {
      if (byte === 0) parts.push([])
      else parts.at(-1)?.push(byte)
    }
    return parts
  }

  it('comes out as it went in: any bytes', () => {
    const bytes = fc.array(fc.nat(255), { maxLength: 600, size: 'max' })
    const noZeros = fc.array(fc.integer({ min: 1, max: 255 }), { minLength: 250, maxLength: 520, size: 'max' })
    fc.assert(
      fc.property(fc.oneof(bytes, noZeros), (frame) => {
        expect(decodeAll(new COBSDecoder(), stuff(frame), () => Infinity)).toEqual([Uint8Array.from(frame), 0])
      }),
    )
  })

  it('of 1 KiB is taken, and a longer one refused before its end comes', () => {
    const input = new FrameBuffer()
    input.append(new Uint8Array(1024).fill(1))
    expect(new COBSDecoder().decode(input)).toBeUndefined()
    input.append(new Uint8Array([1]))
    while (input.more());
    expect(() => new COBSDecoder().decode(input)).toThrow(FrameTooLong)
  })
})
