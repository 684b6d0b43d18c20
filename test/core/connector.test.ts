/** Connector: the hooks of a ClientFactory, in Twisted's order, and connecting again. */
import {
  ClientFactory,
  ConnectionAborted,
  type ConnectionClosed,
  ConnectionDone,
  ConnectionLost,
  ConnectionRefusedError,
  ConnectingCancelledError,
  type Connector,
  Factory,
  IPv4Address,
  NoProtocol,
  Protocol,
  type Address,
} from 'couplet'
import { beforeEach, describe, expect, it } from 'vitest'
import { takeReports } from '../deferred/reports.ts'
import { only, ScriptedReactor } from '../scripted-reactor.ts'

const refused = new ConnectionRefusedError(new IPv4Address('TCP', '192.0.2.1', 10_000))

/** Writes down every call. The test may add what a hook does. */
class Diary extends ClientFactory {
  readonly calls: string[] = []
  readonly reasons: Error[] = []
  also: Partial<Record<string, (connector: Connector) => void>> = {}
  build = (): Protocol | null => new DiaryProtocol(this)

  override startFactory(): void {
    this.note('startFactory')
  }
  override stopFactory(): void {
    this.note('stopFactory')
  }
  override buildProtocol(_peer: Address): Protocol | null {
    this.calls.push('buildProtocol')
    return this.build()
  }
  override startedConnecting(connector: Connector): void {
    this.note('startedConnecting', connector)
  }
  override clientConnectionFailed(connector: Connector, reason: Error): void {
    this.reasons.push(reason)
    this.note('clientConnectionFailed', connector)
  }
  override clientConnectionLost(connector: Connector, reason: Error): void {
    this.reasons.push(reason)
    this.note('clientConnectionLost', connector)
  }

  note(call: string, connector?: Connector): void {
    this.calls.push(connector === undefined ? call : `${call} (${connector.state})`)
    this.also[call]?.(connector as Connector)
  }
}

class DiaryProtocol extends Protocol {
  readonly #diary: Diary
  constructor(diary: Diary) {
    super()
    this.#diary = diary
  }
  override connectionMade(): void {
    this.#diary.note('connectionMade')
  }
  override connectionLost(_reason: ConnectionClosed): void {
    this.#diary.note('connectionLost')
  }
}

let reactor: ScriptedReactor
let factory: Diary
const reports = takeReports()
beforeEach(() => {
  reactor = new ScriptedReactor()
  factory = new Diary()
})

function connect(): Connector {
  return reactor.connectTCP('192.0.2.1', 10_000, factory)
}

