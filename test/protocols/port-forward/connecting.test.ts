/** The time between a client's coming and the server's, which may be long, and may end otherwise. */
import {
  type ClientEndpoint,
  ConnectionAborted,
  ConnectionDone,
  ConnectionRefusedError,
  Deferred,
  Factory,
  portForward,
  type Protocol,
  proxyEndpoint,
  sendProxyHeader,
  TCPServerEndpoint,
  TCPTimedOutError,
  withPolicies,
} from 'couplet'
import { pattern, isPattern, Witness } from 'couplet/testing'
import { describe, expect, it } from 'vitest'
import { ForwarderInSim, keepsHalf, WatchedFactory, type WatchedServer } from './forwarder-in-sim.ts'

/** A world in which the server is a second away. */
function farAway(): ForwarderInSim {
  const world = new ForwarderInSim().forward().serve()
  world.sim.link('forwarder', 'server').set({ latency: 500 })
  return world
}

describe('a client that waits', () => {
  it('is not read from before the server is there, and has said everything then', () => {
    const world = farAway()
    const client = world.connect()
    client.transport.write(pattern(40_000))
    world.sim.advance(900)
    const [server] = (world.factory as WatchedFactory).servers as [WatchedServer]
    expect([server.transport.paused, world.served.length]).toEqual([true, 0])
    const unread = world.forwarder.netstat().reduce((sum, socket) => sum + socket.unread, 0)
    expect(unread).toBe(40_000)
    world.sim.advance(5000)
    expect([world.served[0]?.size, isPattern(world.served[0]!.bytes)]).toEqual([40_000, true])
  })

  it('may have said all it will, and still gets its answer', () => {
    const world = farAway()
    const client = world.connect()
    client.transport.write('question')
    client.transport.loseWriteConnection()
    world.sim.advance(5000)
    const [server] = world.served as [Witness]
    expect([server.text, server.calls.at(-1)]).toEqual(['question', 'readLost'])
    server.transport.write('answer')
    server.transport.loseConnection()
    world.sim.advance(5000)
    expect(client.text).toBe('answer')
    expect(client.reason).toBeInstanceOf(ConnectionDone)
    world.isOver()
  })

  it('gives the attempt up by a reset, and nobody is told of a failure', () => {
    const world = farAway()
    const client = world.connect()
    client.transport.write('never mind')
    world.sim.advance(100)
    client.transport.abortConnection()
    world.sim.advance(10)
    world.sim.advance(5000)
    expect(world.served.map(({ text }) => text).join()).toBe('')
    world.isOver()
  })

  it('leaves nothing behind that goes on asking for a server who does not answer', () => {
    const world = new ForwarderInSim().forward().serve()
    world.sim.link('forwarder', 'server').partition()
    const client = world.connect()
    world.sim.advance(100)
    const opening = (): string[] => world.forwarder.netstat().map(({ state }) => state)
    expect(opening()).toEqual(['listening', 'connecting', 'open'])
    client.transport.abortConnection()
    world.sim.advance(10)
    expect(opening()).toEqual(['listening'])
  })

  it('is left alone when the port closes, until its time is over', () => {
    const world = farAway()
    const client = world.connect()
    world.port.stopListening({ drain: 10_000 })
    world.sim.advance(5000)
    client.transport.write('still here')
    world.sim.advance(1000)
    expect(world.served[0]?.text).toBe('still here')
    world.sim.advance(5000)
    expect(client.reason?.name).toBe('ConnectionLost')
    expect(world.factory.connections).toBe(0)
  })

  it('is reset when nobody is there, and the operator gets one report', () => {
    const world = new ForwarderInSim().forward()
    const client = world.connect()
    client.transport.write('hello')
    world.sim.advance(10)
    expect(client.reason?.name).toBe('ConnectionLost')
    const [{ error, what, subject } = {}, ...more] = world.reports
    const [server] = (world.factory as WatchedFactory).servers as [WatchedServer]
    expect(error).toBeInstanceOf(ConnectionRefusedError)
    expect(what).toMatch(/^10\.0\.0\.1:\d+ could not be forwarded to server:80$/)
    expect([subject, more]).toEqual([server, []])
    expect(server.reason).toBeInstanceOf(ConnectionAborted)
    expect(server.reason?.cause).toBe(error)
    expect([world.factory.connections, world.sim.pending]).toEqual([0, 0])
  })

  it('is reset when nobody answers in time', () => {
    const world = new ForwarderInSim().forward().serve()
    world.sim.link('forwarder', 'server').partition()
    const client = world.connect()
    world.sim.advance(29_000)
    expect(client.reason).toBeUndefined()
    world.sim.advance(2000)
    expect(client.reason?.name).toBe('ConnectionLost')
    expect(world.reports.map(({ error }) => error)).toEqual([expect.any(TCPTimedOutError)])
  })

  it('may be told in its own words why', () => {
    class Polite extends portForward.ProxyServer {
      override clientConnectionFailed(reason: Error) {
        this.transport.write(`sorry: ${reason.name}`)
        this.transport.loseConnection()
      }
    }
    class PoliteFactory extends portForward.ProxyFactory {
      override buildProtocol() {
        return new Polite(this)
      }
    }
    const world = new ForwarderInSim({}, (endpoint) => new PoliteFactory(endpoint)).forward()
    const client = world.connect({})
    client.transport.write('hello')
    world.sim.advance(10)
    expect(client.text).toBe('sorry: ConnectionRefusedError')
    expect(client.reason).toBeInstanceOf(ConnectionDone)
    expect(world.reports.length).toBe(1)
  })

  it.each([
    ['throws', () => raise()],
    ['fails later', async () => await Promise.resolve().then(raise)],
  ])('is not forgotten when whoever should tell it %s', async (_how, clientConnectionFailed) => {
    const world = new ForwarderInSim().forward()
    const client = world.connect()
    Object.assign((world.factory as WatchedFactory).servers[0]!, { clientConnectionFailed })
    await world.sim.runFor(10)
    expect(client.reason?.name).toBe('ConnectionLost')
    expect(world.reports.map(({ what }) => what.replace(/^\S+/, 'X'))).toEqual([
      'X could not be forwarded to server:80',
      'X failed, so the connection is aborted',
    ])
    expect(world.factory.connections).toBe(0)
  })

  it('is told when it was our own protocol that broke', () => {
    class Broken extends portForward.ProxyFactory {
      override clientFactory(server: portForward.ProxyServer) {
        const factory = super.clientFactory(server)
        factory.buildProtocol = raise
        return factory
      }
    }
    const world = new ForwarderInSim({}, (endpoint) => new Broken(endpoint)).forward().serve()
    const client = world.connect()
    world.sim.advance(10)
    expect(client.reason?.name).toBe('ConnectionLost')
    expect(world.reports.map(({ error }) => String(error))).toEqual(['Error: broken'])
  })
})

