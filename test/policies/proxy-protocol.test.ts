import {
  type Address,
  BadProxyHeader,
  type Connection,
  ConnectionAborted,
  Deferred,
  Factory,
  FrameTooLong,
  type Hook,
  idleTimeout,
  IncompleteFrame,
  IPv4Address,
  Layer,
  limitConnections,
  limitPerPeer,
  NoProxyHeader,
  type Policy,
  proxyHeaderBytes,
  proxyHeaderOf,
  proxyProtocol,
  type ProxyProtocolOptions,
  proxyTLV,
  sendProxyHeader,
  TooManyConnections,
  toBytes,
  UntrustedProxy,
  withPolicies,
} from 'couplet'
import { AccumulatingProtocol } from 'couplet/testing'
import { describe, expect, it } from 'vitest'
import { causeOf, Echo, ServerInSim } from './server-in-sim.ts'

const source = new IPv4Address('TCP', '192.0.2.1', 5555)
const destination = new IPv4Address('TCP', '198.51.100.1', 443)
const header1 = proxyHeaderBytes(1, { source, destination })
const header2 = proxyHeaderBytes(2, { source, destination })
const headers: [string, Uint8Array][] = [
  ['1', header1],
  ['2', header2],
]

/** A server behind the proxies of 10.0.0.0/8. */
function behindProxy(
  options: Partial<ProxyProtocolOptions> = {},
  further: readonly Policy[] = [],
  build?: () => AccumulatingProtocol,
): ServerInSim {
  const server = new ServerInSim()
  server.serve([proxyProtocol({ trusted: ['10.0.0.0/8'], clock: server.reactor, ...options }), ...further], build)
  return server
}

function addresses({ transport }: AccumulatingProtocol): string[] {
  return [String(transport.peer), String(transport.host)]
}

