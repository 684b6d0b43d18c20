/** Boxes on the wire: how they come out whatever the chunks, and what cannot be one. */
import { amp, type ConnectionClosed, FrameBuffer, join, RemoteProtocolError } from 'couplet'
import { connected, everyChunking, type StringTransport } from 'couplet/testing'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromLatin1, toLatin1 } from '../../framing/line-model.ts'
import { reportsOfEachTest } from '../../reports.ts'
import { isExpected, runFuzz } from './fuzz.ts'
import { box, end, pair } from './wire-boxes.ts'

const rules = { maxLength: 1_048_576, maxKeys: 1000 }

/** What comes out of the chunks: boxes as pairs, then how many bytes are left, or why it was refused. */
function decodeAll(chunks: readonly Uint8Array[], decoder = new amp.BoxDecoder(rules)): readonly unknown[] {
  const input = new FrameBuffer()
  const out: unknown[] = []
  try {
    for (const chunk of chunks) {
      input.append(chunk)
      for (;;) {
        const found = decoder.decode(input)
        if (found !== undefined) out.push([...found].map(([key, value]) => [key, fromLatin1(value)]))
        else if (!input.more()) break
      }
      input.settle()
    }
    return [...out, input.pending]
  } catch (error) {
    if (!(error instanceof RemoteProtocolError)) throw error
    return [...out, `${error.name}: ${error.message}`]
  }
}

/** Says what is wrong with the bytes, reading them so plainly that it must be right. */
function model(bytes: Uint8Array, { maxLength, maxKeys } = rules): readonly unknown[] {
  const out: unknown[] = []
  const text = fromLatin1(bytes)
  const number = (at: number): number => text.charCodeAt(at) * 256 + text.charCodeAt(at + 1)
  for (let start = 0; ;) {
    const pairs: [string, string][] = []
    let at = start
    for (;;) {
      if (text.charCodeAt(at) > 0) return [...out, expect.stringMatching(/^AmpProtocolError: a key of/)]
      if (at + 2 > text.length) return [...out, text.length - start]
      const keyLength = number(at)
      if (keyLength === 0) break
      if (pairs.length === maxKeys) return [...out, expect.stringMatching(/^TooManyKeys/)]
      const value = at + 2 + keyLength
      if (value - start + 4 > maxLength) return [...out, expect.stringMatching(/^BoxTooLarge/)]
      if (value + 2 > text.length) return [...out, text.length - start]
      const next = value + 2 + number(value)
      if (next - start + 2 > maxLength) return [...out, expect.stringMatching(/^BoxTooLarge/)]
      if (next > text.length) return [...out, text.length - start]
      pairs.push([text.slice(at + 2, value), text.slice(value + 2, next)])
      at = next
    }
    if (new Set(pairs.map(([key]) => key)).size < pairs.length) {
      return [...out, expect.stringMatching(/^AmpProtocolError: a box has the key .* twice/)]
    }
    out.push(pairs)
    start = at + 2
  }
}

describe('Boxes', () => {
  it('come out the same, whatever the chunks', () => {
    const bytes = join([
      box({ _ask: '1', _command: 'Sum', a: '13' }),
      box({ z: '', a: 'x'.repeat(40) }),
      end,
      pair('k', 'v'),
    ])
    const whole = decodeAll([bytes])
    expect(whole).toEqual([
      [
        ['_ask', '1'],
        ['_command', 'Sum'],
        ['a', '13'],
      ],
      [
        ['z', ''],
        ['a', 'x'.repeat(40)],
      ],
      [],
      6,
    ])
    everyChunking(bytes, (chunks) => expect(decodeAll(chunks)).toEqual(whole))
  })

  it('are what a plain reading says, whatever the bytes and the chunks', () => {
    const byte = fc.constantFrom(0, 0, 0, 0, 1, 1, 2, 3, 0x5f, 0x61, 0x62, 255)
    fc.assert(
      fc.property(
        fc.array(byte, { maxLength: 60, size: 'max' }),
        fc.infiniteStream(fc.integer({ min: 1, max: 7 })),
        fc.record({ maxLength: fc.integer({ min: 6, max: 40 }), maxKeys: fc.integer({ min: 1, max: 4 }) }),
        (list, sizes, limits) => {
          const bytes = Uint8Array.from(list)
          const chunks: Uint8Array[] = []
          for (let at = 0; at < bytes.length;) {
            const size = sizes.next().value
            chunks.push(bytes.slice(at, at + size))
            at += size
          }
          const expected = model(bytes, limits)
          expect(decodeAll([bytes], new amp.BoxDecoder(limits))).toEqual(expected)
          expect(decodeAll(chunks, new amp.BoxDecoder(limits))).toEqual(expected)
        },
      ),
      { numRuns: 5000 },
    )
  })

  it('say the value of a key, and have no other', () => {
    const one = new amp.Box(box({ _ask: '1', constructor: 'c', ['__proto__']: 'p' }))
    expect(fromLatin1(one.get('constructor')!)).toBe('c')
    expect(fromLatin1(one.get('__proto__')!)).toBe('p')
    expect(one.get('toString')).toBeUndefined()
  })

  it('that are cut short hold what is there', () => {
    const bytes = box({ a: '1', b: '22' })
    for (let length = 0; length < bytes.length; length++) {
      expect([...new amp.Box(bytes.slice(0, length))].length).toBeLessThanOrEqual(2)
    }
  })

  it('one byte at a time cost as much a byte as at once', () => {
    // A thousand keys of a thousand bytes, byte by byte: looked at from its beginning each time, it would take hours.
    const bytes = box(Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`k${index}`, 'x'.repeat(1000)])))
    const chunks = Array.from(bytes, (each) => Uint8Array.of(each))
    const [found] = decodeAll(chunks) as [[string, string][]]
    expect(found).toHaveLength(1000)
  })
})

