/** The contract of transports over simulated networks that do their worst, and over sockets of the file system. */
import { type Address, type Connection, Deferred, IPv4Address, UNIXAddress } from 'couplet'
import { Sim, type SimOptions } from 'couplet/sim'
import { transportContract, type TransportWorld } from 'couplet/testing'
import { describe, it } from 'vitest'

/** The seed of worlds in which packets get lost, but for resets: of one that is, nobody would hear for a minute. */
const lossy = 'lossy'

/** Each with the milliseconds after which all is quiet: less than any timer of a connection (the linger is 5 s). */
describe.each<[name: string, settled: number, options: SimOptions]>([
  ['in an order that chance decides', 0, { ties: 'shuffled' }],
  ['in another order, over some distance', 1000, { ties: 'shuffled', latency: 3, seed: 2 }],
  ['in packets of 500 bytes', 0, { segmentSize: 500 }],
  ['in pieces of any size', 0, { delivery: 'random' }],
  ['in pieces as large as can be', 1000, { delivery: 'joined', latency: 1 }],
  ['over a line that trembles', 4000, { latency: 5, jitter: 30, ties: 'shuffled' }],
  ['over a line that loses packets', 2000, { latency: 2, seed: lossy }],
  ['over a slow line', 4000, { latency: 1, bandwidth: 2_000_000 }],
  ['through a small window', 2000, { sendBuffer: 200, receiveBuffer: 311, latency: 0.02, ties: 'shuffled' }],
  [
    'over all that at once',
    4000,
    { latency: 3, jitter: 5, seed: lossy, bandwidth: 2e7, segmentSize: 16_384, delivery: 'joined', ties: 'shuffled' },
  ],
])('a connection %s', (_name, settled, options) => {
  transportContract(() => simulated(options, settled), { describe, it })
})

describe('a socket in a simulated file system', () => {
  let count = 0
  const anywhere = (): Address => new UNIXAddress(`/run/socket-${count++}`)
  transportContract(() => simulated({}, 0, anywhere), { describe, it, lacks: ['addresses'] })
})

function simulated(options: SimOptions, settled: number, anywhere?: () => Address): TransportWorld {
  const sim = new Sim({ maxEventsAtOnce: 1_000_000, ...options })
  const chance = sim.random('losses')
  if (options.seed === lossy) {
    sim.rule(({ kind, losses }) => (kind !== 'reset' && losses === 0 && chance.chance(3, 100) ? 'drop' : 'pass'))
  }
  const near = sim.host('near').reactor
  const far = anywhere === undefined ? sim.host('far').reactor : near
  const place = anywhere ?? ((): Address => new IPv4Address('TCP', '10.0.0.2', 0))
  return {
    plenty: 1 << 20,
    network: { server: far, client: near, anywhere: place, until: (outcome) => sim.runUntil(outcome) },
    async pair(limits = {}) {
      const accepted = new Deferred<Connection>()
      const port = await sim.runUntil(far.listen(place(), (connection) => accepted.callback(connection), limits.far))
      return [await sim.runUntil(near.dial(port.host, limits.near)), await sim.runUntil(accepted)]
    },
    settle: () => sim.runFor(settled),
  }
}
