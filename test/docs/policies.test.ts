/**
 * What docs/policies.md shows is what runs: each of its blocks of TypeScript stands here, line by line, and is tested.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  attach,
  type Clock,
  type Connection,
  type ConnectionClosed,
  Factory,
  idleTimeout,
  IPv4Address,
  Layer,
  limitConnections,
  limitPerPeer,
  NoProtocol,
  type Policy,
  Protocol,
  proxyHeaderBytes,
  proxyHeaderOf,
  proxyProtocol,
  type Reactor,
  sendProxyHeader,
  type ServerEndpoint,
  serverFromString,
  throttle,
  totalTimeout,
  trafficLog,
  withPolicies,
} from 'couplet'
import { AccumulatingProtocol } from 'couplet/testing'
import { describe, expect, it } from 'vitest'
import { causeOf, ServerInSim } from '../policies/server-in-sim.ts'

class Echo extends AccumulatingProtocol {
  override dataReceived(chunk: Uint8Array): void {
    this.transport.write(chunk)
  }
}

export function guardedEcho(reactor: Reactor): Factory<Echo> {
  return withPolicies(
    Factory.forProtocol(() => new Echo()),
    limitConnections(1000),
    limitPerPeer(20),
    idleTimeout(reactor, 30_000),
  )
}

export function everyPolicy(clock: Clock, log: (line: string) => void): Policy[] {
  return [
    limitConnections(1000),
    proxyProtocol({ trusted: ['10.0.0.0/8', '::1'], clock }),
    limitPerPeer(20, { prefix: { ipv4: 24, ipv6: 56 } }),
    totalTimeout(clock, 3_600_000),
    idleTimeout(clock, 30_000),
    throttle(clock, { read: 64_000, write: 64_000, shared: true }),
    trafficLog(log),
  ]
}

class FirstWord extends Layer {
  #heard = false

  override dataReceived(chunk: Uint8Array) {
    if (!this.#heard && chunk[0] === 0x16) return this.abortConnection(new Error('this port speaks no TLS'))
    this.#heard = true
    return super.dataReceived(chunk)
  }
}

export const noTLS: Policy = (connection) => new FirstWord(connection)

class Census extends Layer {
  static readonly open = new Set<string>()

  override connectionMade() {
    Census.open.add(String(this.peer))
    return super.connectionMade()
  }

  override connectionLost(reason: ConnectionClosed) {
    Census.open.delete(String(this.peer))
    return super.connectionLost(reason)
  }
}

export const census: Policy = (connection) => new Census(connection)

export const closedOnSundays =
  (isSunday: () => boolean): Policy =>
  (connection) => {
    if (isSunday()) throw new NoProtocol(connection.peer, 'not on a Sunday')
    return connection
  }

export function countRefused(count: (why: NoProtocol) => void): Policy {
  return (connection) => {
    connection.whenLost().addCallback(({ cause }) => {
      if (cause instanceof NoProtocol) count(cause)
    })
    return connection
  }
}

class Greeting extends Protocol {
  override connectionMade() {
    const { peer } = this.transport
    const name = proxyHeaderOf(this.transport)?.authority
    this.transport.write(`${peer} wants ${name ?? 'anything'}\r\n`)
  }
}

export function behindHAProxy(reactor: Reactor): ServerEndpoint {
  return serverFromString(reactor, 'haproxy:trusted=10.0.0.0/8,192.0.2.7:tcp:8000:interface=10.0.0.1')
}

export function forClient(client: Protocol): Policy {
  return sendProxyHeader(2, { source: client.transport.peer, destination: client.transport.host })
}

const here = readFileSync(import.meta.filename, 'utf8')
const page = readFileSync(join(import.meta.dirname, '../../docs/policies.md'), 'utf8')

describe('docs/policies.md', () => {
  const blocks = [...page.matchAll(/^```ts\n([\s\S]*?)^```/gm)].map(([, block = '']) => block)

  it('has blocks of code', () => {
    expect(blocks.length).toBeGreaterThan(6)
  })

  it.each(blocks)('shows code that stands in this file: %#', (block) => {
    expect(here).toContain(block)
  })

  it('a factory with policies is used like any other', () => {
    const server = new ServerInSim()
    server.listen(guardedEcho(server.reactor))
    const client = server.say('hello')
    expect(client.text()).toBe('hello')
    server.sim.advance(30_000)
    expect(client.closedReason).toBeDefined()
  })

  it('all policies go together', () => {
    const server = new ServerInSim()
    const lines: string[] = []
    server.serve(
      everyPolicy(server.reactor, (line) => lines.push(line)),
      () => new Echo(),
    )
    const source = new IPv4Address('TCP', '192.0.2.1', 5555)
    const client = server.connect()
    client.transport.writeSequence([proxyHeaderBytes(2, { source, destination: source }), 'hello'])
    server.sim.advance()
    expect(client.text()).toBe('hello')
    expect(lines[0]).toBe('1 192.0.2.1:5555 made')
  })

  it('a policy of your own sees every chunk, and may end the connection', () => {
    const server = new ServerInSim()
    server.serve([noTLS], () => new Echo())
    expect(server.say('hello').text()).toBe('hello')
    server.say(new Uint8Array([0x16, 3, 1]))
    expect(causeOf(server.last.closedReason).message).toBe('this port speaks no TLS')
  })

  it('a policy that holds something gives it back', () => {
    const server = new ServerInSim()
    server.serve([census, (connection) => (server.connections.length === 2 ? null : connection)])
    const client = server.connect()
    server.connect('10.0.0.3')
    server.sim.advance()
    expect([...Census.open]).toEqual(['10.0.0.2:49152'])
    client.transport.loseConnection()
    server.sim.advance()
    expect(Census.open.size).toBe(0)
  })

  it('a policy may refuse, and another one count it', () => {
    const server = new ServerInSim()
    const refused: string[] = []
    let sunday = true
    server.serve([countRefused((why) => refused.push(why.message)), closedOnSundays(() => sunday)])
    server.connect()
    server.sim.advance()
    sunday = false
    server.say('hello').transport.loseConnection()
    server.sim.advance()
    expect(refused).toEqual(['10.0.0.2:49152: not on a Sunday'])
    expect(server.served).toHaveLength(1)
  })

  it('a protocol behind HAProxy knows the client, and a proxy passes it on', () => {
    const server = new ServerInSim()
    behindHAProxy(server.reactor).listen(Factory.forProtocol(() => new Greeting()))
    server.sim.advance()
    const client = new AccumulatingProtocol()
    client.transport = {
      peer: new IPv4Address('TCP', '192.0.2.1', 1),
      host: new IPv4Address('TCP', '192.0.2.2', 2),
    } as Connection
    const factory = withPolicies(
      Factory.forProtocol(() => new AccumulatingProtocol()),
      forClient(client),
    )
    let proxied: AccumulatingProtocol | undefined
    const { reactor } = server.sim.host('proxy', { addresses: ['10.0.0.9'] })
    reactor
      .dial(new IPv4Address('TCP', '10.0.0.1', 8000))
      .addCallback((connection) => attach(factory, connection))
      .addCallback((protocol) => (proxied = protocol))
    server.sim.advance()
    expect(proxied?.text()).toBe('192.0.2.1:1 wants anything\r\n')
  })
})
