/** Endpoints in the file system and with TLS, as texts: what is asked of the reactor, and what is wrong with a text. */
import {
  clientFromString,
  Factory,
  InvalidEndpoint,
  Protocol,
  quoteStringArgument,
  serverFromString,
  standardParsers,
  tlsParsers,
  UNIXClientEndpoint,
  UNIXServerEndpoint,
} from 'couplet'
import * as fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { only, outcome, ScriptedReactor } from '../scripted-reactor.ts'

let reactor: ScriptedReactor
beforeEach(() => {
  reactor = new ScriptedReactor()
})

const anybody = Factory.forProtocol(() => new (class extends Protocol {})())
const files: Record<string, string> = {
  'both.pem': 'KEY AND CERT',
  'key.pem': 'KEY',
  'cert.pem': 'CERT',
  'ca.pem': 'CA',
}

function read(path: string): string {
  const found = files[path]
  if (found === undefined) throw new Error(`ENOENT: no such file, open '${path}'`)
  return found
}

const parsers = new Map([...standardParsers, ...tlsParsers(read)])

function dialed(text: string): unknown {
  outcome(clientFromString(reactor, text, parsers).connect(anybody))
  const { address, options } = only(reactor.dials)
  return { to: String(address), ...options }
}

function listened(text: string): unknown {
  outcome(serverFromString(reactor, text, parsers).listen(anybody))
  reactor.advance(0)
  const { host, options } = only(reactor.ports)
  return { at: String(host), ...options }
}

describe('unix:', () => {
  it.each([
    ['unix:/run/poems', { to: 'unix:/run/poems' }],
    ['unix:path=/run/poems:timeout=5', { to: 'unix:/run/poems', timeout: 5000 }],
    ['UNIX:/run/a\\:b', { to: 'unix:/run/a:b' }],
  ])('a client: %s', (text, expected) => {
    expect(dialed(text)).toEqual(expected)
  })

  it.each([
    ['unix:/run/poems', { at: 'unix:/run/poems' }],
    ['unix:/run/poems:660', { at: 'unix:/run/poems', mode: 0o660 }],
    ['unix:address=/run/poems:mode=0666:backlog=9', { at: 'unix:/run/poems', mode: 0o666, backlog: 9 }],
  ])('a server: %s', (text, expected) => {
    expect(listened(text)).toEqual(expected)
  })

  it.each([
    ['unix:', 'the argument address is empty'],
    ['unix', 'the argument address is missing'],
    ['unix:/run/poems:mode=888', 'permissions in octal, as in 660, not "888"'],
    ['unix:/run/poems:mode=rw', 'permissions in octal'],
    ['unix:/run/poems:mode=4755', 'permissions in octal'],
    ['unix:/run/poems:lockfile=1', 'no argument is called "lockfile"'],
  ])('%s is wrong, and says so', (text, message) => {
    expect(() => serverFromString(reactor, text)).toThrow(InvalidEndpoint)
    expect(() => serverFromString(reactor, text)).toThrow(message)
  })

  it('takes any path that is quoted', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), (path) => {
        const endpoint = clientFromString(reactor, `unix:${quoteStringArgument(path)}`)
        expect(String(endpoint)).toBe(String(new UNIXClientEndpoint(reactor, path)))
      }),
    )
  })

  it('shows itself', () => {
    expect(String(new UNIXServerEndpoint(reactor, '/run/poems'))).toBe('unix:/run/poems')
  })
})

describe('tls:', () => {
  it.each(['tls', 'ssl'])('a client verifies the host that it names: %s', (type) => {
    expect(dialed(`${type}:192.0.2.1:443`)).toEqual({
      to: '192.0.2.1:443',
      timeout: 30_000,
      tls: { serverName: '192.0.2.1' },
    })
  })

  it('a client may ask for more', () => {
    const text = 'tls:192.0.2.1:443:serverName=poems.example:ca=ca.pem:privateKey=key.pem:certKey=cert.pem:alpn=h2,poem'
    expect(dialed(text)).toMatchObject({
      tls: { serverName: 'poems.example', ca: 'CA', key: 'KEY', cert: 'CERT', alpn: ['h2', 'poem'] },
    })
  })

  it('a client may go over another endpoint, whose host it verifies', () => {
    const inner = quoteStringArgument('unix:/run/a\\:b:timeout=5')
    expect(dialed(`tls:poems.example:endpoint=${inner}`)).toEqual({ to: 'unix:/run/a:b', timeout: 5000 })
    expect(String(clientFromString(reactor, `tls:poems.example:443:endpoint=${inner}`, parsers))).toBe(
      'tls:unix:/run/a:b',
    )
  })

  it.each([
    ['tls:poems.example', 17, 'the argument port is missing'],
    ['tls:poems.example:timeout=5:endpoint=unix\\:/run/a', 18, 'the argument timeout means nothing here'],
    ['tls:poems.example:endpoint=unix', 4, 'the argument path is missing'],
    ['tls:poems.example:endpoint=udp\\:7', 0, 'no client endpoint has the type "udp"'],
    ['tls:poems.example:443:certKey=cert.pem', 38, 'the argument privateKey is missing'],
  ])('a client: %s is wrong, and says so', (text, position, message) => {
    expect(() => clientFromString(reactor, text, parsers)).toThrow(expect.objectContaining({ position }))
    expect(() => clientFromString(reactor, text, parsers)).toThrow(message)
  })

  it.each([
    ['tls:443:privateKey=both.pem', { key: 'KEY AND CERT', cert: 'KEY AND CERT', requestCert: false }],
    ['ssl:443:privateKey=key.pem:certKey=cert.pem', { key: 'KEY', cert: 'CERT', requestCert: false }],
    ['tls:443:privateKey=both.pem:ca=ca.pem', { ca: 'CA', requestCert: true }],
  ])('a server: %s', (text, tls) => {
    expect(listened(text)).toMatchObject({ at: '0.0.0.0:443', tls })
  })

  it.each([
    ['tls:443', 'the argument privateKey is missing'],
    ['tls:443:privateKey=none.pem', `the file "none.pem" cannot be read: ENOENT: no such file, open 'none.pem'`],
    ['tls:443:privateKey=key.pem:certKey=none.pem', 'the file "none.pem" cannot be read'],
    ['tls:443:privateKey=both.pem:alpn=h2,,h3', 'a list with commas between its words'],
  ])('%s is wrong, and says so', (text, message) => {
    expect(() => serverFromString(reactor, text, parsers)).toThrow(InvalidEndpoint)
    expect(() => serverFromString(reactor, text, parsers)).toThrow(message)
  })

  it('is not there for a program that has no way to read files', () => {
    expect(() => serverFromString(reactor, 'tls:443:privateKey=both.pem')).toThrow(
      /no server endpoint has the type "tls"/,
    )
  })
})
