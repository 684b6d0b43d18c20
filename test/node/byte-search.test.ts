/** Node's way of finding a byte, beside the one that every world has. */
import 'couplet/node'
import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { indexOfByte } from '../../src/framework/core/bytes.ts'

it("a byte is found where Uint8Array's own search finds it, in Buffers and in what is none, at every length", () => {
  const bytes = fc.uint8Array({ max: 3, maxLength: 600, size: 'max' })
  fc.assert(
    fc.property(bytes, fc.nat(4), fc.nat(700), (some, byte, from) => {
      const expected = some.indexOf(byte, from)
      const view = new Uint8Array([9, 9, ...some]).subarray(2)
      expect([some, Buffer.from(some), view].map((each) => indexOfByte(each, byte, from))).toEqual([
        expected,
        expected,
        expected,
      ])
    }),
  )
  // Far behind the border between the two ways, where all is searched and nothing found.
  const long = new Uint8Array(70_000)
  long[69_999] = 1
  expect([indexOfByte(long, 1), indexOfByte(long, 2), indexOfByte(long, 1, 69_999)]).toEqual([69_999, -1, 69_999])
})
