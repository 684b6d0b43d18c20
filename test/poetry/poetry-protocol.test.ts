import * as fc from 'fast-check'
import { ConnectionLost, equal, join, toBytes } from 'couplet'
import { builtInPoems, PoetryFactory, PoetryProtocol } from 'couplet/poetry'
import { connected, ManualClock, StringTransport } from 'couplet/testing'
import { describe, expect, it } from 'vitest'
import { endOfPiece, largestPiece } from '../../src/poetry/poem.ts'

const poem = 'one\ntwo\nthree\nfour'

function said(text: string | Uint8Array, options = {}) {
  const clock = new ManualClock()
  const protocol = new PoetryProtocol(clock, toBytes(text), options)
  return { clock, protocol, transport: connected(protocol) }
}

describe('a slow poet', () => {
  it('is silent for the delay before every line, the first too, and hangs up after the last', () => {
    const { clock, transport } = said(poem)
    const heard: [string, boolean][] = []
    for (let second = 0; second <= 4; second++) {
      heard.push([transport.text(), transport.disconnecting])
      transport.clear()
      clock.advance(1000)
    }
    expect(heard).toEqual([
      ['', false],
      ['one\n', false],
      ['two\n', false],
      ['three\n', false],
      ['four', true],
    ])
  })

  it('says as many bytes at a time as you ask for, through the middle of a character if it comes so', () => {
    const { clock, transport } = said('né', { numBytes: 2, delay: 10 })
    clock.advance(10)
    expect([...transport.value()]).toEqual([0x6e, 0xc3])
    clock.advance(10)
    expect(transport.text()).toBe('né')
    expect(transport.disconnecting).toBe(true)
  })

  it('is silent while its client is slow, and goes on afterwards', () => {
    const { clock, protocol, transport } = said(poem)
    clock.advance(1000)
    protocol.pauseProducing()
    clock.advance(60_000)
    expect(transport.text()).toBe('one\n')
    expect(clock.pending()).toEqual([])
    protocol.resumeProducing()
    expect(transport.text()).toBe('one\n')
    clock.advance(1000)
    expect(transport.text()).toBe('one\ntwo\n')
  })

  it('stops when its client is gone, and leaves no timer behind', () => {
    const { clock, transport } = said(poem)
    clock.advance(1000)
    transport.end(new ConnectionLost())
    expect(clock.pending()).toEqual([])
    clock.advance(10_000)
    expect(transport.text()).toBe('one\n')
  })

  it('says its poem to the end for a client that has closed its own side', () => {
    const { clock, transport } = said(poem)
    transport.receive('GET / HTTP/1.0\r\n\r\n')
    transport.end()
    expect(transport.disconnecting).toBe(false)
    clock.advance(4000)
    expect(transport.text()).toBe(poem)
    expect(transport.disconnecting).toBe(true)
  })

  it('has nothing to say about an empty poem, and hangs up cleanly at once', () => {
    const { clock, transport } = said('')
    expect([transport.disconnecting, transport.aborting, transport.text()]).toEqual([true, false, ''])
    expect(clock.pending()).toEqual([])
  })

  it('says the rest at once when its server closes, so that nobody leaves with half a poem', () => {
    const { clock, protocol, transport } = said(poem)
    clock.advance(1000)
    protocol.stopping()
    expect(transport.text()).toBe(poem)
    expect([transport.disconnecting, transport.aborting]).toEqual([true, false])
    expect(clock.pending()).toEqual([])
  })

  it('waits for a slow client even when its server closes', () => {
    const { protocol, transport } = said(poem)
    protocol.pauseProducing()
    protocol.stopping()
    expect([transport.text(), transport.disconnecting]).toEqual(['', false])
    protocol.resumeProducing()
    expect([transport.text(), transport.disconnecting]).toEqual([poem, true])
  })

  it('says nothing to a client that was gone before it could begin', () => {
    const clock = new ManualClock()
    const transport = new StringTransport()
    transport.abortConnection()
    transport.deliverTo(new PoetryProtocol(clock, toBytes(poem)))
    expect(clock.pending()).toEqual([])
  })

  it('says its whole poem once, whenever its client is slow and whenever its server closes', () => {
    const event = fc.oneof(
      fc.constant('pause' as const),
      fc.constant('close' as const),
      fc.integer({ min: 0, max: 2500 }),
    )
    fc.assert(
      fc.property(fc.array(event, { maxLength: 20 }), fc.integer({ min: 1, max: 9 }), (events, numBytes) => {
        const { clock, protocol, transport } = said(poem, { numBytes })
        let paused = false
        const turn = (): void => {
          // Nobody pauses a producer that has finished.
          if (transport.producer === undefined) return
          if (paused) protocol.resumeProducing()
          else protocol.pauseProducing()
          paused = !paused
        }
        for (const one of events) {
          const before = transport.text()
          if (one === 'pause') turn()
          else if (one === 'close') protocol.stopping()
          else clock.advance(one)
          expect(poem.startsWith(transport.text())).toBe(true)
          if (paused && one !== 'pause') expect(transport.text()).toBe(before)
        }
        if (paused) turn()
        clock.advance(60_000)
        expect([transport.text(), transport.disconnecting, transport.aborting]).toEqual([poem, true, false])
        expect(clock.pending()).toEqual([])
      }),
    )
  })

  it('has a poet of its own for each client, and one poem for all of them', () => {
    const clock = new ManualClock()
    const factory = new PoetryFactory(clock, toBytes(poem))
    const [early, late] = [factory.buildProtocol(), factory.buildProtocol()]
    const first = connected(early)
    clock.advance(2000)
    const second = connected(late)
    clock.advance(1000)
    expect([first.text(), second.text()]).toEqual(['one\ntwo\nthree\n', 'one\n'])
  })

  it.each([{ delay: -1 }, { delay: NaN }, { delay: Infinity }, { numBytes: 0 }, { numBytes: 1.5 }])(
    'refuses %o at once, not at its first client',
    (options) => {
      expect(() => new PoetryFactory(new ManualClock(), toBytes(poem), options)).toThrow(RangeError)
    },
  )
})

