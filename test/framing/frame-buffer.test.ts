/** FrameBuffer: one piece to look at, few copies, little memory. */
import { equal, FrameBuffer, LineReceiver, toBytes } from 'couplet'
import { connected } from 'couplet/testing'
import * as fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'

/** 64 KiB, as a socket gives them: memory of its own. */
const chunkOf = (length: number): Uint8Array => Uint8Array.from({ length }, (_, index) => index % 251)

describe('FrameBuffer', () => {
  it('hands out views of the chunk, without a copy, while nothing is pending', () => {
    const chunk = chunkOf(100)
    const buffer = new FrameBuffer()
    buffer.append(chunk)
    const frame = buffer.take(10, 2)
    expect([frame.buffer, frame.byteOffset, frame.length]).toEqual([chunk.buffer, 0, 10])
    const next = buffer.take(5)
    expect([next.buffer, next.byteOffset]).toEqual([chunk.buffer, 12])
    expect(buffer.length).toBe(83)
  })

  it('joins only the frame that straddles an edge, and goes on in the chunk itself', () => {
    const [one, two] = [chunkOf(1000), chunkOf(64 * 1024)]
    const buffer = new FrameBuffer()
    buffer.append(one)
    buffer.take(970)
    buffer.settle()
    buffer.append(two)
    const joined = buffer.take(40)
    expect(equal(joined.subarray(0, 30), one.subarray(970)) && equal(joined.subarray(30), two.subarray(0, 10))).toBe(
      true,
    )
    expect(joined.buffer.byteLength).toBeLessThan(200)
    const next = buffer.take(50)
    expect([next.buffer, next.byteOffset]).toEqual([two.buffer, 10])
  })

  it('does not let a short rest hold a long chunk', () => {
    const buffer = new FrameBuffer()
    buffer.append(chunkOf(64 * 1024))
    buffer.skip(64 * 1024 - 10)
    buffer.settle()
    expect([buffer.pending, buffer.held]).toEqual([10, 10])
    buffer.skip(10)
    buffer.settle()
    expect(buffer.held).toBe(0)
  })

  it('shows of memory of its own only what is filled', () => {
    const buffer = new FrameBuffer()
    buffer.append(new Uint8Array([1]))
    buffer.append(new Uint8Array([2]))
    expect([buffer.length, buffer.at(1), buffer.at(2), buffer.indexOf(0), buffer.indexOf(2)]).toEqual([
      2,
      2,
      undefined,
      -1,
      1,
    ])
  })

  it('never writes to what it has handed out, nor to the chunks', () => {
    const buffer = new FrameBuffer()
    const chunk = new Uint8Array([1, 2, 3, 4])
    buffer.append(chunk.subarray(0, 2))
    buffer.append(new Uint8Array([5, 6]))
    const taken = buffer.take(3)
    buffer.append(new Uint8Array([7, 8, 9]))
    buffer.settle()
    buffer.append(new Uint8Array([10]))
    expect([...taken]).toEqual([1, 2, 5])
    expect([...chunk]).toEqual([1, 2, 3, 4])
    expect([...buffer.takeAll()]).toEqual([6, 7, 8, 9, 10])
  })

  it('is a queue of bytes, whatever is done to it, and holds little more than what is pending', () => {
    const operation = fc.oneof(
      fc.record({ what: fc.constant('append' as const), size: fc.integer({ min: 1, max: 300 }) }),
      fc.record({
        what: fc.constantFrom('take', 'skip', 'prepend', 'more', 'settle', 'run', 'all'),
        size: fc.nat(120),
      }),
    )
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 40 }), (operations) => {
        const buffer = new FrameBuffer()
        let model: number[] = []
        let offset = 0
        let byte = 0
        const kept: [Uint8Array, number[]][] = []
        const taken = (bytes: Uint8Array): void => {
          const expected = model.slice(0, bytes.length)
          model = model.slice(bytes.length)
          offset += bytes.length
          kept.push([bytes, expected])
        }
        for (const { what, size } of operations) {
          if (what === 'append') {
            const bytes = Array.from({ length: size }, () => (byte = (byte + 1) % 256))
            // In the middle of larger memory, as slices of a pool are.
            buffer.append(new Uint8Array([0xff, ...bytes, 0xff]).subarray(1, -1))
            model.push(...bytes)
          } else if (what === 'take') taken(buffer.take(Math.min(size, buffer.length)))
          else if (what === 'skip') {
            const count = Math.min(size, buffer.length)
            buffer.skip(count)
            model = model.slice(count)
            offset += count
          } else if (what === 'prepend') {
            const [last, values] = kept.pop() ?? [new Uint8Array(0), []]
            buffer.prepend(last)
            model = [...values, ...model]
            offset -= last.length
          } else if (what === 'more') buffer.more()
          else if (what === 'settle') {
            buffer.settle()
            expect(buffer.held).toBeLessThanOrEqual(Math.max(64, model.length * 1.25))
          } else if (what === 'run') taken(buffer.takeRun())
          else taken(buffer.takeAll())
          expect([buffer.pending, buffer.offset]).toEqual([model.length, offset])
          const some = [0, 1, 63, 64, buffer.length - 1].filter((index) => index >= 0 && index < buffer.length)
          expect(some.map((index) => buffer.at(index))).toEqual(some.map((index) => model[index]))
          const wanted = model[5] ?? 0
          expect(buffer.indexOf(wanted, 3)).toBe(model.slice(0, buffer.length).indexOf(wanted, 3))
        }
        for (const [bytes, values] of kept) expect(String(bytes)).toBe(String(values))
        expect(String(buffer.takeAll())).toBe(String(model))
      }),
      { numRuns: 300 },
    )
  })

  it('copies each byte a few times at most, however small the chunks are', () => {
    const sets = vi.spyOn(Uint8Array.prototype, 'set')
    const buffer = new FrameBuffer()
    const size = 256 * 1024
    const chunk = new Uint8Array(16)
    for (let count = 0; count < size / chunk.length; count++) {
      buffer.append(chunk)
      while (buffer.more());
      buffer.settle()
    }
    const copied = sets.mock.calls.reduce((sum, [source]) => sum + source.length, 0)
    sets.mockRestore()
    expect(buffer.pending).toBe(size)
    expect(copied / size).toBeLessThan(8)
    expect(copied / size).toBeGreaterThan(1)
  })
})

