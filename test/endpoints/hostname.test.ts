/** HostnameEndpoint: the addresses of a name race each other (RFC 8305), and nothing is left of those that lose. */
import {
  AllAttemptsFailed,
  type ClientEndpoint,
  ClientFactory,
  clientFromString,
  ConnectingCancelledError,
  ConnectionRefusedError,
  type DialOptions,
  DNSLookupError,
  Factory,
  HostnameEndpoint,
  type HostnameOptions,
  IPv4Address,
  IPv6Address,
  NoRouteError,
  Protocol,
  TCPTimedOutError,
  UNIXClientEndpoint,
  wrapClientTLS,
} from 'couplet'
import * as fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { takeReports } from '../deferred/reports.ts'
import { outcome, ScriptedReactor } from '../scripted-reactor.ts'

const hole = new IPv6Address('TCP', '2001:db8::1', 0)
const good = new IPv4Address('TCP', '192.0.2.1', 0)
const third = new IPv6Address('TCP', '2001:db8::3', 0)
const refused = new ConnectionRefusedError(good)

let reactor: ScriptedReactor
const reports = takeReports()
beforeEach(() => {
  reactor = new ScriptedReactor()
})

class Reader extends Protocol {}
const readers = Factory.forProtocol(() => new Reader())

/** Connects to a name that has these addresses. */
function connect(addresses: readonly (IPv4Address | IPv6Address)[], options: HostnameOptions = {}) {
  const endpoint = new HostnameEndpoint(reactor, 'poem.example', 7, options)
  const connecting = endpoint.connect(readers)
  const seen = outcome(connecting)
  reactor.lookups.at(-1)?.answer(addresses)
  return { endpoint, connecting, seen }
}

function tried(): string[] {
  return reactor.dials.map(({ address }) => String(address))
}

function expectNothingLeft(): void {
  reactor.advance(0)
  reports.endTurn()
  expect([reactor.timers, reports.all]).toEqual([0, []])
}

