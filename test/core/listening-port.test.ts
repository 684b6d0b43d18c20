/** Listening: opening a port for a factory, stopping it at once or gently, and who is started and stopped when. */
import {
  CannotListenError,
  type Connection,
  Deferred,
  Factory,
  type ListeningPort,
  type ListenTCPOptions,
  Protocol,
  UNIXAddress,
} from 'couplet'
import { beforeEach, describe, expect, it } from 'vitest'
import { takeReports } from '../deferred/reports.ts'
import { only, outcome, type ScriptedPort, ScriptedReactor } from '../scripted-reactor.ts'

let reactor: ScriptedReactor
const reports = takeReports()
beforeEach(() => {
  reactor = new ScriptedReactor()
})

class Diary extends Factory {
  readonly calls: string[] = []
  readonly protocols: Polite[] = []
  broken: Partial<Record<'startFactory' | 'stopFactory', Error>> = {}

  override buildProtocol(): Protocol {
    const protocol = new Polite()
    this.protocols.push(protocol)
    return protocol
  }
  override startFactory(): void {
    this.#call('startFactory')
  }
  override stopFactory(): void {
    this.#call('stopFactory')
  }
  #call(hook: 'startFactory' | 'stopFactory'): void {
    this.calls.push(hook)
    if (this.broken[hook] !== undefined) throw this.broken[hook]
  }
}

/** Finishes when it is asked to, or does not. */
class Polite extends Protocol {
  asked = 0
  lost = 0
  stubborn = false
  override stopping(): void {
    this.asked++
    if (!this.stubborn) this.transport.loseConnection()
  }
  override connectionLost(): void {
    this.lost++
  }
}

function listen(factory: Factory, port = 0, options: ListenTCPOptions = {}): ScriptedPort {
  const listening = outcome(reactor.listenTCP(port, factory, options))
  reactor.advance(0)
  if (listening.value === undefined) throw listening.error
  return listening.value as ScriptedPort
}