describe.each(headers)('behind a proxy that speaks version %s', (_version, header) => {
  it('the protocol sees the addresses of the client, and its bytes', () => {
    const server = behindProxy()
    const client = server.connect()
    server.sim.advance()
    expect(server.served).toEqual([])
    client.transport.write(header)
    server.sim.advance()
    expect(addresses(server.last)).toEqual(['192.0.2.1:5555', '198.51.100.1:443'])
    expect(server.last.chunks).toEqual([])
    client.transport.write('hello')
    server.sim.advance()
    expect(client.text()).toBe('hello')
  })

  it('buildProtocol and every policy after it see them too', () => {
    const seen: string[] = []
    const server = new ServerInSim()
    const factory = Factory.forProtocol((peer: Address) => {
      seen.push(`buildProtocol ${peer}`)
      return new Echo()
    })
    const behind = proxyProtocol({ trusted: ['10.0.0.0/8'], clock: server.reactor })
    const look: Policy = (connection) => {
      seen.push(`policy ${connection.peer}`)
      return connection
    }
    server.listen(withPolicies(factory, look, behind, look))
    server.say(header)
    expect(seen).toEqual(['policy 10.0.0.2:49152', 'policy 192.0.2.1:5555', 'buildProtocol 192.0.2.1:5555'])
  })

  it('a header may come byte by byte', () => {
    const server = behindProxy()
    const client = server.connect()
    for (const byte of header) {
      client.transport.write(new Uint8Array([byte]))
      server.sim.advance(10)
    }
    client.transport.write('hello')
    server.sim.advance()
    expect(addresses(server.last)[0]).toBe('192.0.2.1:5555')
    expect(client.text()).toBe('hello')
    expect(server.sim.pending).toBe(0)
  })

  it('what comes right behind the header is delivered once, after connectionMade, before all that follows', () => {
    const server = behindProxy()
    const client = server.connect()
    client.transport.writeSequence([header, 'one '])
    server.sim.advance()
    client.transport.write('two')
    server.sim.advance()
    server.last.transport.pauseProducing()
    server.last.transport.resumeProducing()
    server.sim.advance()
    expect(server.last.text()).toBe('one two')
    expect(server.last.made).toBe(1)
  })

  it('a client may have said all and closed already', () => {
    const server = behindProxy()
    const client = server.connect()
    client.transport.writeSequence([header, 'last words'])
    client.transport.loseConnection()
    server.sim.advance()
    expect(server.last.text()).toBe('last words')
    expect(server.last.closedReason?.name).toBe('ConnectionDone')
    expect(server.sim.pending).toBe(0)
  })

  it('a protocol that pauses at once gets the rest when it goes on, and nothing before', () => {
    class Later extends AccumulatingProtocol {
      override connectionMade(): Hook {
        this.transport.pauseProducing()
        return super.connectionMade()
      }
    }
    const server = behindProxy({}, [], () => new Later())
    const client = server.connect()
    client.transport.writeSequence([header, 'one '])
    server.sim.advance()
    client.transport.write('two')
    server.sim.advance(1000)
    expect(server.last.text()).toBe('')
    server.last.transport.resumeProducing()
    expect(server.last.text()).toBe('')
    server.sim.advance()
    expect(server.last.text()).toBe('one two')
  })

  it('a protocol that closes at once gets nothing of it', () => {
    class Closed extends AccumulatingProtocol {
      override connectionMade(): Hook {
        this.transport.write('closed')
        this.transport.loseConnection()
        return super.connectionMade()
      }
    }
    const server = behindProxy({}, [], () => new Closed())
    const client = server.connect()
    client.transport.writeSequence([header, 'hello?'])
    server.sim.advance()
    expect(server.last.text()).toBe('')
    expect(client.text()).toBe('closed')
    expect(client.closedReason?.name).toBe('ConnectionDone')
  })

  it('a policy further in may take its time', () => {
    const later = new Deferred<void>()
    const server = behindProxy({}, [(connection) => later.addCallback(() => new Layer(connection))])
    const client = server.connect()
    client.transport.writeSequence([header, 'one '])
    server.sim.advance(60_000)
    client.transport.write('two')
    server.sim.advance()
    expect(server.served).toEqual([])
    later.callback()
    expect(server.last.chunks).toEqual([])
    server.sim.advance()
    expect(server.last.text()).toBe('one two')
    expect(addresses(server.last)[0]).toBe('192.0.2.1:5555')
  })

  it('a policy further in may refuse', () => {
    let refusing = true
    const server = behindProxy({}, [limitConnections(1), (connection) => (refusing ? null : connection)])
    const client = server.say(header)
    server.sim.advance()
    expect(client.closedReason?.name).toBe('ConnectionLost')
    expect(server.reports).toEqual([])
    refusing = false
    server.say(header)
    expect(server.served).toHaveLength(1)
  })

  it('a mistake in connectionMade, or in the first dataReceived, ends its connection and is reported once', () => {
    class Clumsy extends AccumulatingProtocol {
      override connectionMade(): Hook {
        throw new Error('in connectionMade')
      }
    }
    class Deaf extends AccumulatingProtocol {
      override dataReceived(): Hook {
        throw new Error('in dataReceived')
      }
    }
    for (const [build, message] of [
      [() => new Clumsy(), 'in connectionMade'],
      [() => new Deaf(), 'in dataReceived'],
    ] as const) {
      const server = behindProxy({}, [], build)
      const client = server.connect()
      client.transport.writeSequence([header, 'x'])
      server.sim.advance()
      expect(server.reports.map(({ error }) => (error as Error).message)).toEqual([message])
      expect(server.last.closedReason).toBeInstanceOf(ConnectionAborted)
      expect(causeOf(server.last.closedReason).message).toBe(message)
    }
  })
})

describe('a header that does not know the client', () => {
  it.each([
    ['LOCAL', proxyHeaderBytes(2)],
    ['UNKNOWN', proxyHeaderBytes(1)],
  ])('leaves the addresses of the socket: %s', (_name, header) => {
    const server = behindProxy()
    server.say(header)
    expect(addresses(server.last)).toEqual(['10.0.0.2:49152', '10.0.0.1:49152'])
  })

  it('and the proxy then closes: a health check, which is not reported', () => {
    const server = behindProxy()
    const ends: ((transport: AccumulatingProtocol['transport']) => void)[] = [
      (transport) => transport.abortConnection(),
      (transport) => transport.loseConnection(),
    ]
    for (const end of ends) {
      const client = server.connect()
      client.transport.write(proxyHeaderBytes(2))
      end(client.transport)
      server.sim.advance()
    }
    expect(server.reports).toEqual([])
    expect(server.sim.pending).toBe(0)
  })
})

