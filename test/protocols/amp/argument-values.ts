/** Any values of every argument type: those that Twisted writes in the same way as we do. */
import { amp, toBytes } from 'couplet'
import * as fc from 'fast-check'

/** A command that has all of them, in both directions. */
const values = {
  integer: amp.Integer(),
  number: amp.Integer({ as: 'number' }),
  string: amp.String(),
  unicode: amp.Unicode(),
  boolean: amp.Boolean(),
  float: amp.Float(),
  decimal: amp.Decimal(),
  date: amp.DateTime({ as: 'string' }),
  integers: amp.ListOf(amp.Integer()),
  nested: amp.ListOf(amp.ListOf(amp.Unicode())),
  boxes: amp.AmpList({ x: amp.Integer({ as: 'number' }), note: amp.Unicode().optional() }),
  left: amp.Boolean().optional(),
}
export const Everything = amp.command('Everything', { arguments: values, response: values })
export type Everything = amp.ValuesOf<typeof values>

/** Text that can be sent: with halves of surrogates it could not. */
const text = fc.string({ unit: 'binary', maxLength: 60 })
const integer = fc.oneof(
  fc.bigInt(),
  fc.bigInt({ min: -(10n ** 16n), max: 10n ** 16n }),
  fc.bigInt({ min: -(10n ** 900n), max: 10n ** 900n }),
)
const safeInteger = fc.oneof(fc.maxSafeInteger(), fc.integer({ min: -1000, max: 1000 }))
const float = fc.oneof(
  fc.double(),
  fc.integer().map((one) => one + 0),
  fc.constantFrom(-0, 1e16, 1e15, 1e21, 1e-4, 1e-5, 1e-7, 5e-324, 123456789012345680, Infinity, -Infinity),
)
/** As `str(decimal.Decimal(…))` writes them. */
const decimal = fc.oneof(
  fc.bigInt().map(String),
  fc.tuple(fc.bigInt(), fc.nat(999_999)).map(([whole, part]) => `${whole}.${String(part).padStart(6, '0')}`),
  fc.integer({ min: 1, max: 9 }).map((digit) => `${digit}.5E+200`),
  fc.constantFrom('Infinity', '-Infinity', '1E+3', '1E-10', '0.000001', '-0', '0E-7'),
)
const pad = (number: number, length = 2): string => String(number).padStart(length, '0')
const date = fc
  .tuple(
    fc.date({ min: new Date('0001-01-02T00:00:00Z'), max: new Date('9999-12-30T00:00:00Z'), noInvalidDate: true }),
    fc.nat(999),
    fc.integer({ min: -1439, max: 1439 }),
  )
  .map(([when, micros, offset]) => {
    const size = Math.abs(offset)
    const sign = offset > 0 ? '+' : '-'
    return `${when.toISOString().slice(0, -1)}${pad(micros, 3)}${sign}${pad(Math.floor(size / 60))}:${pad(size % 60)}`
  })

export const everything: fc.Arbitrary<Everything> = fc.record(
  {
    integer,
    number: safeInteger.map((one) => one + 0),
    string: fc.uint8Array({ maxLength: 200 }).map((bytes) => Uint8Array.from(bytes)),
    unicode: fc.oneof(text, fc.constantFrom('', '\ufeffmark', 'schön', toBytes('x').join())),
    boolean: fc.boolean(),
    float,
    decimal,
    date,
    integers: fc.array(integer, { maxLength: 8 }),
    nested: fc.array(fc.array(text, { maxLength: 4 }), { maxLength: 4 }),
    boxes: fc.array(fc.record({ x: safeInteger.map((one) => one + 0), note: text }, { requiredKeys: ['x'] }), {
      maxLength: 5,
    }),
    left: fc.boolean(),
  },
  {
    requiredKeys: [
      'integer',
      'number',
      'string',
      'unicode',
      'boolean',
      'float',
      'decimal',
      'date',
      'integers',
      'nested',
      'boxes',
    ],
    noNullPrototype: true,
  },
)
