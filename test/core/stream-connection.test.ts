/** The contract of transports, over the simulated network: near, far, and through a keyhole. */
import { type Connection, Deferred, IPv4Address } from 'couplet'
import { Sim, type SimOptions } from 'couplet/sim'
import { describe } from 'vitest'
import { closes } from './transport-contract/closing.ts'
import { deliversBytes } from './transport-contract/delivery.ts'
import { guardsHooks } from './transport-contract/hooks.ts'
import { holdsProducersBack } from './transport-contract/producers.ts'
import type { TransportWorld } from './transport-contract/world.ts'

describe.each<[name: string, options: SimOptions]>([
  ['in the same room', {}],
  ['over 20 ms', { latency: 20 }],
  ['with uneven little buffers', { sendBuffer: 1000, receiveBuffer: 1777, maxEventsAtOnce: 1_000_000 }],
])('a connection %s', (_name, options) => {
  const makeWorld = (): TransportWorld => simulated(options)
  deliversBytes(makeWorld)
  closes(makeWorld)
  holdsProducersBack(makeWorld)
  guardsHooks(makeWorld)
})

function simulated(options: SimOptions): TransportWorld {
  const sim = new Sim(options)
  const near = sim.host('near')
  const far = sim.host('far')
  return {
    plenty: 1 << 20,
    async pair(limits = {}) {
      const accepted = new Deferred<Connection>()
      const accept = (connection: Connection): void => accepted.callback(connection)
      const port = await sim.runUntil(far.reactor.listen(new IPv4Address('TCP', '0.0.0.0', 0), accept, limits.far))
      const address = new IPv4Address('TCP', '10.0.0.2', (port.host as IPv4Address).port)
      return [await sim.runUntil(near.reactor.dial(address, limits.near)), await sim.runUntil(accepted)]
    },
    // Shorter than any timer of a connection, longer than anything on the wire.
    settle: () => sim.runFor(options.latency === undefined ? 0 : 4000),
  }
}