describe('without a header', () => {
  it('a connection is closed after 5 s in all, even if it drips', () => {
    const server = behindProxy()
    const client = server.connect()
    for (const byte of header1.subarray(0, 20)) {
      client.transport.write(new Uint8Array([byte]))
      server.sim.advance(240)
    }
    expect(client.closedReason).toBeUndefined()
    server.sim.advance(200)
    expect(client.closedReason?.name).toBe('ConnectionLost')
    const cause = server.ends[0]?.cause as NoProxyHeader
    expect(cause).toBeInstanceOf(NoProxyHeader)
    expect(cause.message).toContain('10.0.0.2:49152: no whole PROXY header within 5000 ms')
    expect(cause.cause).toBeInstanceOf(IncompleteFrame)
    expect(server.served).toEqual([])
    expect(server.reports).toEqual([])
    expect(server.sim.pending).toBe(0)
  })

  it('has as much time as you say', () => {
    const server = behindProxy({ timeout: 100 })
    const client = server.connect()
    server.sim.advance(101)
    expect(client.closedReason?.name).toBe('ConnectionLost')
  })

  it.each(['loseConnection', 'abortConnection'] as const)('a peer that only connects is not reported: %s', (end) => {
    const server = behindProxy()
    const client = server.connect()
    client.transport[end]()
    server.sim.advance()
    expect(server.ends).toHaveLength(1)
    expect(server.reports).toEqual([])
    expect(server.served).toEqual([])
    expect(server.sim.pending).toBe(0)
  })

  it('a connection is closed, with what was sent instead in the error', () => {
    const server = behindProxy()
    const client = server.say('GET / HTTP/1.1\r\n')
    expect(client.closedReason?.name).toBe('ConnectionLost')
    const { error } = server.reports[0]!
    expect(error).toBeInstanceOf(BadProxyHeader)
    expect((error as Error).message).toContain('"GET / HTTP/1.1\\r\\n"')
    expect(server.ends[0]?.cause).toBe(error)
    expect(server.served).toEqual([])
  })

  it('a connection is let in where none is required', () => {
    const server = behindProxy({ required: false })
    expect(server.say('PUT it').text()).toBe('PUT it')
    expect(addresses(server.last)[0]).toBe('10.0.0.2:49152')
    server.say(header2)
    expect(addresses(server.last)[0]).toBe('192.0.2.1:5555')
  })
})

describe('a header that is too long or broken', () => {
  it('closes its connection, and the server goes on', () => {
    const server = behindProxy({ maxLength: 30 })
    const long = proxyHeaderBytes(2, { source, destination, tlvs: [{ type: 0xe0, value: new Uint8Array(10) }] })
    const client = server.say(long)
    expect(client.closedReason?.name).toBe('ConnectionLost')
    expect(server.ends[0]?.cause).toBeInstanceOf(FrameTooLong)
    expect(server.ends[0]?.cause).toMatchObject({ offered: 41, limit: 30 })
    server.say('PROXY TCP4 10.0.0.1 10.0.0.2 1 99999\r\nhello')
    expect(server.ends[1]?.cause).toBeInstanceOf(BadProxyHeader)
    expect(server.served).toEqual([])
    server.say(header2)
    expect(server.served).toHaveLength(1)
  })
})

describe('a peer that is not trusted', () => {
  it('is refused at once, where a header is required', () => {
    const server = behindProxy()
    const client = server.connect('192.0.2.66')
    server.sim.advance()
    expect(client.closedReason?.name).toBe('ConnectionLost')
    expect(server.ends[0]?.cause).toBeInstanceOf(UntrustedProxy)
    expect(causeOf(server.ends[0]).message).toContain('192.0.2.66:')
    expect(server.reports).toEqual([])
  })

  it('is a client of its own, at once, where none is required', () => {
    const server = behindProxy({ required: false })
    const client = server.connect('192.0.2.66')
    server.sim.advance()
    expect(addresses(server.last)[0]).toBe('192.0.2.66:49152')
    client.transport.write('PROXY me, please\r\n')
    server.sim.advance()
    expect(client.text()).toBe('PROXY me, please\r\n')
    server.sim.advance(10_000)
    expect(client.closedReason).toBeUndefined()
  })

  it.each(headers)('is cut off when it sends a header of version %s all the same', (_version, header) => {
    const server = behindProxy({ required: false })
    for (const size of [header.length, 1, 7]) {
      const client = server.connect('192.0.2.66')
      for (let at = 0; at < header.length; at += size) {
        client.transport.write(header.subarray(at, at + size))
        server.sim.advance()
      }
      client.transport.write('rm -rf /')
      server.sim.advance()
      expect(addresses(server.last)[0]).toContain('192.0.2.66')
      expect(server.last.text()).not.toContain('rm')
      expect(server.last.closedReason?.cause).toBeInstanceOf(UntrustedProxy)
    }
  })

  it('is whoever you say', () => {
    const server = behindProxy({ trusted: (peer) => String(peer).startsWith('192.0.2.66:') })
    server.say(header1, '192.0.2.66')
    server.say(header1, '10.0.0.2')
    expect(server.served).toHaveLength(1)
    expect(() => proxyProtocol({ trusted: ['10.0.0.0/99'], clock: server.reactor })).toThrow(RangeError)
    expect(() => proxyProtocol({ trusted: [], clock: server.reactor, timeout: 0 })).toThrow(RangeError)
  })
})