describe('the pieces of a poem', () => {
  const anyPoem = fc.oneof(
    fc.uint8Array({ max: 20, maxLength: 200 }),
    fc.string({ unit: 'grapheme' }).map((text) => toBytes(text)),
  )

  it('are the poem again, whatever it contains and however it is cut', () => {
    fc.assert(
      fc.property(anyPoem, fc.option(fc.integer({ min: 1, max: 300 }), { nil: undefined }), (bytes, numBytes) => {
        const pieces: Uint8Array[] = []
        for (let start = 0; start < bytes.length;) {
          const end = endOfPiece(bytes, start, numBytes)
          expect(end).toBeGreaterThan(start)
          pieces.push(bytes.subarray(start, end))
          start = end
        }
        expect(equal(join(pieces), bytes)).toBe(true)
        const newlines = pieces.slice(0, -1).filter((piece) => piece.at(-1) !== 0x0a)
        if (numBytes === undefined) expect(newlines).toEqual([])
        else expect(pieces.slice(0, -1).every((piece) => piece.length === numBytes)).toBe(true)
      }),
    )
  })

  it('are never larger than 64 KiB, however long the line is', () => {
    expect(endOfPiece(new Uint8Array(1_000_000), 0)).toBe(largestPiece)
    expect(endOfPiece(new Uint8Array(1_000_000), 0, 500_000)).toBe(largestPiece)
  })
})

describe('the poems that come with the program', () => {
  it('are three, of four lines each, and one of them needs more than ASCII', () => {
    expect(builtInPoems.map(({ text }) => text.match(/.\n/g)?.length)).toEqual([4, 4, 4])
    expect(builtInPoems.map(({ text }) => text.endsWith('\n') && !/[^\S\n]\n|\n\n/.test(text))).toEqual([
      true,
      true,
      true,
    ])
    expect(builtInPoems.map(({ text }) => toBytes(text).length > text.length)).toEqual([false, true, false])
  })
})
