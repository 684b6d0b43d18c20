/** What the contract of transports is held to in simulated worlds: eleven networks that do their worst, and a file system. */
import { type Address, type Connection, Deferred, IPv4Address, type TLSVersion, UNIXAddress } from 'couplet'
import { certify, Sim, type SimOptions } from 'couplet/sim'
import type { TransportWorld } from 'couplet/testing'

/** A network, and how to wait until nothing moves on it. */
export interface Adversity {
  readonly name: string
  /** Milliseconds after which all is quiet: less than any timer of a connection (the linger is 5 s). */
  readonly settled: number
  readonly options: SimOptions
  /** Whether packets get lost, but for resets: of one that is, nobody would hear for a minute. */
  readonly losses?: boolean
}

export const adversities: readonly Adversity[] = [
  { name: 'in an order that chance decides', settled: 0, options: { ties: 'shuffled' } },
  { name: 'in another order, over some distance', settled: 1000, options: { ties: 'shuffled', latency: 3, seed: 2 } },
  { name: 'whose ends are told at once', settled: 0, options: { ends: 'at once' } },
  { name: 'in packets of 500 bytes', settled: 0, options: { segmentSize: 500 } },
  { name: 'in pieces of any size', settled: 0, options: { delivery: 'random' } },
  { name: 'in pieces as large as can be', settled: 1000, options: { delivery: 'joined', latency: 1 } },
  { name: 'over a line that trembles', settled: 4000, options: { latency: 5, jitter: 30, ties: 'shuffled' } },
  { name: 'over a line that loses packets', settled: 2000, options: { latency: 2 }, losses: true },
  { name: 'over a slow line', settled: 4000, options: { latency: 1, bandwidth: 2_000_000 } },
  {
    name: 'through a small window',
    settled: 2000,
    options: { sendBuffer: 200, receiveBuffer: 311, latency: 0.02, ties: 'shuffled' },
  },
  {
    name: 'over all that at once',
    settled: 4000,
    options: {
      latency: 3,
      jitter: 5,
      bandwidth: 2e7,
      segmentSize: 16_384,
      delivery: 'joined',
      ends: 'at once',
      ties: 'shuffled',
    },
    losses: true,
  },
]

/** Two hosts and the network between them, with TLS of this version or in the clear. */
export function simulatedNetwork({ options, settled, losses = false }: Adversity, tls?: TLSVersion): TransportWorld {
  const sim = new Sim({ maxEventsAtOnce: 1_000_000, ...options })
  if (losses) {
    const chance = sim.random('losses')
    sim.rule((packet) => (packet.kind !== 'reset' && packet.losses === 0 && chance.chance(3, 100) ? 'drop' : 'pass'))
  }
  return worldOf(sim, settled, ['near', 'far'], () => new IPv4Address('TCP', '10.0.0.2', 0), tls)
}

/** Sockets of the file system of one host. */
export function simulatedFileSystem(): TransportWorld {
  let count = 0
  return worldOf(new Sim({ maxEventsAtOnce: 1_000_000 }), 0, ['near'], () => new UNIXAddress(`/run/socket-${count++}`))
}

function worldOf(
  sim: Sim,
  settled: number,
  names: readonly string[],
  anywhere: () => Address,
  maxVersion?: TLSVersion,
): TransportWorld {
  const identity = certify({ names: ['10.0.0.2'] })
  const secure = maxVersion !== undefined
  const listenOptions = secure ? { tls: { ...identity, maxVersion } } : {}
  const dialOptions = secure ? { tls: { ca: identity.cert, maxVersion } } : {}
  const hosts = names.map((name) => sim.host(name))
  const [client, server] = [hosts[0]!.reactor, hosts.at(-1)!.reactor]
  return {
    plenty: 1 << 20,
    network: { server, client, anywhere, until: (outcome) => sim.runUntil(outcome) },
    async pair(limits = {}) {
      const accepted = new Deferred<Connection>()
      const listening = server.listen(anywhere(), (connection) => accepted.callback(connection), {
        ...limits.far,
        ...listenOptions,
      })
      const port = await sim.runUntil(listening)
      return [
        await sim.runUntil(client.dial(port.host, { ...limits.near, ...dialOptions })),
        await sim.runUntil(accepted),
      ]
    },
    settle: () => sim.runFor(settled),
  }
}
