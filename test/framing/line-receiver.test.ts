/** LineReceiver: lines, however they are cut; how long they may be; raw bytes in between; sending. */
import {
  ConnectionAborted,
  type ConnectionClosed,
  ConnectionDone,
  ConnectionLost,
  type Hook,
  IncompleteFrame,
  LineReceiver,
  LineTooLong,
  LocalProtocolError,
  toBytes,
  toText,
} from 'couplet'
import { connected, everyChunking } from 'couplet/testing'
import * as fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { fromLatin1, lines, readLines, toLatin1 } from './line-model.ts'

/** Remembers what happens; `react` does what a test wants done about a line. */
class Lines extends LineReceiver {
  readonly events: string[] = []
  reason: ConnectionClosed | undefined
  react: (line: string) => Hook = () => {}

  override lineReceived(line: Uint8Array): Hook {
    const text = fromLatin1(line)
    this.events.push(text)
    return this.react(text)
  }

  override rawDataReceived(chunk: Uint8Array): Hook {
    this.events.push(`raw ${fromLatin1(chunk)}`)
  }

  override connectionLost(reason: ConnectionClosed): void {
    this.reason = reason
  }
}

function lineReceiver(settings: Partial<Pick<Lines, 'delimiter' | 'maxLength' | 'react'>> = {}) {
  const protocol = Object.assign(new Lines(), settings)
  return { protocol, events: protocol.events, transport: connected(protocol) }
}

describe('LineReceiver', () => {
  it('receives the same lines whatever the chunks', () => {
    for (const text of ['a\r\nbc\r\n\r\nd\r\n', '\r\r\n\n\r\n', 'x\r\ny']) {
      const expected = readLines(text, '\r\n', 16_384).lines
      everyChunking(toBytes(text), (chunks) => {
        const { events, transport } = lineReceiver()
        for (const chunk of chunks) transport.receive(chunk)
        expect(events).toEqual(expected)
      })
    }
  })

  it('receives long lines, and many, whatever the chunks', () => {
    const sent = Array.from({ length: 60 }, (_, index) => 'abcdefg'.repeat((index * 7) % 23))
    everyChunking(lines(...sent), (chunks) => {
      const { events, transport } = lineReceiver()
      for (const chunk of chunks) transport.receive(chunk)
      expect(events).toEqual(sent)
    })
  })

  it('decodes as its model does: any bytes, any delimiter, any limit, any chunking, errors and their place included', () => {
    const delimiters = ['\r\n', '\n', '\0', 'aa', 'aba', '\r\n\r\n', 'é']
    const letters = fc.constantFrom('a', 'b', '\r', '\n', '\0', '\xc3', '\xa9')
    fc.assert(
      fc.property(
        fc.string({ unit: letters, maxLength: 200 }),
        fc.constantFrom(...delimiters),
        fc.nat(12),
        fc.infiniteStream(fc.integer({ min: 1, max: 12 })),
        (text, delimiter, maxLength, sizes) => {
          const { protocol, events, transport } = lineReceiver({ delimiter, maxLength })
          const bytes = toLatin1(text)
          let fed = 0
          while (fed < bytes.length && !transport.disconnecting) {
            const size = sizes.next().value
            transport.receive(bytes.slice(fed, fed + size))
            fed += size
          }
          transport.end()
          const expected = readLines(text, fromLatin1(toBytes(delimiter)), maxLength)
          expect(events).toEqual(expected.lines)
          const { reason } = protocol
          if (expected.end === 'clean') expect(reason).toBeInstanceOf(ConnectionDone)
          else if (expected.end === 'incomplete') {
            expect(reason?.cause).toEqual(new IncompleteFrame(text.length - expected.offset))
          } else {
            expect(reason?.cause).toEqual(new LineTooLong(maxLength + 1, maxLength))
            // Refused by the first chunk with which it could not become short enough any more.
            const least = expected.offset + maxLength + toBytes(delimiter).length
            expect(fed).toBeGreaterThanOrEqual(Math.min(least, text.length))
            expect(fed).toBeLessThan(least + 12)
          }
        },
      ),
      { numRuns: 1000 },
    )
  })

  it('takes only its own delimiter for the end of a line, as Twisted does', () => {
    const { events, transport } = lineReceiver()
    transport.receive('bare\nfeed\r\nbare\rreturn\r\ntwice\r\r\nnul\0\r\n"a\r\nb"\r\n')
    expect(events).toEqual(['bare\nfeed', 'bare\rreturn', 'twice\r', 'nul\0', '"a', 'b"'])
  })

  it('keeps characters whole that were cut by a chunk', () => {
    everyChunking(toBytes('ö✓€\r\n'), (chunks) => {
      const protocol = new (class extends Lines {
        override lineReceived(line: Uint8Array): void {
          this.events.push(toText(line))
        }
      })()
      const transport = connected(protocol)
      for (const chunk of chunks) transport.receive(chunk)
      expect(protocol.events).toEqual(['ö✓€'])
    })
  })

  it('hands out lines that stay as they are, as plain Uint8Arrays', () => {
    class Keeper extends LineReceiver {
      readonly kept: Uint8Array[] = []
      override lineReceived(line: Uint8Array): void {
        this.kept.push(line)
      }
    }
    const sent = Array.from({ length: 200 }, (_, index) => String(index).repeat(index % 9))
    everyChunking(lines(...sent), (chunks) => {
      const keeper = new Keeper()
      connected(keeper)
      // Buffers, as a socket on Node gives them.
      for (const chunk of chunks) keeper.dataReceived(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length))
      expect(keeper.kept.map(fromLatin1)).toEqual(sent)
      if (keeper.kept.some((line) => Object.getPrototypeOf(line) !== Uint8Array.prototype)) throw new Error('a Buffer')
    })
  })

  it('looks at each byte of a line once, however small the chunks are', () => {
    const { protocol } = lineReceiver()
    const looks = vi.spyOn<Uint8Array, 'indexOf'>(Uint8Array.prototype, 'indexOf')
    const chunk = toBytes('\n')
    for (let count = 0; count < 16_000; count++) protocol.dataReceived(chunk)
    let looked = 0
    for (const [call, [, from = 0]] of looks.mock.calls.entries()) {
      const found = Number(looks.mock.results[call]?.value)
      looked += (found < 0 ? (looks.mock.contexts[call] as Uint8Array).length : found + 1) - from
    }
    looks.mockRestore()
    expect(looked).toBe(16_000)
  })

  it('ignores an empty chunk', () => {
    const { protocol, events } = lineReceiver()
    protocol.dataReceived(new Uint8Array(0))
    expect(events).toEqual([])
  })
})

