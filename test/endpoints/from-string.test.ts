/** Endpoints from texts: what is understood, and what is said about the rest. */
import {
  clientFromString,
  type EndpointParsers,
  Factory,
  HostnameEndpoint,
  InvalidEndpoint,
  Protocol,
  quoteStringArgument,
  serverFromString,
  standardParsers,
  TCPClientEndpoint,
  TCPServerEndpoint,
} from 'couplet'
import * as fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { parseDescription } from '../../src/framework/endpoints/description.ts'
import { only, outcome, ScriptedReactor } from '../scripted-reactor.ts'

let reactor: ScriptedReactor
beforeEach(() => {
  reactor = new ScriptedReactor()
})

/** Anything that can be in a string, halves of characters included. */
const anything = fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)) })
const anybody = Factory.forProtocol(() => new (class extends Protocol {})())

/** What is asked of the reactor when a client from `text` connects. */
function dialed(text: string): { to: string; timeout: unknown; from: string } {
  outcome(clientFromString(reactor, text).connect(anybody))
  const { address, options } = only(reactor.dials)
  return { to: String(address), timeout: options.timeout, from: String(options.bindAddress?.host) }
}

/** Where a server from `text` listens. */
function listened(text: string): { at: string; backlog: unknown } {
  outcome(serverFromString(reactor, text).listen(anybody))
  reactor.advance(0)
  const { host, options } = only(reactor.ports)
  return { at: String(host), backlog: options.backlog }
}