/** Boxes that are as large as can be, and just too large. */
const keys = (count: number): Uint8Array =>
  join([...Array.from({ length: count }, (_, index) => pair(`k${index}`, '')), end])
const bytesOf = (size: number): Uint8Array => {
  const pairs = Array.from({ length: 16 }, (_, index) =>
    pair(`k${String.fromCharCode(97 + index)}`, 'x'.repeat(65_000)),
  )
  const rest = size - 2 - 16 * 65_006 - 6
  return join([...pairs, pair('kz', 'x'.repeat(rest)), end])
}

describe('The limits of a box', () => {
  it.each([
    ['1,000 keys', keys(1000)],
    ['1 MiB, everything counted', bytesOf(1_048_576)],
    ['a key of 255 bytes', box({ ['x'.repeat(255)]: '' })],
    ['a value of 65,535 bytes', box({ x: 'x'.repeat(65_535) })],
  ])('are kept by %s', (_, bytes) => {
    expect(decodeAll([bytes]).at(-1)).toBe(0)
  })

  it.each([
    ['1,001 keys', keys(1001), /TooManyKeys: a box of 1001 keys or more was offered, the limit is 1000/],
    [
      '1 MiB and a byte',
      bytesOf(1_048_577),
      /BoxTooLarge: a box of 1048577 bytes or more was offered, the limit is 1048576/,
    ],
    [
      'a key of 256 bytes',
      Uint8Array.of(1, 0),
      /AmpProtocolError: a key of 256 bytes or more was offered, the limit is 255/,
    ],
  ])('are broken by %s', (_, bytes, message) => {
    expect(decodeAll([bytes]).at(-1)).toMatch(message)
  })

  it('can be changed', () => {
    const transport = connected(Object.assign(new amp.AMP(), { maxLength: 10 }))
    transport.receive(pair('abc', 'defg'))
    expect(transport.cause).toMatchObject({ name: 'BoxTooLarge', offered: 13, limit: 10 })
  })

  it('are noticed before the bytes are there, and nothing is kept of a box without end', () => {
    const peer = new amp.AMP()
    const transport = connected(peer)
    const chunk = pair('key', 'x'.repeat(60_000))
    let sent = 0
    while (!transport.disconnecting && sent < 100) {
      transport.receive(
        join([
          pair(`k${sent}`, ''),
          chunk.subarray(0, 2),
          toLatin1(`ke${String(sent).padStart(2)}`).subarray(0, 3),
          chunk.subarray(5),
        ]),
      )
      sent++
      expect(peer.inputPending()).toBeLessThanOrEqual(1_048_576)
    }
    expect(transport.cause).toBeInstanceOf(amp.BoxTooLarge)
    expect(peer.inputPending()).toBe(0)
  })
})

