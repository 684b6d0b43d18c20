/** A thousand clients whose server is away for ten minutes, in virtual time: how they come back to it. */
import {
  ClientService,
  type ClientServiceOptions,
  type Connection,
  Factory,
  type ListeningPort,
  TCPClientEndpoint,
} from 'couplet'
import { Sim } from 'couplet/sim'
import { AccumulatingProtocol, successResultOf } from 'couplet/testing'

const clients = 1000
const downtime = 600_000

/** How it went; rates are connections a second. */
export interface Recovery {
  /** Clients that were connected again in the end. */
  readonly back: number
  /** Milliseconds from the server's return until the last client was there. */
  readonly time: number
  /** The rate over all that time. */
  readonly mean: number
  /** The rate in the busiest second. */
  readonly peak: number
  /** Attempts, and connections that were open, in the hour after all clients were stopped. */
  readonly attemptsAfterStop: number
  readonly openAfterStop: number
}

/** Loses the server for ten minutes, and comes back to it. */
export function recover(seed: number, options: ClientServiceOptions<AccumulatingProtocol> = {}): Recovery {
  const sim = new Sim({ seed })
  const server = sim.host('server').reactor
  const { reactor } = sim.host('clients')
  const arrivals: number[] = []
  const open = new Set<Connection>()
  class Door extends Factory<AccumulatingProtocol> {
    override admit(connection: Connection): Connection {
      arrivals.push(sim.now)
      open.add(connection)
      connection.whenLost().addCallback(() => open.delete(connection))
      return connection
    }
    override buildProtocol = (): AccumulatingProtocol => new AccumulatingProtocol()
  }
  const listen = (): ListeningPort => {
    const listening = server.listenTCP(8000, new Door())
    sim.advance()
    return successResultOf(listening)
  }

  let attempts = 0
  const port = listen()
  const tcp = new TCPClientEndpoint(reactor, 'server', 8000)
  const endpoint: typeof tcp = Object.assign(Object.create(tcp) as typeof tcp, {
    connect: (...args: Parameters<typeof tcp.connect>) => {
      attempts++
      return tcp.connect(...args)
    },
  })
  const services = Array.from({ length: clients }, () => {
    const factory = Factory.forProtocol(() => new AccumulatingProtocol())
    return new ClientService(reactor, endpoint, factory, options)
  })
  for (const service of services) service.startService()
  sim.advance(60_000)
  port.stopListening({ drain: 0 })
  sim.advance(downtime)
  arrivals.length = 0
  const start = sim.now
  listen()
  sim.advance(300_000)
  const back = open.size

  for (const service of services) service.stopService()
  sim.advance()
  attempts = 0
  sim.advance(3_600_000)
  const time = (arrivals.at(-1) ?? start) - start
  const seconds = Array.from({ length: Math.ceil(time / 1000) + 1 }, () => 0)
  for (const arrival of arrivals) seconds[Math.floor((arrival - start) / 1000)]! += 1
  const mean = (arrivals.length / time) * 1000
  return { back, time, mean, peak: Math.max(...seconds), attemptsAfterStop: attempts, openAfterStop: open.size }
}
