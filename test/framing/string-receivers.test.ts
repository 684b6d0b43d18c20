/** Receivers of strings with their length in front: netstrings, int8/16/32, varint; each beside its model. */
import {
  BadNetstring,
  BadVarint,
  ConnectionAborted,
  type ConnectionClosed,
  ConnectionDone,
  ConnectionLost,
  FrameTooLong,
  IncompleteFrame,
  IntStringDecoder,
  Int8StringReceiver,
  LocalProtocolError,
  NetstringReceiver,
  RemoteProtocolError,
  setTracer,
  type StringReceiver,
  StringTooLong,
  toBytes,
} from 'couplet'
import { connected, everyChunking } from 'couplet/testing'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromLatin1, toLatin1 } from './line-model.ts'
import { type Format, formats, readStrings } from './string-model.ts'

/** A receiver, what came to it, and how it ended. */
function receiver(format: Format, maxLength?: number) {
  const strings: string[] = []
  const end: { reason?: ConnectionClosed } = {}
  const protocol = format.build((string) => strings.push(fromLatin1(string)))
  if (maxLength !== undefined) protocol.maxLength = maxLength
  protocol.connectionLost = (reason) => {
    end.reason = reason
  }
  return { protocol, strings, end, transport: connected(protocol) }
}

const [netstrings, , , int32s, varints] = formats as [Format, Format, Format, Format, Format]

