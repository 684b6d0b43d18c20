/** A thousand at once: servers for one reader, and clients of one server that is down for ten minutes. */
import { clientFromString, ClientService, Factory, Protocol } from 'couplet'
import { type Experiment, experiment } from 'couplet/poetry'
import { Sim } from 'couplet/sim'
import { expect, it } from 'vitest'

it('a thousand slow servers are a thousand times faster all at once', () => {
  const sim = new Sim({ latency: 5, maxEventsAtOnce: 100_000 })
  const [poets, reader] = [sim.host('poets'), sim.host('reader')]
  const poem = new TextEncoder().encode('one\ntwo\nthree\nfour\n')
  const poems = Array.from({ length: 1000 }, () => poem)
  let result: Experiment | undefined
  experiment({ poets: poets.reactor, reader: reader.reactor, interface: poets.addresses[0]?.host, poems }).addCallback(
    (value) => (result = value),
  )
  sim.advance(10_000_000)
  const { sequential, concurrent } = result!
  expect(concurrent.ms).toBeLessThan(4100)
  expect(sequential.ms / concurrent.ms).toBeGreaterThan(990)
  expect(sequential.poems).toEqual(concurrent.poems)
})

it('a thousand clients that were left alone for ten minutes come back one by one, and not after they were stopped', () => {
  const sim = new Sim({ latency: 20, ties: 'shuffled', maxEventsAtOnce: 100_000 })
  const server = sim.host('server')
  class Idle extends Protocol {}
  server.run((reactor) =>
    reactor.listenTCP(
      80,
      Factory.forProtocol(() => new Idle()),
    ),
  )
  const services = Array.from({ length: 1000 }, (_, index) => {
    const { reactor } = sim.host(`client ${index}`)
    const factory = Factory.forProtocol(() => new Idle())
    return new ClientService(reactor, clientFromString(reactor, 'tcp:server:80'), factory)
  })
  for (const service of services) service.startService()
  const comings: number[] = []
  sim.rule(({ kind, to, losses }) => {
    if (kind === 'connect' && to === 'server' && losses === 0) comings.push(sim.now)
    return undefined
  })
  sim.advance(10_000)
  expect(sim.connections).toBe(1000)
  sim.faults([{ at: 10_000, kind: 'crash', host: 'server', how: 'process', for: 600_000 }])
  sim.advance(600_000)
  comings.length = 0
  sim.advance(61_000)
  expect(sim.connections).toBe(1000)
  const perSecond = Array.from({ length: 61 }, () => 0)
  for (const ms of comings) perSecond[Math.floor((ms - 610_000) / 1000)]! += 1
  // None of them came twice, and at no moment many more than at any other.
  expect(comings).toHaveLength(1000)
  expect(Math.max(...perSecond)).toBeLessThan((2 * 1000) / 60)
  for (const service of services) service.stopService()
  sim.eventually('all are away', () => sim.connections === 0)
  comings.length = 0
  sim.quiesce()
  expect(comings).toEqual([])
})