describe('the length of a line', () => {
  it('is 16 KiB at most, without the delimiter, unless one says otherwise', () => {
    const { events, transport, protocol } = lineReceiver()
    transport.receive(lines('x'.repeat(16_384)))
    expect(events).toHaveLength(1)
    transport.receive(lines('x'.repeat(16_385)))
    expect(events).toHaveLength(1)
    transport.end()
    expect(protocol.reason?.cause).toEqual(new LineTooLong(16_385, 16_384))
  })

  it.each<[string, 'accepted' | 'waited for' | 'refused']>([
    ['12345\r\n', 'accepted'],
    ['12345\r', 'waited for'],
    ['123456', 'waited for'],
    ['123456\r\n', 'refused'],
    ['1234567', 'refused'],
    ['12345\r\r\n', 'refused'],
  ])('at most 5: %j is %s, whatever the chunks', (text, verdict) => {
    everyChunking(toBytes(text), (chunks) => {
      const { events, transport } = lineReceiver({ maxLength: 5 })
      for (const chunk of chunks) transport.receive(chunk)
      expect(events).toEqual(verdict === 'accepted' ? ['12345'] : [])
      expect(transport.disconnecting).toBe(verdict === 'refused')
    })
  })

  it('ends the connection when it is exceeded, and nothing of the peer is heard any more', () => {
    const { protocol, events, transport } = lineReceiver({ maxLength: 5 })
    transport.receive('ok\r\nmuch too long\r\nok again\r\n')
    protocol.dataReceived(toBytes('and again\r\n'))
    protocol.sendLine('not sent')
    expect(events).toEqual(['ok'])
    transport.end()
    expect(protocol.reason).toBeInstanceOf(ConnectionAborted)
    expect(protocol.reason?.cause).toMatchObject({
      name: 'LineTooLong',
      code: 'ERR_LINE_TOO_LONG',
      limit: 5,
      offered: 6,
    })
    expect(transport.text()).toBe('')
  })

  it('may be exceeded politely; no line is delivered afterwards, and nothing is kept', () => {
    class Polite extends Lines {
      override maxLength = 5
      override lineLengthExceeded(error: LineTooLong): void {
        this.events.push(error.name)
        this.sendLine(`500 at most ${error.limit}`)
      }
    }
    const protocol = new Polite()
    const transport = connected(protocol)
    transport.receive('much too long\r\nok\r\n')
    transport.receive('ok\r\n')
    expect(protocol.events).toEqual(['LineTooLong'])
    expect(transport.text()).toBe('500 at most 5\r\n')
    expect(transport.disconnecting).toBe(false)
    expect(protocol.clearLineBuffer()).toEqual(new Uint8Array(0))
    transport.end()
    expect(protocol.reason).toBeInstanceOf(ConnectionDone)
  })

  it('and the delimiter can change from one line to the next, in the middle of a chunk', () => {
    const { protocol, events, transport } = lineReceiver()
    protocol.react = (line) => {
      if (line === 'semicolons') protocol.delimiter = ';'
      if (line === 'short') protocol.maxLength = 2
    }
    transport.receive('semicolons\r\na\r\nb;short;ab;')
    transport.receive('xyz')
    expect(events).toEqual(['semicolons', 'a\r\nb', 'short', 'ab'])
    expect(transport.disconnecting).toBe(true)
  })

  it('finds a new delimiter in what has arrived before it was chosen', () => {
    const { protocol, events, transport } = lineReceiver()
    for (const chunk of ['a', ';', 'b']) transport.receive(chunk)
    protocol.delimiter = toBytes(';')
    transport.receive('c;')
    expect(events).toEqual(['a', 'bc'])
  })

  it('has a delimiter of one byte or more', () => {
    const { transport } = lineReceiver({ delimiter: '' })
    expect(() => transport.receive('x')).toThrow(RangeError)
  })
})