describe.each(formats)('$name', (format) => {
  it('come whole, whatever the chunks, empty ones too', () => {
    for (const sent of [
      ['abc', '', 'd'],
      ['', ''],
      ['x'.repeat(130), '', 'y'.repeat(200), 'z'],
    ]) {
      everyChunking(toLatin1(sent.map(format.encode).join('')), (chunks) => {
        const { strings, transport, end } = receiver(format)
        for (const chunk of chunks) transport.receive(chunk)
        transport.end()
        expect([strings, end.reason?.name]).toEqual([sent, 'ConnectionDone'])
      })
    }
  })

  it('are decoded as by their model: any bytes, limit and chunking, errors and their place included', () => {
    const letters = fc.constantFrom(...format.letters.split(''))
    const part = fc.oneof(
      { weight: 3, arbitrary: fc.string({ unit: letters, maxLength: 20 }).map(format.encode) },
      { weight: 1, arbitrary: fc.string({ unit: letters, maxLength: 3 }) },
    )
    const outcomes = { refused: 0, incomplete: 0, clean: 0 }
    fc.assert(
      fc.property(
        fc.array(part, { maxLength: 8 }),
        fc.nat(6),
        fc.constantFrom(0, 3, 20, 150, Infinity),
        fc.infiniteStream(fc.integer({ min: 1, max: 12 })),
        (parts, cut, maxLength, sizes) => {
          const bytes = toLatin1(parts.join('').replaceAll(/[^\0-\xff]/g, '?'))
          const text = fromLatin1(bytes.subarray(0, Math.max(0, bytes.length - cut)))
          const expected = readStrings(format, text, Math.min(maxLength, Number.MAX_SAFE_INTEGER))
          const { strings, transport, end } = receiver(format, maxLength)
          let fed = 0
          let last = 0
          while (fed < text.length && !transport.disconnecting) {
            last = sizes.next().value
            transport.receive(toLatin1(text.slice(fed, fed + last)))
            fed += last
          }
          transport.end()
          expect(strings).toEqual(expected.strings)
          const cause = end.reason?.cause
          const { refused, offset, need } = expected
          if (refused !== undefined) {
            outcomes.refused++
            expect(end.reason).toBeInstanceOf(ConnectionAborted)
            expect(cause).toBeInstanceOf(RemoteProtocolError)
            if (refused.why === 'bad') expect(cause).not.toBeInstanceOf(FrameTooLong)
            else {
              const limit = Math.min(maxLength, cause instanceof FrameTooLong ? cause.limit : NaN)
              expect(cause).toMatchObject({ offered: refused.offered, limit })
            }
            // In the very chunk with which it could not become a frame any more.
            expect([fed >= refused.at, fed - last < refused.at]).toEqual([true, true])
          } else if (offset < text.length) {
            outcomes.incomplete++
            expect(end.reason).toBeInstanceOf(ConnectionLost)
            expect(cause).toEqual(new IncompleteFrame(text.length - offset, need))
          } else {
            outcomes.clean++
            expect(end.reason).toBeInstanceOf(ConnectionDone)
          }
        },
      ),
      { numRuns: 1000 },
    )
    expect(Math.min(...Object.values(outcomes))).toBeGreaterThan(20)
  })

  it('are sent as they are received', () => {
    const string = fc.oneof(
      fc.uint8Array({ maxLength: 255 }),
      fc.constantFrom(0, 1, 127, 128, 255).map((n) => new Uint8Array(n)),
    )
    fc.assert(
      fc.property(fc.array(string, { maxLength: 5 }), (sent) => {
        const { protocol, transport } = receiver(format)
        for (const bytes of sent) protocol.sendString(bytes)
        const texts = sent.map(fromLatin1)
        expect(fromLatin1(transport.value())).toBe(texts.map(format.encode).join(''))
        const other = receiver(format)
        other.transport.receive(transport.value())
        expect(other.strings).toEqual(texts)
      }),
    )
  })

  it('may be text, which is sent as UTF-8', () => {
    const { protocol, transport } = receiver(format)
    protocol.sendString('é')
    expect(fromLatin1(transport.value())).toBe(format.encode('\xc3\xa9'))
  })

  it('have 1 MiB at most unless one says otherwise; one more byte is refused before any of it comes', () => {
    const { protocol, strings, transport, end } = receiver(format)
    expect(protocol.maxLength).toBe(1_048_576)
    if (format.longest < protocol.maxLength) return
    const limit = 'x'.repeat(1_048_576)
    transport.receive(toLatin1(format.encode(limit)))
    expect(strings.map(({ length }) => length)).toEqual([1_048_576])
    const header = format.encode(`${limit}x`).replace(/x+,?$/, '')
    transport.receive(toLatin1(header))
    expect(transport.disconnecting).toBe(true)
    transport.end()
    expect(end.reason?.cause).toMatchObject({
      name: 'FrameTooLong',
      code: 'ERR_FRAME_TOO_LONG',
      offered: 1_048_577,
      limit: 1_048_576,
    })
  })

  it('may be refused politely; none is delivered afterwards, and none twice', () => {
    const { protocol, strings, transport, end } = receiver(format, 5)
    const errors: FrameTooLong[] = []
    protocol.lengthLimitExceeded = (error) => {
      errors.push(error)
      protocol.sendString('no')
    }
    transport.receive(toLatin1(['good', 'much too long', 'good'].map(format.encode).join('')))
    transport.receive(toLatin1(format.encode('good')))
    expect([strings, errors.length, transport.disconnecting]).toEqual([['good'], 1, false])
    expect([errors[0]?.limit, fromLatin1(transport.value())]).toEqual([5, format.encode('no')])
    transport.end()
    expect(end.reason).toBeInstanceOf(ConnectionDone)
  })

  it('do not come after the close, nor in a pause, nor twice', () => {
    const { protocol, strings, transport } = receiver(format)
    protocol.stringReceived = (string) => {
      strings.push(fromLatin1(string))
      if (strings.at(-1) === 're') {
        protocol.pauseProducing()
        protocol.resumeProducing()
      }
      if (strings.at(-1) === 'pause') protocol.pauseProducing()
      if (strings.at(-1) === 'close') protocol.transport.loseConnection()
    }
    transport.receive(toLatin1(['a', 're', 'b', 'pause', 'c', 'close', 'd'].map(format.encode).join('')))
    expect(strings).toEqual(['a', 're', 'b', 'pause'])
    protocol.resumeProducing()
    transport.receive(toLatin1(format.encode('e')))
    expect(strings).toEqual(['a', 're', 'b', 'pause', 'c', 'close'])
  })

  it('come, 100,000 in a chunk, at one depth of the stack', () => {
    const depths = new Set<number>()
    let count = 0
    const protocol: StringReceiver = format.build(() => {
      if (++count % 20_000 === 1) depths.add(new Error().stack!.split('\n').length)
      protocol.pauseProducing()
      protocol.resumeProducing()
    })
    const limit = Error.stackTraceLimit
    Error.stackTraceLimit = 1000
    connected(protocol).receive(toLatin1(format.encode('').repeat(100_000)))
    Error.stackTraceLimit = limit
    expect([count, depths.size]).toEqual([100_000, 1])
  })
})

describe('a netstring', () => {
  it.each<[string, string]>([
    ['5\n', '"\\n"'],
    ['05', '"5"'],
    ['00', '"0"'],
    ['+', '"+"'],
    ['-', '"-"'],
    [' ', '" "'],
    ['0x', '"x"'],
    ['5 ', '" "'],
    [':', '":"'],
    ['5h', '"h"'],
    ['\xd9', '"\\xd9"'],
    ['5:hello;', '";"'],
    ['0:0', '"0"'],
  ])('that begins with %j is refused at its last byte, which the error shows', (text, shown) => {
    const early = receiver(netstrings)
    early.transport.receive(toLatin1(text.slice(0, -1)))
    expect(early.transport.disconnecting).toBe(false)
    everyChunking(toLatin1(`1:a,${text}`), (chunks) => {
      const { strings, transport } = receiver(netstrings)
      for (const chunk of chunks) transport.receive(chunk)
      expect(strings).toEqual(['a'])
      expect(transport.cause).toBeInstanceOf(BadNetstring)
      expect(transport.cause?.message).toContain(`the peer sent ${shown}`)
    })
  })

  it('is refused at the digit that makes it too long, however many follow', () => {
    for (const digits of ['11', '12', '23456789', '9'.repeat(400)]) {
      const { transport } = receiver(netstrings, 10)
      transport.receive(digits)
      expect(transport.cause).toEqual(new FrameTooLong(Number(digits.slice(0, 2)), 10, 'netstring'))
    }
    const unlimited = receiver(netstrings, Infinity)
    unlimited.transport.receive('9'.repeat(17))
    expect(unlimited.transport.cause).toBeInstanceOf(FrameTooLong)
  })
})

