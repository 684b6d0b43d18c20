import {
  type Connection,
  Deferred,
  Factory,
  limitConnections,
  limitPerPeer,
  NoProtocol,
  TooManyConnections,
  UNIXAddress,
  withPolicies,
} from 'couplet'
import { AccumulatingProtocol, failureResultOf } from 'couplet/testing'
import { describe, expect, it } from 'vitest'
import { causeOf, ServerInSim } from './server-in-sim.ts'

/** The addresses from which a connection is let in, while all that were let in before stay open. */
function letIn(server: ServerInSim, addresses: readonly string[]): readonly string[] {
  return addresses.filter((address) => {
    const client = server.connect(address)
    server.sim.advance()
    return client.closedReason === undefined
  })
}

describe('limitConnections', () => {
  it('refuses those that are too many, with an error that names limit, number and peer', () => {
    const server = new ServerInSim()
    server.serve([limitConnections(2)])
    expect(letIn(server, ['10.0.0.2', '10.0.0.2', '10.0.0.3', '10.0.0.4'])).toEqual(['10.0.0.2', '10.0.0.2'])
    const cause = server.ends[0]?.cause
    expect(cause).toBeInstanceOf(TooManyConnections)
    expect(cause).toBeInstanceOf(NoProtocol)
    expect(cause).toMatchObject({ code: 'ERR_TOO_MANY_CONNECTIONS', limit: 2, offered: 3 })
    expect((cause as Error).message).toMatch(/^10\.0\.0\.3:\d+: this would be connection 3 in all, the limit is 2/)
    expect(server.served).toHaveLength(2)
    expect(server.reports).toEqual([])
  })

  it('lets in the next one when one has gone, however it went', () => {
    const server = new ServerInSim()
    server.serve([limitConnections(1)])
    const ways: ((connection: AccumulatingProtocol) => void)[] = [
      ({ transport }) => transport.loseConnection(),
      ({ transport }) => transport.abortConnection(),
      () => server.last.transport.loseConnection(),
      () => server.last.transport.abortConnection(),
      () => {},
    ]
    for (const end of ways) {
      const client = server.connect()
      expect(letIn(server, ['10.0.0.9'])).toEqual([])
      end(client)
      server.sim.advance()
    }
    expect(server.served).toHaveLength(ways.length)
  })

  it('is one limit for all factories that it is given to', () => {
    const limit = limitConnections(1)
    const one = new ServerInSim()
    const other = new ServerInSim()
    one.serve([limit])
    other.serve([limit])
    expect(letIn(one, ['10.0.0.2'])).toEqual(['10.0.0.2'])
    expect(letIn(other, ['10.0.0.2'])).toEqual([])
  })

  it('counts again when a policy further in has taken its time', () => {
    const server = new ServerInSim()
    const waiting: Deferred<Connection>[] = []
    const offered: Connection[] = []
    server.serve([
      limitConnections(1),
      (connection) => {
        const later = new Deferred<Connection>()
        waiting.push(later)
        offered.push(connection)
        return later
      },
    ])
    const clients = [server.connect(), server.connect()]
    expect(waiting).toHaveLength(2)
    waiting.forEach((later, index) => later.callback(offered[index]!))
    server.sim.advance()
    expect(clients.map(({ closedReason }) => closedReason?.name)).toEqual([undefined, 'ConnectionLost'])
    expect(server.ends[0]?.cause).toBeInstanceOf(TooManyConnections)
  })

  it('tells a client endpoint why', () => {
    const server = new ServerInSim()
    server.serve([])
    const factory = withPolicies(
      Factory.forProtocol(() => new AccumulatingProtocol()),
      limitConnections(0),
    )
    expect(failureResultOf(server.connecting('10.0.0.2', factory)).value).toBeInstanceOf(TooManyConnections)
  })

  it('wants a whole number', () => {
    for (const most of [-1, 1.5, NaN]) {
      expect(() => limitConnections(most)).toThrow(RangeError)
      expect(() => limitPerPeer(most)).toThrow(RangeError)
    }
    expect(() => limitPerPeer(1, { prefix: { ipv4: 33 } })).toThrow(RangeError)
    expect(() => limitPerPeer(1, { prefix: { ipv6: 129 } })).toThrow(RangeError)
  })
})

describe('limitPerPeer', () => {
  it('counts each IPv4 address for itself', () => {
    const server = new ServerInSim()
    server.serve([limitPerPeer(1)])
    expect(letIn(server, ['10.0.0.2', '10.0.0.2', '10.0.0.3', '10.0.0.3'])).toEqual(['10.0.0.2', '10.0.0.3'])
    expect(causeOf(server.ends[0]).message).toContain('connection 2 from 10.0.0.2, the limit is 1')
  })

  it('counts all of an IPv6 /64 as one', () => {
    const server = new ServerInSim()
    server.serve([limitPerPeer(1)])
    const addresses = ['2001:db8:0:1::1', '2001:db8:0:1:ffff::2', '2001:db8:0:2::1']
    expect(letIn(server, addresses)).toEqual(['2001:db8:0:1::1', '2001:db8:0:2::1'])
    expect(causeOf(server.ends[0]).message).toContain('from 2001:db8:0:1::/64')
  })

  it('counts by the prefix that you say', () => {
    const server = new ServerInSim()
    server.serve([limitPerPeer(1, { prefix: { ipv4: 20, ipv6: 128 } })])
    const addresses = ['10.0.16.1', '10.0.31.255', '10.0.32.1', '2001:db8:0:1::1', '2001:db8:0:1::2']
    expect(letIn(server, addresses)).toEqual(['10.0.16.1', '10.0.32.1', '2001:db8:0:1::1', '2001:db8:0:1::2'])
  })

  it('forgets a peer whose connections are gone', () => {
    const server = new ServerInSim()
    server.serve([limitPerPeer(2)])
    for (let round = 0; round < 5; round++) {
      const clients = [server.connect(), server.connect()]
      expect(letIn(server, ['10.0.0.2'])).toEqual([])
      for (const client of clients) client.transport.loseConnection()
      server.sim.advance()
    }
    expect(server.served).toHaveLength(10)
  })

  it('does not limit who has no IP address', () => {
    const connection = { peer: new UNIXAddress('') } as Connection
    expect(limitPerPeer(0)(connection)).toBe(connection)
  })
})
