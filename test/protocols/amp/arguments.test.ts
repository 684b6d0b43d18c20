/** Argument types: what values look like on the wire, and that they come out as they went in. */
import { amp, toText } from 'couplet'
import { connected, everyChunking, successResultOf } from 'couplet/testing'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromLatin1, toLatin1 } from '../../framing/line-model.ts'
import { Everything, everything } from './argument-values.ts'
import { TwoPeers } from './two-peers.ts'
import { box } from './wire-boxes.ts'

/** A value of this type on the wire, in Latin-1; undefined if it is left out. */
function written<T>(type: amp.Argument<T>, value: T): string | undefined {
  const peer = new amp.AMP()
  const transport = connected(peer)
  peer.callRemote(amp.command('X', { arguments: { x: type }, requiresAnswer: false }), { x: value } as never)
  const x = new amp.Box(transport.value()).get('x')
  return x && fromLatin1(x)
}

/** What comes out of these bytes; undefined, and the connection closed, if they are refused. */
function read<T>(type: amp.Argument<T>, bytes: string): T | undefined {
  let out: T | undefined
  const peer = new amp.AMP().respond(amp.command('X', { arguments: { x: type } }), (values) => {
    out = values.x
  })
  const transport = connected(peer)
  transport.receive(box({ _command: 'X', x: bytes }))
  expect(transport.cause === undefined).toBe(out !== undefined)
  return out
}

const same = <T>(type: amp.Argument<T>, value: T, wire: string): [string, amp.Argument<unknown>, unknown, string] => [
  type.kind,
  type,
  value,
  wire,
]