describe('a length in bytes', () => {
  it.each([
    [int32s, '\xff\xff\xff\xff', 2 ** 32 - 1],
    [int32s, '\x80\0\0\0', 2 ** 31],
    [varints, '\xff\xff\xff', 2 ** 21 - 1 + 2 ** 21],
    [varints, '\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\0', 2 ** 21],
    [varints, '\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01', 2 ** 21 - 1 + 2 ** 21],
  ])('is refused when it exceeds the limit, unsigned: %j', ({ build }, header, offered) => {
    const protocol = build(() => {})
    const transport = connected(protocol)
    transport.receive(toLatin1(header))
    expect(transport.cause).toEqual(new FrameTooLong(offered, 1_048_576, 'string'))
  })

  it.each(['\x80\0', '\x81\0', '\xff\x80\0'])('as a varint is as short as it can be: %j is not', (header) => {
    everyChunking(toLatin1(`\x01a${header}`), (chunks) => {
      const { strings, transport } = receiver(varints)
      for (const chunk of chunks) transport.receive(chunk)
      expect(strings).toEqual(['a'])
      expect(transport.cause).toBeInstanceOf(BadVarint)
    })
  })

  it('as a varint has eight bytes at most, even where there is no limit', () => {
    const { transport } = receiver(varints, Infinity)
    transport.receive(toLatin1('\x80'.repeat(7)))
    expect(transport.disconnecting).toBe(false)
    transport.receive(toLatin1('\x80'))
    expect(transport.cause).toBeInstanceOf(FrameTooLong)
  })
})

describe('sendString', () => {
  it('refuses what the prefix cannot say, before a byte is sent, and nothing else', () => {
    const [, int8s, int16s] = formats as [Format, Format, Format]
    for (const { build, longest } of [int8s, int16s]) {
      const protocol = build(() => {})
      protocol.maxLength = 1
      const transport = connected(protocol)
      expect(() => protocol.sendString(new Uint8Array(longest + 1))).toThrow(new StringTooLong(longest + 1, longest))
      expect(() => protocol.sendString(new Uint8Array(longest + 1))).toThrow(LocalProtocolError)
      expect(transport.value()).toHaveLength(0)
      protocol.sendString(new Uint8Array(longest))
      expect(transport.value()).toHaveLength(longest + (longest > 255 ? 2 : 1))
    }
  })

  it('counts four bytes without a sign', () => {
    // So many bytes are not for a test; the decoder is asked with something that has only a length.
    const decoder = new IntStringDecoder(4, { maxLength: 1 })
    const [prefix] = decoder.encode({ length: 0xfedc_ba98 } as Uint8Array)
    expect(prefix).toEqual(new Uint8Array([0xfe, 0xdc, 0xba, 0x98]))
    expect(() => decoder.encode({ length: 2 ** 32 } as Uint8Array)).toThrow(StringTooLong)
  })

  it('tells a trace how many bytes left, and of what', () => {
    const seen: unknown[] = []
    const untrace = setTracer({
      at: (kind, on, fields) => {
        if (kind.startsWith('frame')) seen.push([kind, on, fields?.['n'], fields?.['type']])
        return 0
      },
      begin: () => 0,
      end: () => {},
      id: () => '',
      mark: () => {},
      marked: () => undefined,
    })
    const one = receiver(netstrings)
    one.protocol.sendString('é')
    one.transport.receive('1:a,')
    const other = connected(
      new (class extends Int8StringReceiver {
        override stringReceived(): void {}
      })(),
    )
    other.receive(toLatin1('\x01a'))
    untrace()
    expect(seen).toEqual([
      ['frame.out', one.transport, 5, 'netstring'],
      ['frame.in', one.transport, 4, 'netstring'],
      ['frame.in', other, 2, 'int8 string'],
    ])
  })
})

describe('a string that is received', () => {
  it('costs the memory of a chunk while it is kept, no more, and is a plain Uint8Array', () => {
    const kept: Uint8Array[] = []
    class Keeper extends NetstringReceiver {
      override stringReceived(string: Uint8Array): void {
        kept.push(string)
      }
    }
    const keeper = new Keeper()
    connected(keeper)
    const chunk = Buffer.from(toBytes('3:abc,2:de,'))
    keeper.dataReceived(chunk)
    expect(
      kept.map((string) => [string.buffer === chunk.buffer, Object.getPrototypeOf(string) === Uint8Array.prototype]),
    ).toEqual([
      [true, true],
      [true, true],
    ])
  })
})
