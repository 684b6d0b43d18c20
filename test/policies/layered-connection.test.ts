/** The contract of transports holds through every layer: whoever puts a policy before a protocol notices no difference. */
import {
  type Clock,
  type Connection,
  type ConnectionLimits,
  Deferred,
  idleTimeout,
  IPv4Address,
  Layer,
  type Policy,
  proxyHeaderBytes,
  proxyProtocol,
  throttle,
  totalTimeout,
  trafficLog,
} from 'couplet'
import { Sim } from 'couplet/sim'
import { transportContract, type TransportWorld } from 'couplet/testing'
import { describe, it } from 'vitest'

type MakePolicies = (clock: Clock, limits?: ConnectionLimits) => readonly Policy[]

const plain: Policy = (connection) => new Layer(connection)

describe.each<[name: string, policies: MakePolicies, first?: Uint8Array]>([
  ['three plain layers', () => [plain, plain, plain]],
  [
    'timeouts and a log',
    (clock) => [idleTimeout(clock, 3_600_000), trafficLog(() => {}), totalTimeout(clock, 86_400_000)],
  ],
  // So fast that it holds nothing back, and still everything goes through its queue.
  ['a throttle', (clock, limits) => [throttle(clock, { read: 1e12, write: 1e12, ...limits })]],
  ['the PROXY protocol', (clock) => [proxyProtocol({ trusted: ['10.0.0.0/8'], clock })], proxyHeaderBytes(2)],
])('a connection through %s', (_name, policies, first) => {
  transportContract(() => layered(policies, first), { describe, it, lacks: ['network'] })
})

/** @param first what each end sends before the test begins */
function layered(policies: MakePolicies, first: Uint8Array = new Uint8Array()): TransportWorld {
  const sim = new Sim()
  const near = sim.host('near').reactor
  const far = sim.host('far').reactor
  const wrap = async (connection: Connection, clock: Clock, limits?: ConnectionLimits): Promise<Connection> => {
    let wrapped = connection
    for (const policy of policies(clock, limits)) {
      const admitted = policy(wrapped)
      wrapped = (admitted instanceof Deferred ? await sim.runUntil(admitted) : admitted) as Connection
    }
    return wrapped
  }
  return {
    plenty: 1 << 20,
    async pair(limits = {}) {
      const accepted = new Deferred<Connection>()
      const accept = (connection: Connection): void => accepted.callback(connection)
      const port = await sim.runUntil(far.listen(new IPv4Address('TCP', '0.0.0.0', 0), accept, limits.far))
      const address = new IPv4Address('TCP', '10.0.0.2', (port.host as IPv4Address).port)
      const nearEnd = await sim.runUntil(near.dial(address, limits.near))
      const farEnd = await sim.runUntil(accepted)
      nearEnd.write(first)
      farEnd.write(first)
      return [await wrap(nearEnd, near, limits.near), await wrap(farEnd, far, limits.far)]
    },
    settle: () => sim.runFor(0),
  }
}