describe('A value', () => {
  it.each([
    same(amp.Integer(), 0n, '0'),
    same(amp.Integer(), -13n, '-13'),
    same(amp.Integer(), 999_999_999_999_999n, '999999999999999'),
    same(amp.Integer(), 2n ** 64n, '18446744073709551616'),
    same(amp.Integer(), -(10n ** 20n), '-100000000000000000000'),
    same(amp.Integer({ as: 'number' }), -42, '-42'),
    same(amp.Integer({ as: 'number' }), Number.MAX_SAFE_INTEGER, '9007199254740991'),
    same(amp.Integer({ as: 'number' }), Number.MIN_SAFE_INTEGER, '-9007199254740991'),
    same(amp.String(), toLatin1('\0\xff'), '\0\xff'),
    same(amp.Unicode(), 'schön', 'sch\xc3\xb6n'),
    same(amp.Unicode(), '', ''),
    same(amp.Unicode(), '\ufeffx', '\xef\xbb\xbfx'),
    same(amp.Unicode(), 'x'.repeat(100), 'x'.repeat(100)),
    same(amp.Boolean(), true, 'True'),
    same(amp.Boolean(), false, 'False'),
    // As Python's repr writes them.
    same(amp.Float(), 1, '1.0'),
    same(amp.Float(), 0, '0.0'),
    same(amp.Float(), -0, '-0.0'),
    same(amp.Float(), 0.1, '0.1'),
    same(amp.Float(), 1e15, '1000000000000000.0'),
    same(amp.Float(), 1e16, '1e+16'),
    same(amp.Float(), 123_456_789_012_345_680, '1.2345678901234568e+17'),
    same(amp.Float(), 0.0001, '0.0001'),
    same(amp.Float(), 0.00001, '1e-05'),
    same(amp.Float(), -1.5e-7, '-1.5e-07'),
    same(amp.Float(), 1e300, '1e+300'),
    same(amp.Float(), Infinity, 'inf'),
    same(amp.Float(), -Infinity, '-inf'),
    same(amp.Float(), NaN, 'nan'),
    same(amp.Decimal(), '-1.50E+1000', '-1.50E+1000'),
    same(amp.Decimal(), 'sNaN', 'sNaN'),
    same(amp.DateTime(), new Date('2012-01-23T12:34:56.054Z'), '2012-01-23T12:34:56.054000-00:00'),
    same(amp.DateTime(), new Date('0001-01-01T00:00:00Z'), '0001-01-01T00:00:00.000000-00:00'),
    same(amp.DateTime({ as: 'string' }), '2012-01-23T12:34:56.054321-01:23', '2012-01-23T12:34:56.054321-01:23'),
    same(amp.ListOf(amp.Integer()), [1n, 20n], '\0\x011\0\x0220'),
    same(amp.ListOf(amp.Unicode()), [], ''),
    same(amp.ListOf(amp.ListOf(amp.Boolean())), [[], [true]], '\0\0\0\x06\0\x04True'),
    same(amp.AmpList({ b: amp.Integer(), a: amp.Unicode() }), [{ a: 'x', b: 7n }], '\0\x01a\0\x01x\0\x01b\0\x017\0\0'),
    same(amp.AmpList({ a: amp.Unicode().optional() }), [{}, { a: '' }], '\0\0\0\x01a\0\0\0\0'),
    same(amp.Integer().optional(), 5n, '5'),
  ])('has its form on the wire, and comes out of it: %s %#', (_, type, value, wire) => {
    expect(written(type, value)).toBe(wire)
    expect(read(type, wire)).toEqual(value)
  })

  it('that may be left out is no key of the box', () => {
    expect(written(amp.Integer().optional(), undefined as never)).toBeUndefined()
  })

  it.each<[string, amp.Argument<unknown>, string, unknown]>([
    ['an integer with zeros', amp.Integer(), '007', 7n],
    ['a longer one', amp.Integer(), '-00000000000000000000000000000007', -7n],
    ['a negative zero', amp.Integer({ as: 'number' }), '-0', 0],
    ['a float without a point', amp.Float(), '1', 1],
    ['a decimal in other letters', amp.Decimal(), 'infinity', 'infinity'],
    ['another zone', amp.DateTime(), '2012-01-23T12:34:56.999999+05:30', new Date('2012-01-23T07:04:56.999Z')],
    ['one west of it', amp.DateTime(), '2012-01-23T12:34:56.000000-01:23', new Date('2012-01-23T13:57:56Z')],
  ])('is understood in forms that we do not write: %s', (_, type, wire, value) => {
    expect(read(type, wire)).toEqual(value)
  })

  it.each<[amp.Argument<unknown>, string[]]>([
    [
      amp.Integer(),
      ['', '-', '+5', ' 5', '5 ', '1_000', '0x10', '1.0', 'NaN', '٣', '1'.repeat(20) + 'x', '-'.repeat(20)],
    ],
    [amp.Integer({ as: 'number' }), ['', '9007199254740992', '-9007199254740992', '1e3', '9'.repeat(400)]],
    [amp.Unicode(), ['\xff', '\xc3', '\xed\xa0\x80', `${'x'.repeat(50)}\xff`]],
    [amp.Boolean(), ['', 'true', 'TRUE', 'Falsey', '1']],
    [amp.Float(), ['', '.', 'e5', '1e', 'Infinity', '0x1', '1_0', ' 1', '--1']],
    [amp.Decimal(), ['', '.', 'E5', '1E', 'abc', '1 ', 'NaNx', '--1']],
    [
      amp.DateTime(),
      [
        '',
        '2012-01-23T12:34:56.054321',
        '2012-01-23T12:34:56.05432-01:23',
        '2012-01-23 12:34:56.054321-01:23',
        '2012-02-30T12:34:56.054321-01:23',
        '2012-13-01T12:34:56.054321-01:23',
        '2012-01-23T24:00:00.000000-01:23',
        '2012-01-23T12:60:56.054321-01:23',
        '2012-01-23T12:34:60.054321-01:23',
        '2012-01-23T12:34:56.054321-24:00',
        '2012-01-23T12:34:56.054321-01:60',
        '0000-01-23T12:34:56.054321-01:23',
        '2012-01-23T12:34:56.054321-01:23x',
        '2012-01-23T12:34:56.054321\u00b101:23',
      ],
    ],
    [amp.ListOf(amp.Integer()), ['\0', '\0\x02', '\0\x021', '\0\x011\0', '\0\x01x', '\xff\xff1']],
    [
      amp.AmpList({ a: amp.Integer() }),
      [
        '\0',
        '\0\0',
        '\0\x01a',
        '\0\x01a\0\x011',
        '\0\x01a\0\x011\0',
        '\0\x01a\0\x01x\0\0',
        '\0\x01a\0\x011\0\x01a\0\x011\0\0',
        '\x01\0',
      ],
    ],
  ])('that is none is refused: %#', (type, wires) => {
    for (const wire of wires) expect(read(type, wire), wire.slice(0, 40)).toBeUndefined()
  })

  it.each<[string, amp.Argument<unknown>, unknown[]]>([
    ['Integer', amp.Integer(), [1, '1', null, {}]],
    ['Integer as number', amp.Integer({ as: 'number' }), [1n, 1.5, NaN, Infinity, 2 ** 53, '1', null]],
    ['String', amp.String(), ['text', [1], new Uint16Array(1), null]],
    ['Unicode', amp.Unicode(), [1, toLatin1('x'), null]],
    ['Boolean', amp.Boolean(), [0, 'True', null]],
    ['Float', amp.Float(), [1n, '1', null]],
    ['Decimal', amp.Decimal(), [1, '', 'x', '1,5', null]],
    [
      'DateTime',
      amp.DateTime(),
      [0, '2012', new Date(NaN), new Date('+010000-01-01T00:00:00Z'), new Date('0000-12-31T00:00:00Z')],
    ],
    ['DateTime as string', amp.DateTime({ as: 'string' }), [new Date(0), '2012-01-23T12:34:56Z', null]],
    ['ListOf', amp.ListOf(amp.Integer()), [1n, 'x', [1], [undefined], null]],
    ['AmpList', amp.AmpList({ a: amp.Integer() }), [{ a: 1n }, [1], [null], [{ a: 1 }], [{}]]],
  ])('of another type is not sent: %s', (_, type, values) => {
    for (const value of values) expect(() => written(type, value), String(value)).toThrow(amp.InvalidSignature)
  })

  it('that is too long for its two bytes is not sent, in a list neither', () => {
    const long = 'x'.repeat(65_536)
    expect(() => written(amp.Unicode(), long)).toThrow(/x in the arguments of X has 65536 bytes/)
    expect(() => written(amp.ListOf(amp.Unicode()), [long])).toThrow(amp.TooLong)
    expect(() =>
      written(
        amp.ListOf(amp.Unicode()),
        Array.from({ length: 40_000 }, () => ''),
      ),
    ).toThrow(amp.TooLong)
    expect(() => written(amp.AmpList({ a: amp.Unicode() }), [{ a: long }])).toThrow(amp.TooLong)
  })

  it.each<amp.Argument<unknown>>([amp.Integer(), amp.Float(), amp.Decimal()])(
    'that is long and wrong at its end is refused as soon: $kind',
    (type) => {
      // Where digits could be matched in two ways, each of these took seconds.
      for (let count = 0; count < 40; count++) expect(read(type, `${'1'.repeat(60_000)}x`)).toBeUndefined()
    },
  )

  it('of more digits than are allowed is refused in both directions', () => {
    const long = '7'.repeat(4300)
    expect(read(amp.Integer(), `-${long}`)).toBe(BigInt(`-${long}`))
    expect(read(amp.Integer(), `${long}7`)).toBeUndefined()
    expect(() => written(amp.Integer(), BigInt(`${long}7`))).toThrow(/at most 4300 digits/)
    expect(written(amp.Integer({ maxDigits: 5000 }), BigInt(`${long}7`))).toBe(`${long}7`)
  })

  it('of bytes is a view of what came, with nothing behind it', () => {
    const got = read(amp.String(), 'hello')!
    expect([toText(got), got.constructor]).toEqual(['hello', Uint8Array])
  })

  it.each<[string, () => unknown]>([
    ['Integer', () => amp.Integer({ as: 'bigint' } as never)],
    ['DateTime', () => amp.DateTime({ as: 'date' } as never)],
  ])('has no other form: %s', (_, declare) => {
    expect(declare).toThrow(TypeError)
  })
})

describe('Values of every type', () => {
  it('come out as they went in, any of them', () => {
    fc.assert(
      fc.property(everything, (values) => {
        const client = new amp.AMP()
        const peers = new TwoPeers(
          client,
          new amp.AMP().respond(Everything, (given) => given),
        )
        const answer = client.callRemote(Everything, values)
        peers.talk()
        expect(successResultOf(answer)).toEqual(values)
      }),
      { numRuns: 1000 },
    )
  })

  it('come out as they went in, whatever the chunks', () => {
    const [values] = fc.sample(everything, { numRuns: 1, seed: 7 })
    const client = new amp.AMP()
    const asked = connected(client)
    client.callRemote(Everything, values!).addErrback(() => {})
    everyChunking(asked.value(), (chunks) => {
      const got: unknown[] = []
      const transport = connected(new amp.AMP().respond(Everything, (given) => (got.push(given), given)))
      for (const chunk of chunks) transport.receive(chunk)
      expect(got).toEqual([values])
    })
  })
})
