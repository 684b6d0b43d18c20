/** The poets as one service, in a program of services. */
import { CannotListenError, connectProtocol, Factory, Protocol, TCPClientEndpoint, TCPServerEndpoint } from 'couplet'
import { PoetryServer } from 'couplet/poetry'
import { Sim } from 'couplet/sim'
import { failureResultOf, successResultOf } from 'couplet/testing'
import { describe, expect, it } from 'vitest'

/** Stays whatever it is told. */
class Stayer extends Protocol {
  override stopping(): void {}
}

function server(...ports: number[]) {
  const sim = new Sim()
  const { reactor } = sim.host('server')
  const client = sim.host('client').reactor
  const factory = Factory.forProtocol(() => new Stayer())
  const offers = ports.map((port) => ({ name: `${port}`, place: new TCPServerEndpoint(reactor, port), factory }))
  return {
    sim,
    service: new PoetryServer(offers, { drain: 3000 }),
    connect: (port: number) => connectProtocol(new TCPClientEndpoint(client, 'server', port), new Stayer()),
  }
}

describe('a poetry server', () => {
  it('listens in all places while it runs', () => {
    const { connect, service, sim } = server(10_000, 10_001)
    expect(service.ports.map(({ port }) => port)).toEqual([undefined, undefined])
    const started = service.startService()
    sim.advance()
    successResultOf(started)
    expect(service.ports.map(({ port }) => String(port?.host))).toEqual(['0.0.0.0:10000', '0.0.0.0:10001'])
    const connected = [connect(10_000), connect(10_001)]
    sim.advance()
    for (const one of connected) successResultOf(one).transport.loseConnection()
    service.stopService()
    sim.advance(3000)
    expect(sim.pending).toBe(0)
  })

  it('closes all doors at the same moment, and waits for its clients together, not for one place after another', () => {
    const { connect, service, sim } = server(10_000, 10_001, 10_002)
    service.startService()
    sim.advance()
    const connected = [10_000, 10_001, 10_002].map(connect)
    sim.advance()
    for (const one of connected) successResultOf(one)
    const stopped = service.stopService()
    sim.advance()
    const late = [10_000, 10_001, 10_002].map(connect)
    sim.advance(2999)
    for (const one of late) failureResultOf(one)
    expect(stopped.called).toBe(false)
    sim.advance(1)
    successResultOf(stopped)
    expect(sim.pending).toBe(0)
  })

  it('listens nowhere if it cannot listen everywhere', () => {
    const { connect, service, sim } = server(10_000, 10_001, 10_001)
    const started = service.startService()
    sim.advance()
    failureResultOf(started, CannotListenError)
    const refused = connect(10_000)
    sim.advance()
    failureResultOf(refused)
    expect(sim.pending).toBe(0)
  })
})
