/** TCP endpoints: connecting and listening, with every way in which it can fail. */
import {
  CancelledError,
  CannotListenError,
  ClientFactory,
  type Connection,
  ConnectingCancelledError,
  ConnectionDone,
  ConnectionRefusedError,
  connectProtocol,
  Deferred,
  DNSLookupError,
  Factory,
  IPv4Address,
  NoProtocol,
  Protocol,
  TCPClientEndpoint,
  TCPServerEndpoint,
} from 'couplet'
import { getEventListeners } from 'node:events'
import { beforeEach, describe, expect, expectTypeOf, it } from 'vitest'
import { takeReports } from '../deferred/reports.ts'
import { only, outcome, ScriptedReactor } from '../scripted-reactor.ts'

const refused = new ConnectionRefusedError(new IPv4Address('TCP', '192.0.2.1', 10_000))

let reactor: ScriptedReactor
let endpoint: TCPClientEndpoint
let events: string[]
const reports = takeReports()
beforeEach(() => {
  reactor = new ScriptedReactor()
  endpoint = new TCPClientEndpoint(reactor, '192.0.2.1', 10_000)
  events = []
})

class Reader extends Protocol {
  lost: Error | undefined
  override connectionMade(): void {
    events.push('connectionMade')
    this.transport.write('hello')
  }
  override connectionLost(reason: Error): void {
    events.push('connectionLost')
    this.lost = reason
  }
}

class Readers extends Factory<Reader> {
  override startFactory(): void {
    events.push('startFactory')
  }
  override stopFactory(): void {
    events.push('stopFactory')
  }
  override buildProtocol(): Reader {
    events.push('buildProtocol')
    return new Reader()
  }
}

