/** ReconnectingClientFactory: when it connects again, when it does not, and what it leaves behind. */
import {
  type Address,
  ConnectionRefusedError,
  type Connector,
  IPv4Address,
  Protocol,
  ReconnectingClientFactory,
} from 'couplet'
import { Sim, type SimReactor } from 'couplet/sim'
import * as fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { takeReports } from '../deferred/reports.ts'
import { ScriptedReactor } from '../scripted-reactor.ts'

const refused = new ConnectionRefusedError(new IPv4Address('TCP', '192.0.2.1', 10_000))

class Reader extends Protocol {}

class Readers extends ReconnectingClientFactory {
  readonly calls: string[] = []
  override startFactory(): void {
    this.calls.push('startFactory')
  }
  override stopFactory(): void {
    this.calls.push('stopFactory')
  }
  override buildProtocol(_peer: Address): Protocol {
    return new Reader()
  }
}

/** Half of chance is what ScriptedReactor gives, so each wait is half of what it is at most. */
let reactor: ScriptedReactor
let factory: Readers
const reports = takeReports()
beforeEach(() => {
  reactor = new ScriptedReactor()
  factory = new Readers()
})

function connect(): Connector {
  return reactor.connectTCP('192.0.2.1', 10_000, factory)
}

/** Milliseconds until there is one more attempt; `undefined` if there will be none. */
function wait(): number | undefined {
  const [attempts, begun] = [reactor.dials.length, reactor.now()]
  while (reactor.timers > 0 && reactor.dials.length === attempts) reactor.advance(1)
  return reactor.dials.length === attempts ? undefined : reactor.now() - begun
}

/** Refuses the attempt that goes on, and says how long it is to the next one. */
function refuse(): number | undefined {
  reactor.dials.at(-1)!.fail(refused)
  return wait()
}

/** Lets the attempt that goes on succeed, and breaks the connection after so many milliseconds. */
function lastFor(ms: number): number | undefined {
  const connection = reactor.dials.at(-1)!.connect()
  reactor.advance(ms)
  connection.break(new Error('cable'))
  return wait()
}