describe('connectTCP', () => {
  it('calls the hooks in the order that Twisted has', () => {
    const connector = connect()
    expect(factory.calls).toEqual(['startFactory', 'startedConnecting (connecting)'])
    const connection = only(reactor.dials).connect()
    expect(connector.state).toBe('connected')
    connection.hangUp()
    reactor.advance(1)
    expect(factory.calls).toEqual([
      'startFactory',
      'startedConnecting (connecting)',
      'buildProtocol',
      'connectionMade',
      'connectionLost',
      'clientConnectionLost (disconnected)',
      'stopFactory',
    ])
    expect(only(factory.reasons)).toBeInstanceOf(ConnectionDone)
    expect([reactor.timers, reports.all]).toEqual([0, []])
  })

  it('tells the factory why an attempt failed, and stops it', () => {
    connect()
    only(reactor.dials).fail(refused)
    expect(factory.calls).toEqual([
      'startFactory',
      'startedConnecting (connecting)',
      'clientConnectionFailed (disconnected)',
      'stopFactory',
    ])
    expect(factory.reasons).toEqual([refused])
  })

  it.each(['clientConnectionLost', 'clientConnectionFailed'])(
    'goes on with the same connector and the same factory when %s connects again',
    (hook) => {
      factory.also[hook] = (connector) => {
        delete factory.also[hook]
        connector.connect()
      }
      const connector = connect()
      if (hook === 'clientConnectionFailed') {
        only(reactor.dials).fail(refused)
      } else {
        only(reactor.dials).connect().break(new Error('cable'))
      }
      expect(connector.state).toBe('connecting')
      expect(reactor.dials.length).toBe(2)
      expect(factory.calls.filter((call) => /Factory/.test(call))).toEqual(['startFactory'])
      reactor.dials[1]?.connect().hangUp()
      reactor.advance(1)
      expect(connector.state).toBe('disconnected')
      expect(factory.calls.at(-1)).toBe('stopFactory')
    },
  )

  it('starts the factory again for a connect after everything was over', () => {
    const connector = connect()
    only(reactor.dials).fail(refused)
    connector.connect()
    expect(factory.calls.slice(-3)).toEqual(['stopFactory', 'startFactory', 'startedConnecting (connecting)'])
  })

  it('stopConnecting tells the factory before it returns, and tries no further', () => {
    const connector = connect()
    connector.stopConnecting()
    expect(factory.calls.slice(-2)).toEqual(['clientConnectionFailed (disconnected)', 'stopFactory'])
    expect(only(factory.reasons)).toBeInstanceOf(ConnectingCancelledError)
    expect(only(reactor.dials).cancelled).toBe(true)
    expect(reactor.timers).toBe(0)
  })

  it('stopConnecting inside startedConnecting means that nothing is dialed', () => {
    factory.also['startedConnecting'] = (connector) => connector.stopConnecting()
    const connector = connect()
    expect(connector.state).toBe('disconnected')
    expect(factory.calls).toEqual([
      'startFactory',
      'startedConnecting (connecting)',
      'clientConnectionFailed (disconnected)',
      'stopFactory',
    ])
    expect(only(factory.reasons)).toBeInstanceOf(ConnectingCancelledError)
    expect(reactor.dials).toEqual([])
  })

  it('stopConnecting inside a later startedConnecting means the same', () => {
    const connector = connect()
    only(reactor.dials).fail(refused)
    factory.also['startedConnecting'] = () => connector.stopConnecting()
    connector.connect()
    expect(connector.state).toBe('disconnected')
    expect(factory.reasons.at(-1)).toBeInstanceOf(ConnectingCancelledError)
    expect(reactor.dials.length).toBe(1)
  })

  it('dials once when startedConnecting stops and clientConnectionFailed connects again', () => {
    factory.also['startedConnecting'] = (connector) => {
      delete factory.also['startedConnecting']
      connector.stopConnecting()
    }
    factory.also['clientConnectionFailed'] = (connector) => {
      delete factory.also['clientConnectionFailed']
      connector.connect()
    }
    const connector = connect()
    expect(connector.state).toBe('connecting')
    expect(reactor.dials.length).toBe(1)
    only(reactor.dials).connect()
    expect(connector.state).toBe('connected')
  })

  it('loses the connection when buildProtocol says no', () => {
    factory.build = () => null
    connect()
    const connection = only(reactor.dials).connect()
    expect(connection.end).toBe('reset')
    reactor.advance(0)
    expect(factory.calls.slice(2)).toEqual(['buildProtocol', 'clientConnectionLost (disconnected)', 'stopFactory'])
    expect(only(factory.reasons)).toBeInstanceOf(ConnectionAborted)
    expect(only(factory.reasons).cause).toBeInstanceOf(NoProtocol)
    reports.endTurn()
    expect(reports.all).toEqual([])
  })

  it.each(['buildProtocol', 'connectionMade'])(
    'aborts when %s throws, reports it once, and tells the factory',
    (hook) => {
      const broken = new Error('no ink')
      if (hook === 'buildProtocol') {
        factory.build = () => {
          throw broken
        }
      } else {
        factory.also[hook] = () => {
          throw broken
        }
      }
      connect()
      only(reactor.dials).connect()
      reactor.advance(0)
      reports.endTurn()
      expect(factory.calls.slice(-2)).toEqual(['clientConnectionLost (disconnected)', 'stopFactory'])
      expect(only(factory.reasons)).toMatchObject({ name: 'ConnectionAborted', cause: broken })
      expect(reports.errors).toEqual([broken])
    },
  )

  it.each(['startedConnecting', 'clientConnectionFailed', 'stopFactory'])(
    'goes on, and reports it once, when %s throws',
    (hook) => {
      const broken = new Error('no ink')
      factory.also[hook] = () => {
        throw broken
      }
      const connector = connect()
      only(reactor.dials).fail(refused)
      reports.endTurn()
      expect(connector.state).toBe('disconnected')
      expect(factory.calls.at(-1)).toBe('stopFactory')
      expect(reports.errors).toEqual([broken])
      expect(reports.all[0]).toMatchObject({ what: `${hook} of Diary failed`, subject: factory })
    },
  )

  it('throws what startFactory throws, and can be tried again', () => {
    factory.also['startFactory'] = () => {
      throw new Error('no ink')
    }
    expect(() => connect()).toThrow('no ink')
    expect([factory.calls, reactor.dials]).toEqual([['startFactory'], []])
    delete factory.also['startFactory']
    connect()
    expect(factory.calls.slice(1)).toEqual(['startFactory', 'startedConnecting (connecting)'])
  })

  it.each([0, -1, 65_536, 1.5, NaN])('throws for the port %d, before it starts the factory', (port) => {
    expect(() => reactor.connectTCP('192.0.2.1', port, factory)).toThrow(RangeError)
    expect(factory.calls).toEqual([])
  })

  it('refuses a factory that has no hooks to call, and says what to do instead', () => {
    const plain = Factory.forProtocol(() => new DiaryProtocol(factory)) as ClientFactory
    const connecting = [
      () => reactor.connectTCP('192.0.2.1', 10_000, plain),
      () => reactor.connectUNIX('/run/poems', plain),
    ]
    for (const each of connecting) {
      expect(each).toThrow(TypeError)
      expect(each).toThrow(/use an endpoint .* or extend ClientFactory/)
    }
    expect(reactor.dials).toEqual([])
  })

  it('remembers when its latest connection was made', () => {
    const connector = connect()
    expect(connector.connectedAt).toBeUndefined()
    reactor.advance(5)
    only(reactor.dials).connect().break(new Error('cable'))
    reactor.advance(5)
    expect([connector.connectedAt, connector.reactor]).toEqual([5, reactor])
  })

  describe('when an attempt fails at once', () => {
    function failAtOnce(): Connector {
      return reactor.connectTCP('192.0.2.1', 10_000, factory, { timeout: -1 })
    }

    it('tells nobody before it has returned', () => {
      const connector = failAtOnce()
      expect(factory.calls).toEqual(['startFactory', 'startedConnecting (connecting)'])
      expect(connector.state).toBe('connecting')
      reactor.advance(0)
      expect(factory.calls.slice(2)).toEqual(['clientConnectionFailed (disconnected)', 'stopFactory'])
      expect(only(factory.reasons)).toBeInstanceOf(RangeError)
    })

    it('can be stopped in between', () => {
      const connector = failAtOnce()
      connector.stopConnecting()
      expect(only(factory.reasons)).toBeInstanceOf(ConnectingCancelledError)
      expect([connector.state, reactor.timers]).toEqual(['disconnected', 0])
    })

    it('may be tried again and again without filling the stack', () => {
      let left = 5000
      factory.also['clientConnectionFailed'] = (connector) => {
        if (--left > 0) connector.connect()
      }
      failAtOnce()
      reactor.advance(0)
      expect([left, factory.reasons.length, reports.errors]).toEqual([0, 5000, []])
    })
  })

  it('disconnect gives up an attempt', () => {
    const connector = connect()
    connector.disconnect()
    expect([connector.state, only(reactor.dials).cancelled]).toEqual(['disconnected', true])
  })

  it('disconnect loses a connection, cleanly, and later', () => {
    const connector = connect()
    const connection = only(reactor.dials).connect()
    connector.disconnect()
    expect(connector.state).toBe('connected')
    reactor.advance(0)
    connection.hangUp()
    reactor.advance(0)
    expect(connector.state).toBe('disconnected')
    expect(only(factory.reasons)).toBeInstanceOf(ConnectionDone)
    connector.disconnect()
    expect(factory.calls.at(-1)).toBe('stopFactory')
  })

  it('throws when asked for what makes no sense now', () => {
    const connector = connect()
    expect(() => connector.connect()).toThrow('192.0.2.1:10000: the connector is connecting already')
    only(reactor.dials).connect().break(new Error('cable'))
    expect(only(factory.reasons)).toBeInstanceOf(ConnectionLost)
    expect(() => connector.stopConnecting()).toThrow('the connector is disconnected, not connecting')
  })
})