describe('listenTCP', () => {
  it('opens the port, then starts the factory, in a later turn', () => {
    const factory = new Diary()
    const listening = outcome(reactor.listenTCP(10_000, factory, { interface: '127.0.0.1', backlog: 7 }))
    expect([listening, factory.calls]).toEqual([{}, []])
    reactor.advance(0)
    expect(String(listening.value?.host)).toBe('127.0.0.1:10000')
    expect(only(reactor.ports).options.backlog).toBe(7)
    expect(factory.calls).toEqual(['startFactory'])
  })

  it('listens on all interfaces unless told otherwise', () => {
    expect(String(listen(new Diary(), 8000).host)).toBe('0.0.0.0:8000')
    expect(String(listen(new Diary(), 8000, { interface: '::' }).host)).toBe('[::]:8000')
  })

  it.each([-1, 65_536, 1.5, NaN])('fails with CannotListenError for the port %d', (port) => {
    const factory = new Diary()
    const listening = outcome(reactor.listenTCP(port, factory))
    expect(listening.error).toBeInstanceOf(CannotListenError)
    expect(String(listening.error)).toContain(`a port is a whole number from 0 to 65535, not ${port}`)
    reactor.advance(0)
    expect([factory.calls, reactor.ports]).toEqual([[], []])
  })

  it.each(['localhost', '127.1', '[::1]', 'eth0'])('fails with CannotListenError for the interface %s', (name) => {
    const listening = outcome(reactor.listenTCP(0, new Diary(), { interface: name }))
    expect(listening.error).toBeInstanceOf(CannotListenError)
    expect(String(listening.error)).toContain(`${name}: cannot listen: an interface is an IP address`)
  })

  it('starts no factory for a port that cannot be opened', () => {
    const factory = new Diary()
    reactor.refusal = new CannotListenError('127.0.0.1:80', 'not permitted')
    const listening = outcome(reactor.listenTCP(80, factory))
    reactor.advance(0)
    expect([listening.error, factory.calls]).toEqual([reactor.refusal, []])
  })

  it('closes the port again, and fails, when startFactory throws', () => {
    const factory = new Diary()
    factory.broken.startFactory = new Error('no ink')
    const listening = outcome(reactor.listenTCP(0, factory))
    reactor.advance(0)
    expect(listening.error).toBe(factory.broken.startFactory)
    expect(outcome(only(reactor.ports).stopListening())).toHaveProperty('value')
    expect(factory.calls).toEqual(['startFactory'])
    delete factory.broken.startFactory
    listen(factory)
    expect(factory.calls).toEqual(['startFactory', 'startFactory'])
  })

  it('starts a factory once for any number of ports, and stops it with the last', () => {
    const factory = new Diary()
    const one = listen(factory)
    const other = listen(factory)
    one.stopListening()
    reactor.advance(0)
    expect(factory.calls).toEqual(['startFactory'])
    other.stopListening()
    reactor.advance(0)
    expect(factory.calls).toEqual(['startFactory', 'stopFactory'])
    listen(factory)
    expect(factory.calls).toEqual(['startFactory', 'stopFactory', 'startFactory'])
  })

  it('gives each connection a protocol', () => {
    const factory = new Diary()
    const port = listen(factory)
    port.connect()
    port.connect()
    expect([factory.protocols.length, port.connections]).toEqual([2, 2])
  })

  it('reports what buildProtocol throws, aborts that connection, and goes on', () => {
    const broken = new Error('no ink')
    let calls = 0
    const port = listen(
      Factory.forProtocol(() => {
        if (++calls === 1) throw broken
        return new Polite()
      }),
    )
    expect(port.connect().end).toBe('reset')
    expect(port.connect().end).toBeUndefined()
    reactor.advance(0)
    reports.endTurn()
    expect(port.connections).toBe(1)
    expect(reports.errors).toEqual([broken])
    expect(reports.all[0]?.what).toContain('10.0.0.2:1025')
  })

  it('says nothing about connections that were refused, or went while they waited for their admission', () => {
    const answer = new Deferred<Connection | null>()
    const refusing = listen(Factory.forProtocol(() => null))
    refusing.connect()
    const slow = listen(Object.assign(new Diary(), { admit: () => answer }))
    const connection = slow.connect()
    connection.break(new Error('cable'))
    answer.callback(connection)
    reactor.advance(0)
    reports.endTurn()
    expect([reports.all, refusing.connections, slow.connections]).toEqual([[], 0, 0])
  })

  it('listens anywhere else, too', () => {
    const listening = outcome(reactor.listenWith(new UNIXAddress('/run/poem'), new Diary()))
    reactor.advance(0)
    expect(String(listening.value?.host)).toBe('unix:/run/poem')
  })
})