describe('ReconnectingClientFactory', () => {
  it('connects again after a failure, later and later, up to a minute', () => {
    factory.jitter = 0
    connect()
    const waits = Array.from({ length: 9 }, refuse)
    expect(waits).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000])
  })

  it('leaves the wait to chance, from nothing to all of it', () => {
    connect()
    expect([refuse(), refuse(), refuse()]).toEqual([250, 500, 1000])
  })

  it('takes other numbers, in the subclass or later', () => {
    Object.assign(factory, { initialDelay: 100, factor: 3, maxDelay: 1000, jitter: 0.5 })
    connect()
    expect([refuse(), refuse(), refuse(), refuse()]).toEqual([75, 225, 675, 750])
    factory.maxDelay = 40
    expect(refuse()).toBe(30)
  })

  it('connects again after a connection is lost; a short one does not make the wait short', () => {
    factory.jitter = 0
    connect()
    expect([lastFor(29_999), lastFor(0), lastFor(10)]).toEqual([500, 1000, 2000])
  })

  it('begins anew after a connection that lasted 30 s', () => {
    factory.jitter = 0
    connect()
    expect([refuse(), refuse(), refuse(), lastFor(30_000), refuse()]).toEqual([500, 1000, 2000, 500, 1000])
  })

  it('begins anew when it is told that all is well', () => {
    factory.jitter = 0
    connect()
    expect([refuse(), refuse()]).toEqual([500, 1000])
    factory.resetDelay()
    expect(lastFor(1)).toBe(500)
  })

  it('takes no longer than maxDelay, whatever chance says, and never waits less than nothing', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { minLength: 12 }),
        (chance) => {
          reactor = new ScriptedReactor()
          factory = new Readers()
          factory.maxDelay = 3000
          let drawn = 0
          reactor.random = () => chance[drawn++ % chance.length]!
          connect()
          for (let failures = 0; failures < 12; failures++) {
            const most = Math.min(3000, 500 * 2 ** failures)
            const waited = refuse()!
            expect(waited).toBeLessThanOrEqual(most)
            expect(waited).toBeGreaterThanOrEqual(0)
          }
        },
      ),
      { numRuns: 20 },
    )
  })

  it('gives up after maxRetries attempts in a row, and leaves no timer', () => {
    factory.maxRetries = 2
    connect()
    expect([refuse(), refuse(), refuse()]).toEqual([250, 500, undefined])
    expect([reactor.dials.length, reactor.timers, factory.calls.at(-1)]).toEqual([3, 0, 'stopFactory'])
  })

  it('counts them anew after a connection that held, and after resetDelay', () => {
    factory.maxRetries = 1
    connect()
    expect([refuse(), lastFor(30_000), lastFor(30_000)]).toEqual([250, 250, 250])
    factory.resetDelay()
    expect([refuse(), refuse()]).toEqual([250, undefined])
  })

  it('starts and stops with each attempt, as in Twisted', () => {
    connect()
    refuse()
    expect(factory.calls).toEqual(['startFactory', 'stopFactory', 'startFactory'])
  })

  it('gives each of its connectors a delay of its own', () => {
    factory.jitter = 0
    connect()
    expect([refuse(), refuse()]).toEqual([500, 1000])
    connect()
    expect(refuse()).toBe(500)
  })

  it('says so when its numbers make no sense', () => {
    factory.factor = 0.5
    connect()
    reactor.dials[0]!.fail(refused)
    reports.endTurn()
    expect([reports.errors, reactor.timers]).toEqual([[expect.any(RangeError)], 0])
  })

  describe('stopTrying', () => {
    it('while it waits: no attempt, no timer', () => {
      connect()
      reactor.dials[0]!.fail(refused)
      factory.stopTrying()
      expect([reactor.timers, factory.continueTrying]).toEqual([0, false])
      expect(wait()).toBeUndefined()
    })

    it('while it connects, the first time too: the attempt is given up', () => {
      const connector = connect()
      factory.stopTrying()
      expect([connector.state, reactor.dials[0]!.cancelled, reactor.timers]).toEqual(['disconnected', true, 0])
    })

    it('while it is connected: the connection stays, and is not made again', () => {
      const connector = connect()
      const connection = reactor.dials[0]!.connect()
      factory.stopTrying()
      expect([connector.state, connection.end]).toEqual(['connected', undefined])
      connection.break(new Error('cable'))
      expect(wait()).toBeUndefined()
      expect(reactor.dials.length).toBe(1)
    })

    it('inside a hook', () => {
      factory.startedConnecting = () => factory.stopTrying()
      connect()
      expect(wait()).toBeUndefined()
      factory = new Readers()
      factory.clientConnectionFailed = (connector) => {
        factory.stopTrying()
        factory.retry(connector)
      }
      connect()
      reactor.dials.at(-1)!.fail(refused)
      expect(wait()).toBeUndefined()
    })

    it('is over with resetDelay', () => {
      const connector = connect()
      factory.stopTrying()
      factory.resetDelay()
      factory.retry(connector)
      expect(wait()).toBe(250)
    })

    it('may be said by the field alone, as some do', () => {
      connect()
      reactor.dials[0]!.fail(refused)
      factory.continueTrying = false
      expect(wait()).toBeUndefined()
    })
  })

  it('never has two attempts at once, whoever connects besides', () => {
    const connector = connect()
    reactor.dials[0]!.fail(refused)
    factory.retry(connector)
    expect(reactor.timers).toBe(1)
    connector.connect()
    expect([reactor.timers, reactor.dials.length]).toEqual([0, 2])
    factory.retry(connector)
    expect(wait()).toBeUndefined()
    expect(reactor.dials.length).toBe(2)
  })
})

describe('over a network', () => {
  let sim: Sim
  let server: SimReactor
  beforeEach(() => {
    sim = new Sim({ seed: 7, latency: 10 })
    server = sim.host('server').reactor
  })

  it('a server that comes back after ten minutes is not overrun, and all are there in one more', async () => {
    const made: number[] = []
    const builds = (at: SimReactor) =>
      new (class extends Readers {
        override buildProtocol(): Protocol {
          return Object.assign(new Reader(), { connectionMade: () => void made.push(at.now()) })
        }
      })()
    const factories = Array.from({ length: 200 }, (_, index) => {
      const { reactor: client } = sim.host(`client${index}`)
      const each = builds(client)
      client.connectTCP('server', 7, each)
      return each
    })
    await sim.runFor(600_000)
    expect(made).toEqual([])
    const port = await sim.runUntil(server.listenTCP(7, new Readers()))
    await sim.runFor(60_020)
    expect(made.length).toBe(200)
    // A herd would come all at once; these take turns by chance, for a minute.
    const busiest = Math.max(...made.map((time) => made.filter((at) => at >= time && at < time + 10_000).length))
    expect(busiest).toBeLessThan(100)
    for (const each of factories) each.stopTrying()
    await sim.runUntil(port.stopListening({ drain: 0 }))
    await sim.runFor(600_000)
    expect([made.length, sim.pending]).toEqual([200, 0])
  })
})