describe('TCPClientEndpoint', () => {
  it('gives the protocol, with its type, when it can be used', () => {
    const connecting = endpoint.connect(new Readers())
    expectTypeOf(connecting).toEqualTypeOf<Deferred<Reader>>()
    const connected = outcome(connecting.addCallback((reader) => (events.push('connected'), reader)))
    const connection = only(reactor.dials).connect()
    expect(connected.value?.transport).toBe(connection)
    expect(events).toEqual(['startFactory', 'buildProtocol', 'connectionMade', 'connected'])
  })

  it('starts the factory before it connects, and stops it when the connection is over', () => {
    const connected = outcome(endpoint.connect(new Readers()))
    expect(events).toEqual(['startFactory'])
    only(reactor.dials).connect().hangUp()
    reactor.advance(1)
    expect(connected.value?.lost).toBeInstanceOf(ConnectionDone)
    expect(events.slice(-2)).toEqual(['connectionLost', 'stopFactory'])
    expect(reactor.timers).toBe(0)
  })

  it('can be used again and again, at the same time too, with one factory', () => {
    const factory = new Readers()
    const connected = [outcome(endpoint.connect(factory)), outcome(endpoint.connect(factory))]
    const connections = reactor.dials.map((dial) => dial.connect())
    expect(connected[0]?.value).not.toBe(connected[1]?.value)
    connections[0]?.hangUp()
    reactor.advance(1)
    expect(events.filter((event) => event.endsWith('Factory'))).toEqual(['startFactory'])
    connections[1]?.hangUp()
    reactor.advance(1)
    expect(events.at(-1)).toBe('stopFactory')
  })

  it('fails with what the attempt failed with, and stops the factory', () => {
    const connected = outcome(endpoint.connect(new Readers()))
    only(reactor.dials).fail(refused)
    expect([connected, events]).toEqual([{ error: refused }, ['startFactory', 'stopFactory']])
  })

  it('looks names up, and fails when there is none', () => {
    const connected = outcome(new TCPClientEndpoint(reactor, 'poem.example', 10_000).connect(new Readers()))
    const unknown = new DNSLookupError('poem.example')
    only(reactor.lookups).fail(unknown)
    expect(connected).toEqual({ error: unknown })
  })

  it('hands its options on', () => {
    const bindAddress = new IPv4Address('TCP', '127.0.0.2', 0)
    outcome(new TCPClientEndpoint(reactor, '192.0.2.1', 7, { timeout: 9, bindAddress }).connect(new Readers()))
    expect(only(reactor.dials)).toMatchObject({ address: { port: 7 }, options: { timeout: 9, bindAddress } })
  })

  it('fails with NoProtocol when the factory wants none, and closes', () => {
    const connected = outcome(endpoint.connect(Factory.forProtocol(() => null)))
    const connection = only(reactor.dials).connect()
    expect(connected.error).toBeInstanceOf(NoProtocol)
    expect(connection.end).toBe('reset')
  })

  const broken = new Error('no ink')
  function throws(): never {
    throw broken
  }

  it.each<[string, () => Factory]>([
    ['startFactory', () => Object.assign(new Readers(), { startFactory: throws })],
    ['buildProtocol', () => Factory.forProtocol(throws)],
    ['connectionMade', () => Factory.forProtocol(() => Object.assign(new Reader(), { connectionMade: throws }))],
  ])('fails, and never throws, when %s does; nothing is left open', (_, factory) => {
    const connected = outcome(endpoint.connect(factory()))
    const connections = reactor.dials.map((dial) => dial.connect())
    expect(connected).toEqual({ error: broken })
    expect(connections.every(({ end }) => end === 'reset')).toBe(true)
    reactor.advance(0)
    reports.endTurn()
    expect([reactor.timers, reports.all]).toEqual([0, []])
  })

  it('reports what stopFactory throws, and fails with what it failed with', () => {
    const connected = outcome(endpoint.connect(Object.assign(new Readers(), { stopFactory: throws })))
    only(reactor.dials).fail(refused)
    expect([connected, reports.errors]).toEqual([{ error: refused }, [broken]])
  })

  it.each([0, 65_536, NaN])('fails, and never throws, for the port %d', (port) => {
    const connected = outcome(new TCPClientEndpoint(reactor, 'poem.example', port).connect(new Readers()))
    expect(connected.error).toBeInstanceOf(RangeError)
    expect([reactor.lookups.length, events]).toEqual([0, ['startFactory', 'stopFactory']])
  })

  it('refuses a ClientFactory, whose hooks nobody would call', () => {
    class Old extends ClientFactory {
      override buildProtocol(): Protocol {
        return new Reader()
      }
    }
    const connected = outcome(endpoint.connect(new Old()))
    expect(connected.error).toBeInstanceOf(TypeError)
    expect(String(connected.error)).toMatch(/hooks of a ClientFactory \(Old\).*reactor\.connectTCP/)
    expect(reactor.dials).toEqual([])
    void endpoint.connect(new Old())
    reports.endTurn()
    expect(reports.errors).toEqual([expect.any(TypeError)])
  })

  describe('cancelled', () => {
    function expectCancelled(error: unknown, reason?: unknown): void {
      expect(error).toBeInstanceOf(ConnectingCancelledError)
      const { cause } = error as Error
      expect(cause).toBeInstanceOf(CancelledError)
      expect((cause as Error).cause).toBe(reason)
      reactor.advance(0)
      expect(reactor.timers).toBe(0)
      expect(events.filter((event) => event.endsWith('Factory'))).toEqual(['startFactory', 'stopFactory'])
      reports.endTurn()
      expect(reports.all).toEqual([])
    }

    it('while the name is looked up', () => {
      const connecting = new TCPClientEndpoint(reactor, 'poem.example', 10_000).connect(new Readers())
      const connected = outcome(connecting)
      connecting.cancel('enough')
      expect(only(reactor.lookups).cancelled).toBe(true)
      expectCancelled(connected.error, 'enough')
    })

    it('while it connects', () => {
      const connecting = endpoint.connect(new Readers())
      const connected = outcome(connecting)
      connecting.cancel()
      expect(only(reactor.dials).cancelled).toBe(true)
      expectCancelled(connected.error)
    })

    it('while the admission is waited for; the connection is closed', () => {
      const answer = new Deferred<Connection | null>()
      const connecting = endpoint.connect(Object.assign(new Readers(), { admit: () => answer }))
      const connected = outcome(connecting)
      const connection = only(reactor.dials).connect()
      connecting.cancel()
      expect(connection.end).toBe('reset')
      reactor.advance(0)
      expectCancelled(connected.error)
    })

    it('by a signal, with its reason', () => {
      const controller = new AbortController()
      const connected = outcome(endpoint.connect(new Readers(), { signal: controller.signal }))
      controller.abort('enough')
      expect(only(reactor.dials).cancelled).toBe(true)
      expectCancelled(connected.error, 'enough')
      expect(getEventListeners(controller.signal, 'abort')).toEqual([])
    })

    it('by a timeout, which is then a TimeoutError', () => {
      const connected = outcome(endpoint.connect(new Readers()).addTimeout(50, reactor))
      reactor.advance(50)
      expect(connected.error).toMatchObject({ name: 'TimeoutError', ms: 50 })
      expect([only(reactor.dials).cancelled, reactor.timers]).toEqual([true, 0])
    })

    it('and not listened to, is not reported', () => {
      endpoint.connect(new Readers()).cancel()
      reports.endTurn()
      expect(reports.all).toEqual([])
    })
  })

  it('does not even begin with a signal that is aborted already', () => {
    const connected = outcome(endpoint.connect(new Readers(), { signal: AbortSignal.abort('enough') }))
    expect(connected.error).toMatchObject({ name: 'ConnectingCancelledError', cause: { cause: 'enough' } })
    expect([reactor.dials, events]).toEqual([[], []])
  })

  it('leaves a connection that is made alone when the signal is aborted later', () => {
    const controller = new AbortController()
    outcome(endpoint.connect(new Readers(), { signal: controller.signal }))
    const connection = only(reactor.dials).connect()
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])
    controller.abort()
    expect(connection.end).toBeUndefined()
  })

  it('is printed as people write it', () => {
    expect(String(endpoint)).toBe('192.0.2.1:10000')
    expect(String(new TCPClientEndpoint(reactor, '::1', 7))).toBe('[::1]:7')
  })
})