describe('the end of the input', () => {
  it('is not clean in the middle of a line', () => {
    for (const [text, have] of [
      ['a\r\nb', 1],
      ['a\r', 2],
      ['abc', 3],
    ] as const) {
      everyChunking(toBytes(text), (chunks) => {
        const { protocol, transport } = lineReceiver()
        for (const chunk of chunks) transport.receive(chunk)
        transport.end()
        expect(protocol.reason).toBeInstanceOf(ConnectionLost)
        expect(protocol.reason?.cause).toEqual(new IncompleteFrame(have))
      })
    }
  })

  it('is clean after a line, in raw mode, and when nothing came', () => {
    for (const [text, raw] of [
      ['a\r\n', false],
      ['abc', true],
      ['', false],
    ] as const) {
      const { protocol, transport } = lineReceiver()
      if (raw) protocol.setRawMode()
      transport.receive(text)
      transport.end()
      expect(protocol.reason).toBeInstanceOf(ConnectionDone)
    }
  })

  it('brings what was begun as a line and is raw by now', () => {
    const { protocol, events, transport } = lineReceiver()
    transport.receive('begun')
    protocol.setRawMode()
    expect(events).toEqual([])
    transport.end()
    expect([events, protocol.reason]).toEqual([['raw begun'], expect.any(ConnectionDone)])
  })
})