function complaint(f: () => unknown): InvalidEndpoint {
  try {
    f()
  } catch (error) {
    if (error instanceof InvalidEndpoint) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

describe('clientFromString', () => {
  it.each([
    'tcp:192.0.2.1:80',
    'TCP:192.0.2.1:80',
    'tcp:host=192.0.2.1:port=80',
    'tcp:port=80:host=192.0.2.1',
    'tcp:host=192.0.2.1:80',
    'tcp:192.0.2.1:port=80',
    'tcp:192.0.2.1:80:timeout=:bindAddress=',
    'tcp:192.0.2.1:0080',
    't\\cp:192.0.2.1:8\\0',
  ])('understands %s', (text) => {
    expect(dialed(text)).toEqual({ to: '192.0.2.1:80', timeout: 30_000, from: 'undefined' })
  })

  it.each([
    ['10', 10_000],
    ['1.5', 1500],
    ['.5s', 500],
    ['2s', 2000],
    ['250ms', 250],
  ])('takes the timeout %s', (time, ms) => {
    expect(dialed(`tcp:192.0.2.1:80:timeout=${time}`).timeout).toBe(ms)
  })

  it('takes the address to start from', () => {
    expect(dialed('tcp:192.0.2.1:80:bindAddress=127.0.0.2').from).toBe('127.0.0.2')
  })

  it('takes IPv6 addresses, quoted', () => {
    expect(dialed(`tcp:${quoteStringArgument('::1')}:80:bindAddress=\\:\\:`)).toMatchObject({
      to: '[::1]:80',
      from: '::',
    })
  })

  it('takes a name', () => {
    outcome(clientFromString(reactor, 'tcp:poem.example:80').connect(anybody))
    expect(only(reactor.lookups).host).toBe('poem.example')
  })

  it('gives an endpoint whose addresses race', () => {
    expect(clientFromString(reactor, 'tcp:localhost:80')).toBeInstanceOf(HostnameEndpoint)
  })
})

describe('serverFromString', () => {
  it.each([
    ['tcp:8000', '0.0.0.0:8000'],
    ['TcP:port=8000', '0.0.0.0:8000'],
    ['tcp:0', '0.0.0.0:0'],
    ['tcp:8000:interface=127.0.0.1', '127.0.0.1:8000'],
    ['tcp:8000:127.0.0.1', '127.0.0.1:8000'],
    ['tcp:8000:interface=\\:\\:1', '[::1]:8000'],
    ['tcp:8000:interface=', '0.0.0.0:8000'],
    ['tcp6:8000', '[::]:8000'],
    ['tcp6:port=8000:interface=\\:\\:1', '[::1]:8000'],
  ])('understands %s', (text, at) => {
    expect(listened(text)).toEqual({ at, backlog: undefined })
  })

  it('takes the backlog', () => {
    expect(listened('tcp:8000:backlog=7').backlog).toBe(7)
  })

  it('gives a TCPServerEndpoint', () => {
    expect(serverFromString(reactor, 'tcp:0')).toBeInstanceOf(TCPServerEndpoint)
  })
})

describe('a wrong text', () => {
  it.each<['client' | 'server', text: string, position: number, why: string]>([
    ['client', '', 0, 'an endpoint begins with its type'],
    ['client', ':', 0, 'an endpoint begins with its type'],
    ['client', 'tcp=1:2', 0, 'an endpoint begins with its type'],
    ['client', 'localhost:80', 0, 'no client endpoint has the type "localhost"'],
    ['server', 'tpc:80', 0, 'no server endpoint has the type "tpc"'],
    ['client', '__proto__:80', 0, 'no client endpoint has the type "__proto__"'],
    ['client', 'tcp', 3, 'the argument host is missing'],
    ['client', 'tcp:10000', 9, 'the argument port is missing'],
    ['client', 'tcp::80', 4, 'the argument host is empty'],
    ['client', 'tcp:localhost:', 14, 'the argument port is empty'],
    ['client', 'tcp:localhost:port=', 19, 'the argument port is empty'],
    ['client', 'tcp:localhost:http', 14, 'the argument port is a whole number from 1 to 65535, not "http"'],
    ['client', 'tcp:localhost:0', 14, 'the argument port is a whole number from 1 to 65535, not "0"'],
    ['client', 'tcp:localhost:port=65536', 19, 'the argument port is a whole number from 1 to 65535, not "65536"'],
    ['client', 'tcp:localhost:8e1', 14, 'not "8e1"'],
    ['client', 'tcp:localhost: 80', 14, 'not " 80"'],
    ['client', 'tcp:localhost:-1', 14, 'not "-1"'],
    ['client', 'tcp:a:80:90', 9, 'one argument too many'],
    ['client', 'tcp:::1:80', 6, 'one argument too many'],
    ['client', 'tcp:a:80:port=81', 9, 'the argument port is given twice'],
    ['client', 'tcp:a:80:host=b', 9, 'the argument host is given twice'],
    ['client', 'tcp:a:80:timeout=1:timeout=2', 19, 'the argument timeout is given twice'],
    ['client', 'tcp:a:80:timeuot=1', 9, 'no argument is called "timeuot"'],
    ['client', 'tcp:a:80:Timeout=1', 9, 'no argument is called "Timeout"'],
    ['client', 'tcp:a:80:=1', 9, 'no argument is called ""'],
    ['client', 'tcp:a:80:__proto__=1', 9, 'no argument is called "__proto__"'],
    ['client', 'tcp:a:80:timeout=soon', 17, 'the argument timeout is a time like 250ms, 1.5s or 30'],
    ['client', 'tcp:a:80:timeout=0', 17, 'the argument timeout is a time'],
    ['client', 'tcp:a:80:timeout=99999999999', 17, 'the argument timeout is a time'],
    ['client', 'tcp:a:80:bindAddress=localhost', 21, 'the argument bindAddress is an IP address'],
    ['client', 'tcp:a:80\\', 8, 'a backslash at the very end escapes nothing'],
    ['server', 'tcp', 3, 'the argument port is missing'],
    ['server', 'tcp:', 4, 'the argument port is empty'],
    ['server', 'tcp:localhost:80', 4, 'the argument port is a whole number from 0 to 65535, not "localhost"'],
    ['server', 'tcp:80:interface=eth0', 17, 'the argument interface is an IP address'],
    ['server', 'tcp:80:backlog=0', 15, 'the argument backlog is a whole number from 1'],
    ['client', 'tcp6:a:80', 0, 'no client endpoint has the type "tcp6"'],
    ['server', 'tcp:80:timeout=5', 7, 'no argument is called "timeout"'],
  ])('%s %j is pointed at, at %i: %s', (side, text, position, why) => {
    const fromString = side === 'client' ? clientFromString : serverFromString
    const error = complaint(() => fromString(reactor, text))
    expect(error.message.split('\n')[0]).toContain(why)
    expect(error).toMatchObject({ name: 'InvalidEndpoint', code: 'ERR_INVALID_ENDPOINT', text, position })
  })

  it('is shown, with a caret under what is wrong, and with what is right', () => {
    expect(complaint(() => clientFromString(reactor, 'tcp:localhost:http')).message).toBe(
      [
        'the argument port is a whole number from 1 to 65535, not "http"',
        '  tcp:localhost:http',
        '                ^',
        '  it is written tcp:HOST:PORT[:timeout=TIME][:bindAddress=IP], as in tcp:localhost:10000',
      ].join('\n'),
    )
    expect(complaint(() => clientFromString(reactor, 'udp:localhost:53')).message).toBe(
      ['no client endpoint has the type "udp"', '  udp:localhost:53', '  ^', '  there are: tcp, unix'].join('\n'),
    )
  })

  it.each([
    ['a server of TLS', () => serverFromString(reactor, 'tls:443:privateKey=key.pem')],
    ['a client of SSL, by its older name', () => clientFromString(reactor, 'SSL:poems.example:443')],
  ])('says for %s what has to be passed in, since it is in files', (_, read) => {
    expect(complaint(read).message.split('\n').at(-1)).toContain('[...standardParsers, ...tlsParsers(readFileSync)]')
  })

  it('cannot write to a terminal', () => {
    const { message } = complaint(() => clientFromString(reactor, 'tcp:a:80:\x1b[2J\x9b2J\r\n\u202E=1'))
    expect(message.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u)
    expect(message.split('\n').length).toBe(4)
  })
})

describe('the grammar', () => {
  it('takes the first = for the end of the name, and later ones as they are', () => {
    expect(parseDescription('x:a=b=c').rest).toMatchObject([{ name: 'a', value: 'b=c' }])
  })

  it('takes a quoted = as it is', () => {
    expect(parseDescription('x:a\\=b').rest).toMatchObject([{ name: undefined, value: 'a=b' }])
    expect(parseDescription('x:a\\=b=c').rest).toMatchObject([{ name: 'a=b', value: 'c' }])
  })

  it('takes nothing between two colons for an empty argument', () => {
    expect(parseDescription('x::a:').rest.map(({ value }) => value)).toEqual(['', 'a', ''])
  })

  it('quotes what means something, and nothing else', () => {
    expect(quoteStringArgument('/run/a=b:c\\d e')).toBe('/run/a\\=b\\:c\\\\d e')
  })

  it('gives back any text that was quoted, with a name and without', () => {
    fc.assert(
      fc.property(fc.oneof(anything, fc.string()), fc.string(), (one, other) => {
        const { rest } = parseDescription(`x:${quoteStringArgument(one)}:name=${quoteStringArgument(other)}`)
        expect(rest).toMatchObject([
          { name: undefined, value: one },
          { name: 'name', value: other },
        ])
      }),
    )
  })

  it('gives back any text made of what means something', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('\\', ':', '=', 'a') }), (text) => {
        expect(parseDescription(`x:${quoteStringArgument(text)}`).rest).toMatchObject([
          { name: undefined, value: text },
        ])
      }),
      { numRuns: 500 },
    )
  })

  it('throws nothing but InvalidEndpoint, whatever the text', () => {
    const pieces = fc.constantFrom(
      'tcp',
      ':',
      '=',
      '\\',
      'host',
      'port',
      'timeout',
      '80',
      'localhost',
      '1.5s',
      '::1',
      '\n',
    )
    const likely = fc.array(pieces, { maxLength: 12 }).map((list) => `tcp:${list.join('')}`)
    fc.assert(
      fc.property(fc.oneof(anything, fc.string(), likely), (text) => {
        for (const fromString of [clientFromString, serverFromString]) {
          try {
            fromString(reactor, text)
          } catch (error) {
            expect(error).toBeInstanceOf(InvalidEndpoint)
            const { position, message } = error as InvalidEndpoint
            expect(position).toBeGreaterThanOrEqual(0)
            expect(position).toBeLessThanOrEqual(text.length)
            expect(message.split('\n')[2]).toBe(`  ${' '.repeat(position)}^`)
          }
        }
      }),
      { numRuns: 500 },
    )
  })
})

describe('parsers', () => {
  const memory: EndpointParsers = new Map([
    ...standardParsers,
    [
      'memory',
      {
        client: {
          usage: 'memory:NAME',
          positional: ['name'],
          make: (_reactor, args) => new TCPClientEndpoint(reactor, args.text('name'), 1),
        },
      },
    ],
  ])

  it('are a Map that the program passes in: one more type is one more entry', () => {
    expect(String(clientFromString(reactor, 'Memory:poem', memory))).toBe('poem:1')
    expect(String(clientFromString(reactor, 'tcp:a:80', memory))).toBe('a:80')
    expect(() => clientFromString(reactor, 'memory:poem')).toThrow('no client endpoint has the type "memory"')
  })

  it('need not have both sides', () => {
    const error = complaint(() => serverFromString(reactor, 'memory:poem', memory))
    expect(error.message).toContain('no server endpoint has the type "memory"')
    expect(error.message).toContain('there are: tcp')
    expect(complaint(() => clientFromString(reactor, 'x:y', memory)).message).toContain('there are: tcp, unix, memory')
  })
})