describe('connectProtocol', () => {
  it('connects the protocol that is given, and gives it back', () => {
    const reader = new Reader()
    const connecting = connectProtocol(endpoint, reader)
    expectTypeOf(connecting).toEqualTypeOf<Deferred<Reader>>()
    const connected = outcome(connecting)
    const connection = only(reactor.dials).connect()
    expect(connected.value).toBe(reader)
    expect(reader.transport).toBe(connection)
  })

  it('can be cancelled by a signal', () => {
    const controller = new AbortController()
    const connected = outcome(connectProtocol(endpoint, new Reader(), { signal: controller.signal }))
    controller.abort()
    expect(connected.error).toBeInstanceOf(ConnectingCancelledError)
  })
})

describe('TCPServerEndpoint', () => {
  it('gives the open port', () => {
    const listening = outcome(
      new TCPServerEndpoint(reactor, 8000, { interface: '127.0.0.1', backlog: 5 }).listen(new Readers()),
    )
    reactor.advance(0)
    expect(String(listening.value?.host)).toBe('127.0.0.1:8000')
    const port = only(reactor.ports)
    expect(port.options.backlog).toBe(5)
    expect(port.connect().sent).toBe('hello')
  })

  it.each<[string, number, string]>([
    ['port', 65_536, '127.0.0.1'],
    ['port', -1, ''],
    ['interface', 80, 'localhost'],
  ])('fails with CannotListenError, and never throws, for a wrong %s', (_, port, name) => {
    const listening = outcome(new TCPServerEndpoint(reactor, port, { interface: name }).listen(new Readers()))
    expect(listening.error).toBeInstanceOf(CannotListenError)
  })

  it('fails when the port cannot be opened', () => {
    reactor.refusal = new CannotListenError('0.0.0.0:80', 'not permitted')
    const listening = outcome(new TCPServerEndpoint(reactor, 80).listen(new Readers()))
    reactor.advance(0)
    expect(listening).toEqual({ error: reactor.refusal })
  })

  it('is printed as people write it', () => {
    expect(String(new TCPServerEndpoint(reactor, 80))).toBe('0.0.0.0:80')
    expect(String(new TCPServerEndpoint(reactor, 80, { interface: '::1' }))).toBe('[::1]:80')
  })

  it('refuses a ClientFactory', () => {
    class Old extends ClientFactory {
      override buildProtocol(): Protocol {
        return new Reader()
      }
    }
    expect(outcome(new TCPServerEndpoint(reactor, 0).listen(new Old())).error).toBeInstanceOf(TypeError)
  })
})
