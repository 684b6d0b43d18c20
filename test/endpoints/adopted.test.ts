/** Endpoints at sockets that somebody else has opened: by number, and as systemd names them. */
import {
  AdoptedStreamServerEndpoint,
  CannotListenError,
  ClientFactory,
  DescriptorAddress,
  Factory,
  InvalidEndpoint,
  serverFromString,
  SystemdServerEndpoint,
} from 'couplet'
import { describe, expect, it } from 'vitest'
import { only, outcome, ScriptedReactor } from '../scripted-reactor.ts'

const nothing = Factory.forProtocol(() => null)

class Old extends ClientFactory {
  override buildProtocol(): null {
    return null
  }
}

/** Started by something that speaks systemd's language. */
class Activated extends ScriptedReactor {
  readonly #passed: readonly DescriptorAddress[]

  constructor(...passed: DescriptorAddress[]) {
    super()
    this.#passed = passed
  }

  override inheritedDescriptors(): readonly DescriptorAddress[] {
    return this.#passed
  }

  /** Listens, and tells where, or why not. */
  try(endpoint: string): string {
    const seen = outcome(serverFromString(this, endpoint).listen(nothing))
    this.advance(0)
    return seen.error instanceof CannotListenError ? seen.error.message : String(seen.value?.host)
  }
}

describe('an adopted socket', () => {
  it('is listened at by its number', () => {
    const reactor = new ScriptedReactor()
    const endpoint = new AdoptedStreamServerEndpoint(reactor, 7, { maxConnections: 3 })
    endpoint.listen(nothing)
    reactor.advance(0)
    expect(only(reactor.ports)).toMatchObject({ host: new DescriptorAddress(7), options: { maxConnections: 3 } })
    expect(String(endpoint)).toBe('descriptor:7')
    expect(outcome(endpoint.listen(new Old())).error).toBeInstanceOf(TypeError)
  })
})

describe('systemd:', () => {
  const poem = new DescriptorAddress(3, 'poem')
  const prose = new DescriptorAddress(4, 'prose')
  const more = new DescriptorAddress(5, 'prose')

  it.each([
    ['systemd:index=1', 'descriptor:4'],
    ['systemd::1', 'descriptor:4'],
    ['SYSTEMD:name=poem', 'descriptor:3'],
    [
      'systemd:index=3',
      'systemd:index=3: cannot listen: it was not passed to this process, which has got 3: poem, prose, prose',
    ],
    ['systemd:name=prose', 'systemd:name=prose: cannot listen: 2 sockets have this name (choose one by its index)'],
    [
      'systemd:name=verse',
      'systemd:name=verse: cannot listen: it was not passed to this process, which has got 3: poem, prose, prose',
    ],
  ])('%s: %s', (endpoint, expected) => {
    expect(new Activated(poem, prose, more).try(endpoint)).toBe(expected)
  })

  it('is behind a proxy like any other', () => {
    expect(new Activated(poem).try('haproxy:trusted=10.0.0.1:systemd:index=0')).toBe('descriptor:3')
  })

  it('says what to look at where nothing was passed', () => {
    expect(new Activated().try('systemd:index=0')).toContain('is npm, tsx or a shell in between?')
    expect(outcome(serverFromString(new ScriptedReactor(), 'systemd:index=0').listen(nothing)).error).toBeInstanceOf(
      CannotListenError,
    )
  })

  it('gives back at once a socket that is of another domain', () => {
    const reactor = new Activated(poem)
    expect(reactor.try('systemd:domain=INET6:index=0')).toContain('not INET6')
    reactor.advance(0)
    expect(only(reactor.ports).connections).toBe(0)
  })

  it.each([
    ['systemd:domain=INET', 'index or name is missing'],
    ['systemd:domain=INET4:index=0', 'one of INET, INET6, UNIX'],
    ['systemd:index=-1', 'a whole number from 0 to 1023'],
    ['systemd:index=0:color=red', 'no argument is called "color"'],
    ['systemd:index=0:name=poem', 'index is given already, and one of index and name is enough'],
  ])('%s is wrong: %s', (text, why) => {
    const read = () => serverFromString(new ScriptedReactor(), text)
    expect(read).toThrow(InvalidEndpoint)
    expect(read).toThrow(why)
  })

  it('is a class, too, that takes options', () => {
    const reactor = new Activated(poem)
    new SystemdServerEndpoint(reactor, { name: 'poem' }, { backlog: 5 }).listen(nothing)
    reactor.advance(0)
    expect(only(reactor.ports).options).toMatchObject({ backlog: 5 })
  })
})
