import * as fc from 'fast-check'
import {
  AllAttemptsFailed,
  CannotListenError,
  ConnectError,
  ConnectionAborted,
  ConnectionLost,
  ConnectionRefusedError,
  DNSLookupError,
  FrameTooLong,
  NoRouteError,
  TCPTimedOutError,
  TLSError,
} from 'couplet'
import { PoemCutOff } from 'couplet/poetry'
import { describe, expect, it } from 'vitest'
import { UsageError } from '../../src/poetry/bin/commands/command.ts'
import { exitCodeFor } from '../../src/poetry/bin/commands/exit-codes.ts'
import { chosen, measured, parseDuration } from '../../src/poetry/duration.ts'
import { printable, printableLines } from '../../src/poetry/printable.ts'

describe('a time on a command line', () => {
  it.each([
    ['1s', 1000],
    ['250ms', 250],
    ['0.5', 500],
    ['.5s', 500],
    ['0', 0],
    ['1.5ms', 1.5],
    ['3600', 3_600_000],
  ])('%s is %d ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms)
  })

  it.each(['', '-1', '+1', 'nan', 'NaN', 'Infinity', '1e3', '0x10', '1 s', ' 1', '1m', 's', 'ms', '1.', '1,5', '٥'])(
    '"%s" is none',
    (text) => {
      expect(parseDuration(text)).toBeUndefined()
    },
  )

  it('is a number of milliseconds, 0 or more, or nothing, whatever is typed', () => {
    const typed = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: fc.constantFrom('-', '+', '.', '0', '1', '9', 'm', 's', 'e') }),
    )
    fc.assert(
      fc.property(typed, (text) => {
        const ms = parseDuration(text)
        expect(ms === undefined || (ms >= 0 && ms < Infinity)).toBe(true)
      }),
    )
  })

  it('is shown as people say it', () => {
    expect([chosen(1000), chosen(250), chosen(1500), chosen(0)]).toEqual(['1 s', '250 ms', '1.5 s', '0 ms'])
    expect([measured(12_004), measured(4), measured(0)]).toEqual(['12.00 s', '0.00 s', '0.00 s'])
  })
})

describe('text from a stranger', () => {
  it('cannot move a cursor, ring a bell, turn the writing round or begin a new line', () => {
    expect(printable('a\x1b[2Jb\r\nc\x07\x9b\u202e\u2028d')).toBe(
      String.raw`a\x1b[2Jb\x0d\x0ac\x07\x9b\u{202e}\u{2028}d`,
    )
    expect(printableLines('می\u200cروم 👩\u200d🚀')).toBe('می\u200cروم 👩\u200d🚀')
    expect(printableLines('a\r\nb\tc\n\x1b]0;d\rè')).toBe('a\nb\tc\n\\x1b]0;d\\x0dè')
  })

  it('is harmless whatever it is, and unchanged if it was harmless', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(printable(text)).not.toMatch(/[\p{Cc}\u202a-\u202e\u2066-\u2069\u2028\u2029]/u)
        expect(printableLines(text)).not.toMatch(/(?![\n\t])[\p{Cc}\u202a-\u202e\u2066-\u2069\u2028\u2029]/u)
        expect(printable(printable(text))).toBe(printable(text))
      }),
    )
  })
})

describe('the exit code', () => {
  const at = '127.0.0.1:10000'
  const untrusted = new TLSError(at, 'verification', 'CERT_HAS_EXPIRED', 'not secure')
  const cut = new TLSError(at, 'end', 'ERR_TLS_CUT', 'cut')
  const because = (code: string) => ({ cause: Object.assign(new Error(code), { code }) })

  it.each<[string, unknown, number]>([
    ['a wrong command line', new UsageError('no'), 2],
    ['an unknown host', new DNSLookupError('nowhere'), 68],
    ['a server that is not there', new ConnectionRefusedError(at), 69],
    ['a server that does not answer', new TCPTimedOutError(at), 69],
    ['no way to the server', new NoRouteError(at), 69],
    ['a bug', new TypeError('undefined is not a function'), 70],
    ['something thrown that is no error', null, 70],
    ['a port in use', new CannotListenError(at, 'in use', because('EADDRINUSE')), 71],
    ['too many open files', new ConnectError(at, 'too many files', because('EMFILE')), 71],
    ['a poem that was cut off', new PoemCutOff(at, 5, new ConnectionLost()), 74],
    [
      'a poem that is too long',
      new PoemCutOff(at, 5, new ConnectionAborted('no', { cause: new FrameTooLong(6, 5) })),
      76,
    ],
    ['a port for root only', new CannotListenError(at, 'not permitted', because('EACCES')), 77],
    ['a server that cannot prove who it is', untrusted, 77],
    ['a host none of whose addresses can', new AllAttemptsFailed('nowhere', [untrusted, untrusted]), 77],
    ['a certificate of ours that cannot be used', new CannotListenError(at, 'no', { cause: untrusted }), 77],
    ['a poem that TLS did not end', new PoemCutOff(at, 5, new ConnectionLost('cut', { cause: cut })), 74],
    ['a stdout that was closed', because('EPIPE').cause, 141],
  ])('of %s', (_, error, code) => {
    expect(exitCodeFor(error)).toBe(code)
  })

  it('of an error that is its own cause is still found', () => {
    const circle = new Error('circle')
    circle.cause = circle
    expect(exitCodeFor(circle)).toBe(70)
  })
})
