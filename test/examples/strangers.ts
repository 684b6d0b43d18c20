/** Whatever strangers may send to an example: nonsense, and words of its own protocol in every order, cut anywhere. */
import { ConnectionClosed, type Protocol, toBytes } from 'couplet'
import { connected } from 'couplet/testing'
import * as fc from 'fast-check'
import { expect } from 'vitest'
import { reports } from '../reports.ts'

/**
 * Whatever comes: no hook throws, nothing is reported, nothing is written after the close, and the connection ends once.
 *
 * @param words what gets further into the protocol than nonsense does
 */
export function survivesStrangers(make: () => Protocol, words: readonly (string | Uint8Array)[]): void {
  const reported = reports()
  const word = fc.constantFrom(...words.map((each) => toBytes(each)))
  const piece = fc.oneof({ weight: 3, arbitrary: word }, fc.uint8Array({ minLength: 1, maxLength: 30 }))
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 30 }),
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
      (pieces, sizes) => {
        const protocol = make()
        const ends: unknown[] = []
        const connectionLost = protocol.connectionLost.bind(protocol)
        protocol.connectionLost = (reason) => {
          ends.push(reason)
          return connectionLost(reason)
        }
        const transport = connected(protocol)
        const bytes = pieces.flatMap((each) => [...each])
        for (let at = 0, turn = 0; at < bytes.length; turn++) {
          const size = sizes[turn % sizes.length]!
          transport.receive(new Uint8Array(bytes.slice(at, at + size)))
          at += size
        }
        transport.end()
        if (!transport.disconnected) transport.end()
        expect(ends).toEqual([expect.any(ConnectionClosed)])
      },
    ),
    { numRuns: 300 },
  )
  expect(reported).toEqual([])
}
