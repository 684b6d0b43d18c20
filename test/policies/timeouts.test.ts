import {
  ConnectionAborted,
  Factory,
  type Hook,
  idleTimeout,
  IdleTimeout,
  throttle,
  TotalTimeout,
  totalTimeout,
} from 'couplet'
import { AccumulatingProtocol, ManualClock } from 'couplet/testing'
import { describe, expect, it } from 'vitest'
import { causeOf, Echo, ServerInSim } from './server-in-sim.ts'

describe('idleTimeout', () => {
  function serve(build?: () => AccumulatingProtocol): ServerInSim {
    const server = new ServerInSim()
    server.serve([idleTimeout(server.reactor, 1000)], build)
    return server
  }

  it('closes a connection on which nothing happens, and says so', () => {
    const server = serve()
    const client = server.connect()
    server.sim.advance(999)
    expect(server.last.closedReason).toBeUndefined()
    server.sim.advance(1)
    const { closedReason } = server.last
    expect(closedReason).toBeInstanceOf(ConnectionAborted)
    expect(closedReason?.cause).toBeInstanceOf(IdleTimeout)
    expect(closedReason?.cause).toMatchObject({ code: 'ERR_IDLE_TIMEOUT', limit: 1000, offered: 1000 })
    expect(causeOf(closedReason).message).toContain('10.0.0.2:')
    expect(client.closedReason?.name).toBe('ConnectionDone')
    expect(server.sim.pending).toBe(0)
  })

  it('counts what arrives and what is written', () => {
    const server = serve()
    const client = server.connect()
    server.sim.advance(900)
    client.transport.write('x')
    server.sim.advance(900)
    expect(server.last.closedReason).toBeUndefined()
    server.last.transport.write('y')
    server.sim.advance(999)
    expect(server.last.closedReason).toBeUndefined()
    server.sim.advance(1)
    expect(server.last.closedReason?.cause).toBeInstanceOf(IdleTimeout)
  })

  it('counts bytes that were written long ago and leave only now', () => {
    class Sip extends AccumulatingProtocol {
      override dataReceived(chunk: Uint8Array): Hook {
        this.transport.pauseProducing()
        return super.dataReceived(chunk)
      }
    }
    const server = serve(() => new AccumulatingProtocol())
    const client = server.connect(
      '10.0.0.2',
      Factory.forProtocol(() => new Sip()),
    )
    server.last.transport.write(new Uint8Array(900_000))
    while (server.last.transport.queued > 0) {
      server.sim.advance(900)
      expect(server.last.closedReason).toBeUndefined()
      client.transport.resumeProducing()
      server.sim.advance()
    }
    expect(server.sim.now).toBeGreaterThan(5000)
    server.sim.advance(10_000)
    expect(server.last.closedReason?.cause).toBeInstanceOf(IdleTimeout)
  })

  it('ends a peer that reads nothing, even while a producer is registered', () => {
    const server = serve(() => new AccumulatingProtocol())
    const client = server.connect()
    client.transport.pauseProducing()
    const nothing = (): Hook => {}
    const idler = { pauseProducing: nothing, resumeProducing: nothing, stopProducing: nothing }
    server.last.transport.registerProducer(idler, true)
    server.last.transport.write(new Uint8Array(500_000))
    server.sim.advance(2000 + 5000)
    expect(server.last.closedReason?.cause).toBeInstanceOf(IdleTimeout)
  })

  it('sets one timer, not one for each byte', () => {
    const clock = new ManualClock()
    const server = new ServerInSim()
    server.serve([idleTimeout(clock, 1000)])
    const client = server.connect()
    const [timer] = clock.pending()
    for (let byte = 0; byte < 1000; byte++) {
      client.transport.write('x')
      server.sim.advance()
    }
    expect(clock.pending()).toEqual([timer])
    client.transport.abortConnection()
    server.sim.advance()
    expect(clock.pending()).toEqual([])
  })

  it('lets a busy program read what has come meanwhile before it decides', () => {
    const clock = new ManualClock()
    const server = new ServerInSim()
    server.serve([idleTimeout(clock, 1000)])
    const client = server.connect()
    client.transport.write('I am here')
    // The program was busy for so long that its timers come before its sockets.
    let looked = 0
    clock.callLater(1000, () => {
      looked++
      server.sim.advance()
    })
    clock.advance(1000)
    expect(looked).toBe(1)
    expect(server.last.closedReason).toBeUndefined()
    expect(client.text()).toBe('I am here')
  })

  it('decides at moments that no number of milliseconds says exactly', () => {
    const server = serve()
    const clients = Array.from({ length: 300 }, (_, index) => {
      const client = server.connect()
      server.sim.advance(0.1 * index + 0.007)
      client.transport.write('x')
      return client
    })
    server.sim.advance(100_000)
    expect(server.sim.pending).toBe(0)
    expect(clients.map(({ closedReason }) => closedReason?.name)).toEqual(clients.map(() => 'ConnectionDone'))
    expect(new Set(server.served.map(({ closedReason }) => causeOf(closedReason).name))).toEqual(
      new Set(['IdleTimeout']),
    )
  })

  it('wants a time', () => {
    for (const ms of [0, -1, NaN, Infinity]) {
      expect(() => idleTimeout(new ManualClock(), ms)).toThrow(RangeError)
      expect(() => totalTimeout(new ManualClock(), ms)).toThrow(RangeError)
    }
  })
})

describe('totalTimeout', () => {
  it('aborts a connection that is open for too long, however much happens on it', () => {
    const server = new ServerInSim()
    server.serve([totalTimeout(server.reactor, 1000)], () => new Echo())
    const client = server.connect()
    for (let count = 0; count < 10; count++) {
      client.transport.write('x')
      server.sim.advance(100)
    }
    expect(server.last.closedReason?.cause).toBeInstanceOf(TotalTimeout)
    expect(server.last.closedReason?.cause).toMatchObject({ code: 'ERR_TOTAL_TIMEOUT', limit: 1000 })
    expect(client.closedReason?.name).toBe('ConnectionLost')
    expect(server.sim.pending).toBe(0)
  })

  it('cuts two hundred connections that drip, and none that has ended in time', () => {
    const server = new ServerInSim()
    server.serve([totalTimeout(server.reactor, 30_000)], () => new AccumulatingProtocol())
    const clients = Array.from({ length: 200 }, () => server.connect())
    for (let second = 0; second < 29; second++) {
      for (const client of clients) client.transport.write('x')
      server.sim.advance(1000)
    }
    clients[0]?.transport.loseConnection()
    server.sim.advance(1000)
    const causes = server.ends.map(({ cause }) => (cause === undefined ? 'none' : (cause as Error).name))
    expect(causes.filter((cause) => cause === 'none')).toHaveLength(1)
    expect(causes.filter((cause) => cause === 'TotalTimeout')).toHaveLength(199)
    expect(server.sim.pending).toBe(0)
  })
})

describe('both with a throttle', () => {
  it('see what the throttle has yet to send as traffic', () => {
    const server = new ServerInSim()
    server.serve(
      [throttle(server.reactor, { write: 1000 }), idleTimeout(server.reactor, 1000)],
      () => new AccumulatingProtocol(),
    )
    const client = server.connect()
    server.last.transport.write(new Uint8Array(10_000))
    server.sim.advance(9000)
    expect(client.value()).toHaveLength(10_000)
    expect(server.last.closedReason).toBeUndefined()
  })
})
