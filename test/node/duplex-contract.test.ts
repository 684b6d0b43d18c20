/** The contract of transports, over streams of Node's, and over streams that are connections underneath. */
import { type Connection, IPv4Address } from 'couplet'
import { fromDuplex, toDuplex } from 'couplet/node'
import { type PairLimits, transportContract, type TransportWorld } from 'couplet/testing'
import { describe, it } from 'vitest'
import { Loopback } from './loopback.ts'
import { MemoryDuplex } from './memory-duplex.ts'

const here = new IPv4Address('TCP', '192.0.2.1', 1)
const there = new IPv4Address('TCP', '192.0.2.2', 2)

function world(pair: (limits: PairLimits, net: Loopback) => Promise<[Connection, Connection]>): TransportWorld {
  const net = new Loopback()
  return { plenty: net.plenty, settle: () => net.settle(), pair: (limits = {}) => pair(limits, net) }
}

describe('a connection over a pair of streams in memory', () => {
  const inMemory = (): TransportWorld =>
    world(async ({ near, far }, { reactor }) => {
      const [one, other] = MemoryDuplex.pair()
      return [
        fromDuplex(one, { reactor, host: here, peer: there, ...near }),
        fromDuplex(other, { reactor, host: there, peer: here, ...far }),
      ]
    })
  transportContract(() => ({ ...inMemory(), plenty: 1 << 20 }), { describe, it, lacks: ['network'] })
})

describe('a connection over a stream over a TCP connection', () => {
  const wrapped = (): TransportWorld =>
    world(async (limits, net) => {
      const [near, far] = await net.pair()
      return [
        fromDuplex(toDuplex(near), { reactor: net.reactor, host: near.host, peer: near.peer, ...limits.near }),
        fromDuplex(toDuplex(far), { reactor: net.reactor, host: far.host, peer: far.peer, ...limits.far }),
      ]
    })
  transportContract(wrapped, { describe, it, lacks: ['network'] })
})