describe('stopListening', () => {
  let factory: Diary
  let port: ScriptedPort
  beforeEach(() => {
    factory = new Diary()
    port = listen(factory)
  })

  it('fires a turn later, and leaves connections alone', () => {
    const connection = port.connect()
    const stopped = outcome(port.stopListening())
    expect([stopped, factory.calls]).toEqual([{}, ['startFactory']])
    reactor.advance(0)
    expect([stopped, factory.calls]).toEqual([{ value: undefined }, ['startFactory', 'stopFactory']])
    expect([connection.end, port.connections, reactor.timers]).toEqual([undefined, 1, 0])
  })

  it('called again, waits for the same end', () => {
    const stops = [outcome(port.stopListening()), outcome(port.stopListening())]
    reactor.advance(0)
    stops.push(outcome(port.stopListening()))
    expect(stops).toEqual([{ value: undefined }, { value: undefined }, { value: undefined }])
    expect(factory.calls).toEqual(['startFactory', 'stopFactory'])
  })

  it('fails with what stopFactory threw, and the port is free nevertheless', () => {
    factory.broken.stopFactory = new Error('no ink')
    const stops = [outcome(port.stopListening()), outcome(port.stopListening())]
    reactor.advance(0)
    expect(stops.map(({ error }) => error)).toEqual([factory.broken.stopFactory, factory.broken.stopFactory])
    expect(outcome(port.stopListening())).toEqual({ value: undefined })
  })

  it('refuses a connection that was on its way', () => {
    port.stopListening()
    expect(port.connect().end).toBe('reset')
    reactor.advance(0)
    expect([factory.protocols, port.connections]).toEqual([[], 0])
  })

  it('can be given up waiting for', () => {
    const stopping = port.stopListening()
    const other = outcome(port.stopListening())
    stopping.addErrback(() => 'given up')
    stopping.cancel()
    reactor.advance(0)
    expect(other).toEqual({ value: undefined })
  })

  it('with time to drain, asks each protocol to finish, and waits for the last', () => {
    const [polite, stubborn] = [port.connect(), port.connect()]
    only(factory.protocols.slice(1)).stubborn = true
    const stopped = outcome(port.stopListening({ drain: 5000 }))
    expect(factory.protocols.map(({ asked }) => asked)).toEqual([1, 1])
    reactor.advance(0)
    polite.hangUp()
    reactor.advance(0)
    expect([stopped, port.connections]).toEqual([{}, 1])
    stubborn.hangUp()
    reactor.advance(0)
    expect([stopped, port.connections, reactor.timers]).toEqual([{ value: undefined }, 0, 0])
  })

  it('loses the connection of a protocol that has no stopping()', () => {
    const plain = listen(Factory.forProtocol(() => new (class extends Protocol {})()))
    const connection = plain.connect()
    plain.stopListening({ drain: 5000 })
    expect(connection.disconnecting).toBe(true)
  })

  it('aborts what is still open at the deadline', () => {
    const connection = port.connect()
    only(factory.protocols).stubborn = true
    const stopped = outcome(port.stopListening({ drain: 5000 }))
    reactor.advance(4999)
    expect([stopped, connection.end]).toEqual([{}, undefined])
    reactor.advance(1)
    expect([stopped, connection.end]).toEqual([{ value: undefined }, 'reset'])
    expect([only(factory.protocols).lost, reactor.timers]).toEqual([1, 0])
  })

  it('drains and aborts also when stopFactory throws, and fails with that in the end', () => {
    factory.broken.stopFactory = new Error('no ink')
    const connection = port.connect()
    only(factory.protocols).stubborn = true
    const stopped = outcome(port.stopListening({ drain: 5000 }))
    reactor.advance(4999)
    expect(stopped).toEqual({})
    reactor.advance(1)
    expect([connection.end, stopped.error, reactor.timers]).toEqual(['reset', factory.broken.stopFactory, 0])
  })

  it('asks each protocol once, however often it is called; the earlier deadline counts', () => {
    const connection = port.connect()
    only(factory.protocols).stubborn = true
    const stops = [outcome(port.stopListening()), outcome(port.stopListening({ drain: 5000 }))]
    reactor.advance(1000)
    stops.push(outcome(port.stopListening({ drain: 1000 })))
    reactor.advance(1000)
    expect(connection.end).toBe('reset')
    expect(only(factory.protocols).asked).toBe(1)
    expect(stops).toEqual([{ value: undefined }, { value: undefined }, { value: undefined }])
    expect(reactor.timers).toBe(0)
  })

  it('with nothing to drain, fires a turn later and leaves no timer', () => {
    const stopped = outcome(port.stopListening({ drain: 5000 }))
    reactor.advance(0)
    expect([stopped, reactor.timers]).toEqual([{ value: undefined }, 0])
  })

  it.each([-1, NaN, Infinity])('throws for a drain of %d ms, and stops nothing', (drain) => {
    expect(() => port.stopListening({ drain })).toThrow(RangeError)
    reactor.advance(0)
    expect(factory.calls).toEqual(['startFactory'])
    const connection = port.connect()
    expect([connection.end, (port as ListeningPort).connections]).toEqual([undefined, 1])
  })
})