describe('HostnameEndpoint', () => {
  it('gives each address a head start of 250 ms, and keeps it going', () => {
    const { seen } = connect([hole, good, third])
    reactor.advance(249)
    expect(tried()).toEqual(['[2001:db8::1]:7'])
    reactor.advance(1)
    expect(tried()).toEqual(['[2001:db8::1]:7', '192.0.2.1:7'])
    reactor.advance(250)
    expect(reactor.dials.map(({ cancelled }) => cancelled)).toEqual([false, false, false])
    const connection = reactor.dials[0]?.connect()
    expect(seen.value?.transport).toBe(connection)
    expect(reactor.dials.map(({ cancelled }) => cancelled)).toEqual([false, true, true])
    expectNothingLeft()
  })

  it('goes on at once when an attempt fails, and the next one has a head start again', () => {
    connect([hole, good, third])
    reactor.advance(100)
    reactor.dials[0]?.fail(new NoRouteError(hole))
    expect(tried().length).toBe(2)
    reactor.advance(249)
    expect(tried().length).toBe(2)
    reactor.advance(1)
    expect(tried().length).toBe(3)
  })

  it('goes on too when a slow one fails that has company already', () => {
    connect([hole, good, third])
    reactor.advance(250)
    reactor.dials[0]?.fail(new NoRouteError(hole))
    expect(tried().length).toBe(3)
    expect(reactor.dials[1]?.cancelled).toBe(false)
  })

  it('says of every address why, when all have failed', () => {
    const { seen } = connect([hole, good])
    reactor.advance(250)
    reactor.dials[1]?.fail(refused)
    expect(seen).toEqual({})
    const slow = new TCPTimedOutError(hole, 30_000)
    reactor.dials[0]?.fail(slow)
    expect(seen.error).toBeInstanceOf(AllAttemptsFailed)
    expect((seen.error as AllAttemptsFailed).errors).toEqual([refused, slow])
    expect((seen.error as Error).message).toMatch(
      /^poem\.example:7: none of 2 .*192\.0\.2\.1:0: conn.*\[2001:db8::1\]:0: no/,
    )
    expectNothingLeft()
  })

  it('fails with DNSLookupError, as it is, when the name has no address', () => {
    const seen = outcome(new HostnameEndpoint(reactor, 'poem.example', 7).connect(readers))
    const unknown = new DNSLookupError('poem.example', 'the name server does not answer (EAI_AGAIN)')
    reactor.lookups[0]?.fail(unknown)
    expect(seen.error).toBe(unknown)
    expect(connect([]).seen.error).toMatchObject({ name: 'DNSLookupError' })
    expectNothingLeft()
  })

  it('gives all of it 30 s, the lookup included, and each address as much as it may have', () => {
    const endpoint = new HostnameEndpoint(reactor, 'poem.example', 7, { attemptTimeout: 10_000 })
    outcome(endpoint.connect(readers))
    reactor.advance(29_000)
    reactor.lookups[0]?.answer([hole, good])
    expect(reactor.dials[0]?.options.timeout).toBe(1000)
    reactor.advance(250)
    expect(reactor.dials[1]?.options.timeout).toBe(750)
    connect([hole], { attemptTimeout: 10_000 })
    expect(reactor.dials[2]?.options.timeout).toBe(10_000)
    const slow = outcome(new HostnameEndpoint(reactor, 'slow.example', 7).connect(readers))
    reactor.advance(30_000)
    expect([reactor.lookups.at(-1)?.cancelled, slow.error]).toEqual([true, expect.any(DNSLookupError)])
  })

  it('tries first what has worked, as long as the name has it', () => {
    const { endpoint } = connect([hole, good, third])
    reactor.advance(250)
    reactor.dials[1]?.connect()
    const again = (addresses: readonly (IPv4Address | IPv6Address)[]): string[] => {
      const before = reactor.dials.length
      outcome(endpoint.connect(readers))
      reactor.lookups.at(-1)?.answer(addresses)
      reactor.advance(500)
      return tried().slice(before)
    }
    expect(again([hole, third, good])).toEqual(['192.0.2.1:7', '[2001:db8::1]:7', '[2001:db8::3]:7'])
    expect(again([hole, third])).toEqual(['[2001:db8::1]:7', '[2001:db8::3]:7'])
  })

  it('takes an address for what it is', () => {
    outcome(new HostnameEndpoint(reactor, '::1', 7).connect(readers))
    expect([tried(), reactor.lookups]).toEqual([['[::1]:7'], []])
    expect(String(new HostnameEndpoint(reactor, '::1', 7))).toBe('[::1]:7')
  })

  it('asks for the certificate of the name, whichever address it is', () => {
    connect([good], { tls: {} })
    expect(reactor.dials[0]?.options.tls).toEqual({ serverName: 'poem.example' })
  })

  it.each([9, 0, -1, NaN])('refuses a head start of %d ms', (attemptDelay) => {
    expect(() => new HostnameEndpoint(reactor, 'poem.example', 7, { attemptDelay })).toThrow(RangeError)
  })

  it.each<[string, HostnameOptions]>([
    ['timeout', { timeout: 0 }],
    ['attemptTimeout', { attemptTimeout: NaN }],
    ['attemptDelay', { attemptDelay: Infinity }],
  ])('fails, and never throws, for a %s that is no time', (_, options) => {
    const seen = outcome(new HostnameEndpoint(reactor, 'poem.example', 7, options).connect(readers))
    expect(seen.error).toBeInstanceOf(RangeError)
    expectNothingLeft()
  })

  it('closes a connection that comes from an attempt which it has given up', () => {
    class Deaf extends ScriptedReactor {
      override dial(address: IPv4Address, options: DialOptions = {}) {
        const deferred = super.dial(address, options)
        // A reactor whose cancelling comes too late.
        deferred.cancel = () => {}
        return deferred
      }
    }
    reactor = new Deaf()
    const { seen } = connect([hole, good])
    reactor.advance(250)
    const winner = reactor.dials[1]?.connect()
    const late = reactor.dials[0]?.connect()
    expect(seen.value?.transport).toBe(winner)
    expect([winner?.end, late?.end]).toEqual([undefined, 'reset'])
  })

  it.each<[string, () => ClientEndpoint]>([
    ['a host', () => new HostnameEndpoint(reactor, '192.0.2.1', 7)],
    ['TLS', () => wrapClientTLS({ serverName: 'a' }, new HostnameEndpoint(reactor, '192.0.2.1', 7))],
    ['a path', () => new UNIXClientEndpoint(reactor, '/run/poems')],
    ['a text', () => clientFromString(reactor, 'tcp:192.0.2.1:7')],
  ])('%s: refuses a ClientFactory, and says who takes one', (_, endpointTo) => {
    class Old extends ClientFactory {
      override buildProtocol(): Protocol {
        return new Reader()
      }
    }
    const { error } = outcome(endpointTo().connect(new Old()))
    expect(error).toBeInstanceOf(TypeError)
    expect((error as Error).message).toMatch(/hooks of a ClientFactory \(Old\).*reactor\.connectTCP/)
    expect(reactor.dials).toEqual([])
  })

  describe('cancelled', () => {
    it('closes a connection that comes at the same moment', () => {
      const { connecting, seen } = connect([good])
      const [dial] = reactor.dials
      dial!.deferred.cancel = () => {}
      connecting.cancel('enough')
      const late = dial!.connect()
      expect(seen.error).toMatchObject({ name: 'ConnectingCancelledError', cause: { cause: 'enough' } })
      expect(late.end).toBe('reset')
      expectNothingLeft()
    })

    it('while the name is looked up, or by a signal, leaves nothing', () => {
      const controller = new AbortController()
      const endpoint = new HostnameEndpoint(reactor, 'poem.example', 7)
      const seen = outcome(endpoint.connect(readers, { signal: controller.signal }))
      controller.abort('enough')
      expect(reactor.lookups[0]?.cancelled).toBe(true)
      expect(seen.error).toBeInstanceOf(ConnectingCancelledError)
      expectNothingLeft()
    })

    it('at any moment of any race, leaves no timer, no attempt and no connection', () => {
      const step = fc.oneof(
        fc.record({ pass: fc.integer({ min: 0, max: 400 }) }),
        fc.record({ fail: fc.nat(4) }),
        fc.record({ connect: fc.nat(4) }),
      )
      fc.assert(
        fc.property(fc.nat(5), fc.array(step, { maxLength: 12 }), (count, steps) => {
          reactor = new ScriptedReactor()
          const addresses = Array.from({ length: count }, (_, index) => [hole, good, third][index % 3]!)
          const { connecting, seen } = connect(addresses)
          const connections = []
          for (const each of steps) {
            if ('pass' in each) reactor.advance(each.pass)
            const dial = reactor.dials['fail' in each ? each.fail : 'connect' in each ? each.connect : NaN]
            if (dial === undefined || dial.deferred.called) continue
            if ('fail' in each) dial.fail(refused)
            else connections.push(dial.connect())
          }
          connecting.cancel()
          const open = connections.filter(({ end }) => end === undefined)
          expect(open.length).toBe(seen.value === undefined ? 0 : 1)
          expect(seen.value !== undefined || seen.error !== undefined).toBe(true)
          expect(reactor.dials.every(({ deferred }) => deferred.called)).toBe(true)
          expectNothingLeft()
        }),
      )
    })
  })
})