describe('together with other policies', () => {
  it('limits count connections whose header is not there yet, if they stand before it', () => {
    const server = new ServerInSim()
    const behind = proxyProtocol({ trusted: ['10.0.0.0/8'], clock: server.reactor })
    server.serve([limitConnections(2), behind])
    const clients = [server.connect(), server.connect(), server.connect()]
    server.sim.advance()
    expect(clients.map(({ closedReason }) => closedReason?.name)).toEqual([undefined, undefined, 'ConnectionLost'])
    server.sim.advance(5000)
    server.say(header1)
    expect(server.served).toHaveLength(1)
  })

  it('limits for each peer are for the client, if they stand after it', () => {
    const server = behindProxy({}, [limitPerPeer(1)])
    const other = proxyHeaderBytes(2, { source: new IPv4Address('TCP', '192.0.2.2', 1), destination })
    server.say(header2)
    server.say(other)
    server.say(header1)
    expect(server.served.map(addresses).map(([peer]) => peer)).toEqual(['192.0.2.1:5555', '192.0.2.2:1'])
    expect(server.ends[0]?.cause).toBeInstanceOf(TooManyConnections)
  })

  it('the header can be asked for through all of them', () => {
    const server = behindProxy({}, [(connection) => new Layer(connection), limitConnections(9)])
    const tlvs = [{ type: proxyTLV.authority, value: toBytes('poems.example') }]
    server.say(proxyHeaderBytes(2, { source, destination, tlvs }))
    expect(proxyHeaderOf(server.last.transport)?.authority).toBe('poems.example')
    const plain = new ServerInSim()
    plain.serve([limitConnections(9)])
    plain.say('x')
    expect(proxyHeaderOf(plain.last.transport)).toBeUndefined()
  })

  it('a drain asks the protocol to finish, and closes what has no protocol yet', () => {
    const server = new ServerInSim()
    const behind = proxyProtocol({ trusted: ['10.0.0.0/8'], clock: server.reactor })
    server.serve([behind, idleTimeout(server.reactor, 60_000)])
    const clients = [server.connect(), server.say(header1)]
    for (const connection of server.connections) connection.askToStop()
    server.sim.advance()
    expect(clients.map(({ closedReason }) => closedReason?.name)).toEqual(['ConnectionDone', 'ConnectionDone'])
    expect(server.reports).toEqual([])
    expect(server.sim.pending).toBe(0)
  })
})

describe('sendProxyHeader', () => {
  it.each([1, 2] as const)('sends a header of version %s before anything else', (version) => {
    const server = behindProxy()
    class Eager extends AccumulatingProtocol {
      override connectionMade(): Hook {
        this.transport.write('first')
        return super.connectionMade()
      }
    }
    const factory = Factory.forProtocol(() => new Eager())
    server.connect('10.0.0.2', withPolicies(factory, sendProxyHeader(version, { source, destination })))
    server.sim.advance()
    expect(addresses(server.last)).toEqual(['192.0.2.1:5555', '198.51.100.1:443'])
    expect(server.last.text()).toBe('first')
  })

  it('tells at once what it could not say', () => {
    expect(() => sendProxyHeader(1, { source })).toThrow('a source and a destination')
  })
})

describe('an admission that is cancelled', () => {
  it('closes the connection and leaves no timer', () => {
    const server = new ServerInSim()
    const admissions: Deferred<Connection | null>[] = []
    const behind = proxyProtocol({ trusted: ['10.0.0.0/8'], clock: server.reactor })
    server.serve([
      (connection) => {
        const admission = behind(connection) as Deferred<Connection | null>
        admissions.push(admission)
        return admission
      },
    ])
    const client = server.connect()
    admissions[0]?.cancel()
    server.sim.advance()
    expect(client.closedReason?.name).toBe('ConnectionLost')
    expect(server.sim.pending).toBe(0)
  })
})
