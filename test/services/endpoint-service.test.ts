/** EndpointService: a server from start to stop. */
import {
  CannotListenError,
  connectProtocol,
  EndpointService,
  Factory,
  IPv4Address,
  Protocol,
  ServiceStopped,
  TCPClientEndpoint,
  TCPServerEndpoint,
} from 'couplet'
import { AccumulatingProtocol } from 'couplet/testing'
import { Sim } from 'couplet/sim'
import { describe, expect, it } from 'vitest'
import { resultOf } from '../deferred/result-of.ts'
import { reportsOfEachTest } from '../reports.ts'
import { ScriptedReactor } from '../scripted-reactor.ts'

const reports = reportsOfEachTest()

/** A server in a world of its own, and clients that come to it. */
class Server {
  readonly sim = new Sim()
  readonly reactor = this.sim.host('server').reactor
  readonly client = this.sim.host('client').reactor
  readonly service: EndpointService

  constructor(options?: { drain: number }, build: () => Protocol = () => new AccumulatingProtocol()) {
    const endpoint = new TCPServerEndpoint(this.reactor, 8000)
    this.service = new EndpointService(endpoint, Factory.forProtocol(build), options)
  }

  connect(): AccumulatingProtocol {
    const protocol = new AccumulatingProtocol()
    connectProtocol(new TCPClientEndpoint(this.client, 'server', 8000), protocol).addErrback(() => undefined)
    this.sim.advance()
    return protocol
  }
}

describe('a server as a service', () => {
  it('listens when it has started, and no more when it has stopped', () => {
    const { service, sim } = new Server()
    const started = service.startService()
    expect([resultOf(service.startService()), service.port]).toEqual(['pending', undefined])
    sim.advance()
    expect([resultOf(started), String(service.port?.host)]).toEqual([undefined, '0.0.0.0:8000'])
    const stopped = service.stopService()
    sim.advance()
    expect([resultOf(stopped), service.port]).toEqual([undefined, undefined])
    service.startService()
    sim.advance()
    expect(service.running).toBe(true)
  })

  it('leaves its connections alone when it stops', () => {
    const server = new Server()
    server.service.startService()
    server.sim.advance()
    const client = server.connect()
    const stopped = server.service.stopService()
    server.sim.advance(3_600_000)
    expect([resultOf(stopped), client.closedReason]).toEqual([undefined, undefined])
  })

  it('or gives them some time to finish, and waits for that', () => {
    class Slow extends Protocol {
      override stopping(): void {
        server.reactor.callLater(2000, () => {
          this.transport.write('the end')
          this.transport.loseConnection()
        })
      }
    }
    const server = new Server({ drain: 5000 }, () => new Slow())
    server.service.startService()
    server.sim.advance()
    const client = server.connect()
    const stopped = server.service.stopService()
    server.sim.advance(1999)
    expect([resultOf(server.service.stopService()), client.text()]).toEqual(['pending', ''])
    server.sim.advance(1)
    expect([resultOf(stopped), client.text()]).toEqual([undefined, 'the end'])
  })

  it('and cuts them off when that is over', () => {
    class Stubborn extends Protocol {
      override stopping(): void {}
    }
    const server = new Server({ drain: 5000 }, () => new Stubborn())
    server.service.startService()
    server.sim.advance()
    const client = server.connect()
    const stopped = server.service.stopService()
    server.sim.advance(5000)
    expect([resultOf(stopped), client.closedReason?.name]).toEqual([undefined, 'ConnectionLost'])
    expect(server.reactor.pendingCalls()).toEqual([])
  })

  it('does not start where it cannot listen', () => {
    const first = new Server()
    first.service.startService()
    first.sim.advance()
    const factory = Factory.forProtocol(() => null)
    const second = new EndpointService(new TCPServerEndpoint(first.reactor, 8000), factory)
    const started = second.startService()
    first.sim.advance()
    expect([resultOf(started), second.state]).toEqual([expect.any(CannotListenError), 'stopped'])
  })

  it('may be stopped while it begins to listen; the port is free when that has fired', () => {
    const server = new Server()
    const started = server.service.startService()
    const stopped = server.service.stopService()
    expect(resultOf(started)).toBeInstanceOf(ServiceStopped)
    const again = server.service.startService()
    server.sim.advance()
    expect([resultOf(stopped), resultOf(again), server.service.running]).toEqual([undefined, undefined, true])
    expect(server.connect().closedReason).toBeUndefined()
  })

  it('may be stopped while it begins to listen in vain', () => {
    const reactor = new ScriptedReactor()
    reactor.refusal = new CannotListenError(new IPv4Address('TCP', '0.0.0.0', 8000), 'no')
    const service = new EndpointService(
      new TCPServerEndpoint(reactor, 8000),
      Factory.forProtocol(() => null),
    )
    service.startService()
    const stopped = service.stopService()
    reactor.advance(0)
    expect([resultOf(stopped), service.state, reports]).toEqual([undefined, 'stopped', []])
  })

  it('tells of a factory that does not want to stop', () => {
    const server = new Server()
    const boom = new Error('boom')
    class Broken extends Factory {
      override buildProtocol = () => null
      override stopFactory(): void {
        throw boom
      }
    }
    const service = new EndpointService(new TCPServerEndpoint(server.reactor, 9000), new Broken())
    service.startService()
    server.sim.advance()
    const stopped = service.stopService()
    server.sim.advance()
    expect([resultOf(stopped), service.state]).toEqual([boom, 'stopped'])
  })
})