describe('raw mode', () => {
  it('begins with the rest of the chunk, in one piece, in the same call', () => {
    const { protocol, events, transport } = lineReceiver()
    protocol.react = () => protocol.setRawMode()
    transport.receive('head\r\nbo\r\ndy')
    transport.receive('more')
    expect(events).toEqual(['head', 'raw bo\r\ndy', 'raw more'])
  })

  it('hands over every byte once, whatever the chunks, and takes back what belongs to the lines', () => {
    /** `n` and that many raw bytes, then lines again. */
    class Sized extends Lines {
      #missing = 0
      body = ''
      override lineReceived(line: Uint8Array): void {
        this.#missing = Number(fromLatin1(line))
        this.events.push(`line ${this.#missing}`)
        this.body = ''
        if (this.#missing > 0) this.setRawMode()
      }
      override rawDataReceived(chunk: Uint8Array): void {
        this.body += fromLatin1(chunk.subarray(0, this.#missing))
        const rest = chunk.subarray(this.#missing)
        this.#missing -= chunk.length - rest.length
        if (this.#missing > 0) return
        this.events.push(this.body)
        this.setLineMode(rest)
      }
    }
    everyChunking(toBytes('2\r\n\r\n1\r\nx0\r\n'), (chunks) => {
      const protocol = new Sized()
      const transport = connected(protocol)
      for (const chunk of chunks) transport.receive(chunk)
      expect(protocol.events).toEqual(['line 2', '\r\n', 'line 1', 'x', 'line 0'])
    })
  })

  it('can be switched thousands of times in one chunk without recursion', () => {
    class Flipping extends LineReceiver {
      switches = 0
      override lineReceived(): void {
        this.setRawMode()
      }
      override rawDataReceived(chunk: Uint8Array): void {
        this.switches++
        this.setLineMode(chunk.subarray(1))
      }
    }
    const protocol = new Flipping()
    connected(protocol).receive('line\r\n!'.repeat(20_000))
    expect(protocol.switches).toBe(20_000)
  })

  it('takes lines at once when it is left outside of a hook, and after a pause not before', () => {
    const { protocol, events, transport } = lineReceiver()
    protocol.setRawMode()
    transport.receive('raw')
    protocol.setLineMode(toBytes('a\r\nb'))
    expect(events).toEqual(['raw raw', 'a'])
    transport.pauseProducing()
    protocol.setLineMode()
    transport.receive('c\r\n')
    expect(events).toEqual(['raw raw', 'a'])
    transport.resumeProducing()
    expect(events).toEqual(['raw raw', 'a', 'bc'])
  })

  it('puts back bytes in front of those that wait', () => {
    const { protocol, events, transport } = lineReceiver()
    transport.receive('d')
    protocol.setLineMode(toBytes('a\r\nbc'))
    transport.receive('\r\n')
    expect(events).toEqual(['a', 'bcd'])
  })

  it('says that nobody takes raw bytes, where there is no rawDataReceived', () => {
    class LinesOnly extends LineReceiver {
      override lineReceived(): void {
        this.setRawMode()
      }
    }
    expect(() => connected(new LinesOnly()).receive('a\r\nb')).toThrow('LinesOnly is in raw mode')
  })
})

describe('clearLineBuffer', () => {
  it('drops the rest of the chunk, and returns it', () => {
    const { protocol, events, transport } = lineReceiver()
    let dropped = ''
    protocol.react = (line) => {
      if (line === 'drop') dropped = fromLatin1(protocol.clearLineBuffer())
    }
    transport.receive('par')
    transport.receive('t\r\ndrop\r\nb\r\nc')
    transport.receive('d\r\n')
    expect([events, dropped]).toEqual([['part', 'drop', 'd'], 'b\r\nc'])
  })
})

describe('sendLine', () => {
  it('sends bytes or text, and the delimiter', () => {
    const { protocol, transport } = lineReceiver()
    protocol.sendLine('é')
    protocol.sendLine(new Uint8Array([0]))
    protocol.sendLine('')
    protocol.delimiter = ';'
    protocol.sendLine('a\r\nb')
    expect(transport.text()).toBe('é\r\n\0\r\n\r\na\r\nb;')
  })

  it('refuses a line that the peer would read as two, before a byte is sent', () => {
    const { protocol, transport } = lineReceiver()
    expect(() => protocol.sendLine('a\r\nb')).toThrow(LocalProtocolError)
    expect(() => protocol.sendLine('a\r\nb')).toThrow('has its delimiter "\\r\\n" in it, at byte 1 of 4')
    expect(() => protocol.sendLine('\r\n')).toThrow(LocalProtocolError)
    expect(transport.text()).toBe('')
    protocol.sendLine('a\nb\r')
    expect(transport.text()).toBe('a\nb\r\r\n')
  })

  it('is understood by a LineReceiver, or refused: any line, any delimiter', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '\r', '\n'), maxLength: 12 })
    fc.assert(
      fc.property(text, fc.constantFrom('\r\n', '\n', 'aa', 'aba', 'abab', 'b'), (line, delimiter) => {
        const { protocol, transport } = lineReceiver({ delimiter })
        const readAs = (line + delimiter).indexOf(delimiter)
        if (readAs === line.length) {
          protocol.sendLine(line)
          expect(transport.text()).toBe(line + delimiter)
        } else {
          expect(() => protocol.sendLine(line)).toThrow(`at byte ${readAs} of ${line.length}`)
          expect(transport.text()).toBe('')
        }
      }),
      { numRuns: 1000 },
    )
  })
})