describe('10,000 connections with half a line each', () => {
  class Silent extends LineReceiver {
    override lineReceived(): void {}
  }

  it.each([
    ['at the end of a 64 KiB chunk', 1],
    ['byte by byte', 1000],
  ])('hold 1.25 times those halves at most, when they came %s', (_, pieces) => {
    const half = toBytes('x'.repeat(1000))
    const chunk = toBytes(`${'line\r\n'.repeat(10_000)}${'x'.repeat(1000)}`)
    const count = pieces === 1 ? 10_000 : 100
    let held = 0
    for (let index = 0; index < count; index++) {
      // What a LineReceiver does, seen from inside: its buffer is its own.
      const buffer = new FrameBuffer()
      if (pieces === 1) {
        buffer.append(chunk)
        buffer.skip(60_000)
      } else for (let at = 0; at < half.length; at++) buffer.append(half.slice(at, at + 1))
      buffer.settle()
      held += buffer.held
    }
    expect(held).toBeLessThanOrEqual(count * half.length * 1.25)
    expect(held).toBeGreaterThanOrEqual(count * half.length)
  })

  it('keep nothing of a chunk whose lines they have taken', () => {
    const protocols = Array.from({ length: 10 }, () => {
      const protocol = new Silent()
      const transport = connected(protocol)
      transport.receive(`${'line\r\n'.repeat(10_000)}half`)
      return protocol
    })
    for (const protocol of protocols) {
      const rest = protocol.clearLineBuffer()
      expect([rest.length, rest.buffer.byteLength]).toEqual([4, 4])
    }
  })
})