describe('A peer that breaks the rules', () => {
  const reports = reportsOfEachTest()
  const Ping = amp.command('Ping')
  const Sum = amp.command('Sum', {
    arguments: { a: amp.Integer(), list: amp.ListOf(amp.Integer()).optional() },
    response: { total: amp.Integer() },
  })

  /** One that has asked twice, and whose third question was never sent. */
  function talking(): { transport: StringTransport; failed: Error[]; reason: () => ConnectionClosed | undefined } {
    const peer = new amp.AMP().respond(Sum, ({ a }) => ({ total: a }))
    const failed: Error[] = []
    const transport = connected(peer)
    for (let count = 0; count < 2; count++) {
      peer.callRemote(Sum, { a: 1n }).addErrback(({ value }) => void failed.push(value as Error))
    }
    let reason: ConnectionClosed | undefined
    const connectionLost = peer.connectionLost.bind(peer)
    peer.connectionLost = (why) => {
      reason = why
      return connectionLost(why)
    }
    transport.clear()
    return { transport, failed, reason: () => reason }
  }

  it.each<[string, Uint8Array, RegExp]>([
    ['a box without keys', end, /a box is neither a question nor an answer/],
    ['a box that is for nothing', box({ _ask: '1', total: '1' }), /a box is neither a question nor an answer/],
    [
      'a key twice',
      join([pair('a', '1'), pair('_command', 'Ping'), pair('a', '2'), end]),
      /a box has the key "a" twice/,
    ],
    ['a key twice, side by side', join([pair('a', '1'), pair('a', '2'), end]), /a box has the key "a" twice/],
    ['an answer to nothing', box({ _answer: '3', total: '1' }), /an answer came to "3", which was not asked/],
    [
      'an answer to something like it',
      box({ _answer: '01', total: '1' }),
      /an answer came to "01", which was not asked/,
    ],
    ['an answer in capitals', box({ _answer: 'A', total: '1' }), /an answer came to "A", which was not asked/],
    ['an answer to nobody', box({ _answer: '', total: '1' }), /an answer came to "", which was not asked/],
    ['an answer to a prototype', box({ _answer: '__proto__', total: '1' }), /"__proto__", which was not asked/],
    ['an error to nothing', box({ _error: '3', _error_code: 'UNKNOWN' }), /an answer came to "3", which was not asked/],
    [
      'two answers',
      join([box({ _answer: '1', total: '1' }), box({ _answer: '1', total: '1' })]),
      /an answer came to "1"/,
    ],
    ['an answer without its values', box({ _answer: '1' }), /total is missing in the response of Sum/],
    [
      'an answer of another type',
      box({ _answer: '1', total: 'x' }),
      /total in the response of Sum: "x" is not an Integer/,
    ],
    ['a question without its values', box({ _ask: '1', _command: 'Sum' }), /a is missing in the arguments of Sum/],
    ['a question of another type', box({ _ask: '1', _command: 'Sum', a: '' }), /a in the arguments of Sum: "" is not/],
    [
      'a list that is cut',
      box({ _ask: '1', _command: 'Sum', a: '1', list: '\0\x021' }),
      /list .*: a ListOf is cut short/,
    ],
    [
      'a list that is cut sooner',
      box({ _ask: '1', _command: 'Sum', a: '1', list: '\0' }),
      /list .*: a ListOf is cut short/,
    ],
  ])('is told off, and its error is the cause: %s', (what, bytes, message) => {
    for (const size of [1, 3, bytes.length]) {
      const { transport, failed, reason } = talking()
      for (let at = 0; at < bytes.length; at += size) transport.receive(bytes.slice(at, at + size))
      transport.end()
      const cause = { message: expect.stringMatching(message) as string }
      expect(reason()).toMatchObject({ name: 'ConnectionAborted', cause })
      expect(reason()?.cause).toBeInstanceOf(RemoteProtocolError)
      // Each call once, unless it was answered.
      expect(failed).toHaveLength(what === 'two answers' ? 1 : 2)
      expect(reports).toEqual([])
    }
  })

  it('gets an answer to its bad question first', () => {
    const { transport } = talking()
    transport.receive(box({ _ask: '7', _command: 'Sum', a: 'x' }))
    expect(fromLatin1(transport.value())).toContain('_error\0\x017\0\x0b_error_code\0\x07UNKNOWN')
  })

  it('may not ask under a name that is not answered yet, and may once it is', () => {
    const peer = new amp.AMP()
    const transport = connected(peer)
    let answer: (() => void) | undefined
    peer.respond(Ping, () => new Promise<void>((resolve) => (answer = resolve)))
    transport.receive(box({ _ask: '1', _command: 'Ping' }))
    transport.receive(box({ _ask: '2', _command: 'Ping' }))
    expect(transport.disconnecting).toBe(false)
    transport.receive(box({ _ask: '1', _command: 'Ping' }))
    expect(transport.cause).toMatchObject({ message: expect.stringMatching(/not answered yet/) as string })
    answer?.()
  })

  it('may use a name again after the answer', () => {
    const transport = connected(new amp.AMP().respond(Ping, () => {}))
    transport.receive(join([box({ _ask: '1', _command: 'Ping' }), box({ _ask: '1', _command: 'Ping' })]))
    expect(transport.disconnecting).toBe(false)
  })

  it('may send what was not declared, and it is skipped', () => {
    const got: object[] = []
    const transport = connected(new amp.AMP().respond(Sum, (values) => (got.push(values), { total: 0n })))
    transport.receive(box({ ['__proto__']: '1', constructor: '2', _command: 'Sum', a: '3', toString: '4' }))
    expect(got).toEqual([{ a: 3n }])
    expect(Object.keys(got[0]!)).toEqual(['a'])
    expect(Object.getPrototypeOf(got[0])).toBe(Object.prototype)
  })
})

describe('Anything at all', () => {
  const reports = reportsOfEachTest()

  it('is answered, or refused with a typed error, and pending calls end once', () => {
    const { refused } = runFuzz(4000, 1)
    expect(refused).toBeGreaterThan(400)
    expect(reports.filter(({ error }) => !isExpected(error))).toEqual([])
  })
})