describe('an endpoint that cannot be given up', () => {
  /** Connects when it is told to, whatever has happened meanwhile. */
  class Stubborn implements ClientEndpoint {
    readonly #endpoint: ClientEndpoint
    connectNow: () => void = () => undefined

    constructor(endpoint: ClientEndpoint) {
      this.#endpoint = endpoint
    }

    connect<P extends Protocol>(factory: Factory<P>): Deferred<P> {
      const connected = new Deferred<P>()
      this.connectNow = () =>
        void this.#endpoint.connect(factory).addCallback((protocol) => connected.callback(protocol))
      return connected
    }
  }

  it('connects for nobody, and that is closed again', () => {
    const endpoints: Stubborn[] = []
    const world = new ForwarderInSim({}, (endpoint) => {
      const stubborn = new Stubborn(endpoint)
      endpoints.push(stubborn)
      return new WatchedFactory(stubborn)
    })
    world.forward().serve()
    world.connect().transport.abortConnection()
    world.sim.advance(10)
    endpoints[0]?.connectNow()
    world.sim.advance(10)
    expect(world.served.map(({ reason }) => reason?.name)).toEqual(['ConnectionLost'])
    world.isOver()
  })
})

it('tells the server for whom it connects, if it has a policy that does', () => {
  class Telling extends portForward.ProxyFactory {
    override clientFactory(server: portForward.ProxyServer) {
      const { peer: source, host: destination } = server.transport
      return withPolicies(super.clientFactory(server), sendProxyHeader(2, { source, destination }))
    }
  }
  const world = new ForwarderInSim({}, (endpoint) => new Telling(endpoint)).forward()
  const { reactor } = world.server
  const peers: string[] = []
  const behind = proxyEndpoint(new TCPServerEndpoint(reactor, 80), { trusted: ['10.0.0.0/8'], clock: reactor })
  const served = Factory.forProtocol((peer) => {
    peers.push(String(peer))
    return new Witness(keepsHalf)
  })
  behind.listen(served)
  const client = world.connect()
  world.sim.advance(10)
  expect(peers).toEqual([String(client.transport.host)])
})

function raise(): never {
  throw new Error('broken')
}
