/** The contract of transports, over the simulated network: near, far, and through a keyhole. */
import { type Connection, Deferred, IPv4Address } from 'couplet'
import { Sim, type SimOptions } from 'couplet/sim'
import { transportContract, type TransportWorld } from 'couplet/testing'
import { describe, it } from 'vitest'

describe.each<[name: string, options: SimOptions]>([
  ['in the same room', {}],
  ['over 20 ms', { latency: 20 }],
  ['with uneven little buffers', { sendBuffer: 1000, receiveBuffer: 1777, maxEventsAtOnce: 1_000_000 }],
])('a connection %s', (_name, options) => {
  transportContract(() => simulated(options), { describe, it })
})

function simulated(options: SimOptions): TransportWorld {
  const sim = new Sim(options)
  const near = sim.host('near').reactor
  const far = sim.host('far').reactor
  const anywhere = (): IPv4Address => new IPv4Address('TCP', '10.0.0.2', 0)
  return {
    plenty: 1 << 20,
    network: { server: far, client: near, anywhere, until: (outcome) => sim.runUntil(outcome) },
    async pair(limits = {}) {
      const accepted = new Deferred<Connection>()
      const port = await sim.runUntil(far.listen(anywhere(), (connection) => accepted.callback(connection), limits.far))
      return [await sim.runUntil(near.dial(port.host, limits.near)), await sim.runUntil(accepted)]
    },
    // Shorter than any timer of a connection, longer than anything on the wire.
    settle: () => sim.runFor(options.latency === undefined ? 0 : 4000),
  }
}
