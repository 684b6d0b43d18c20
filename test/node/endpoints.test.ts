/** Endpoints over real sockets: names with several addresses, and TLS over whatever carries bytes. */
import { createServer as createHTTPServer, type IncomingMessage, request } from 'node:http'
import { connect as connectSocket, createServer, type Socket } from 'node:net'
import {
  type Address,
  attach,
  type ClientEndpoint,
  clientFromString,
  ConnectError,
  type Connection,
  ConnectingCancelledError,
  Deferred,
  Factory,
  type IPAddress,
  IPv4Address,
  IPv6Address,
  HostnameEndpoint,
  NoProtocol,
  type Protocol,
  quoteStringArgument,
  serverFromString,
  standardParsers,
  succeed,
  TCPClientEndpoint,
  TLSError,
  tlsParsers,
  UNIXClientEndpoint,
  UnsupportedAddress,
  wrapClientTLS,
  type WrapClientTLSOptions,
} from 'couplet'
import { fromDuplex, NodeReactor } from 'couplet/node'
import { Witness } from 'couplet/testing'
import { describe, expect, it } from 'vitest'
import { reports } from '../reports.ts'
import { ca, client, identity, pem, server } from './certificates.ts'
import { addressOf, listening, Loopback, until } from './loopback.ts'
import { MemoryDuplex } from './memory-duplex.ts'
import { directory, unixWorld } from './worlds.ts'

const trusting: WrapClientTLSOptions = { ca, serverName: 'poems.example' }

const places: [string, () => Loopback][] = [
  ['TCP', () => new Loopback()],
  ['UNIX', () => unixWorld() as Loopback],
]

function endpointTo(net: Loopback, address: Address): ClientEndpoint {
  if (address.kind === 'UNIX') return new UNIXClientEndpoint(net.reactor, address.path)
  const { host, port } = address as IPAddress
  return new TCPClientEndpoint(net.reactor, host, port)
}

/** A protocol for each connection, and what became of the attempt. */
async function outcomeOf(
  endpoint: ClientEndpoint,
  factory: Factory<Witness> = Factory.forProtocol(() => new Witness()),
): Promise<Witness | Error> {
  return await endpoint.connect(factory).addErrback(({ value }) => value as Error)
}

describe('HostnameEndpoint', () => {
  it('reaches a host where it listens, whichever of its addresses that is', async () => {
    const net = new Loopback()
    const port = await net.serve(() => new Witness(), { tls: server })
    const { port: number } = port.host as IPv4Address
    const reactor = Object.assign(new NodeReactor(), {
      resolve: () => succeed([new IPv6Address('TCP', '::1', 0), new IPv4Address('TCP', '127.0.0.1', 0)]),
    })
    const endpoint = new HostnameEndpoint(reactor, 'poems.example', number, { tls: { ca } })
    const { transport } = (await outcomeOf(endpoint)) as Witness
    expect([String(transport.peer), transport.tls?.serverName]).toEqual([`127.0.0.1:${number}`, 'poems.example'])
    transport.abortConnection()
    await until(() => reactor.stats().open === 0)
    expect(reactor.stats().timers).toBe(0)
  })
})

describe.each(places)('wrapClientTLS over %s', (place, world) => {
  it('connects when the server is verified, and not before', async () => {
    const net = world()
    const far = new Witness({ data: ({ transport }, chunk) => transport.write(chunk) })
    const port = await net.serve(() => far, { tls: server })
    const near = new Witness({ made: ({ transport }) => transport.write(transport.tls?.verified ? 'verified' : 'no') })
    const endpoint = wrapClientTLS(trusting, endpointTo(net, port.host))
    expect(String(endpoint)).toMatch(place === 'TCP' ? /^tls:127\.0\.0\.1:\d+$/ : /^tls:unix:\//)
    expect(
      await outcomeOf(
        endpoint,
        Factory.forProtocol(() => near),
      ),
    ).toBe(near)
    await until(() => near.size === 8)
    expect([near.text, near.calls, near.complaints]).toEqual(['verified', ['made', 'data'], []])
    near.transport.loseConnection()
    await until(() => near.losses === 1 && net.reactor.stats().open === 0)
    expect(near.reason?.name).toBe('ConnectionDone')
  })

  it.each<[string, string, WrapClientTLSOptions, string]>([
    ['has expired', 'expired', trusting, 'CERT_HAS_EXPIRED'],
    ['is for another host', 'server', { ca, serverName: 'prose.example' }, 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ['signed itself', 'self-signed', trusting, 'DEPTH_ZERO_SELF_SIGNED_CERT'],
  ])('builds no protocol for a server whose certificate %s, and closes', async (_what, name, options, code) => {
    reports()
    const net = world()
    const port = await net.serve(() => new Witness(), { tls: identity(name) })
    const never = Factory.forProtocol(() => expect.unreachable() as Witness)
    const error = await outcomeOf(wrapClientTLS(options, endpointTo(net, port.host)), never)
    expect(error).toBeInstanceOf(TLSError)
    expect(error).toMatchObject({ code, phase: 'verification' })
    await until(() => net.reactor.stats().open === 0)
  })

  it('fails, and closes, when the server speaks no TLS', async () => {
    const net = world()
    const port = await net.serve(() => new Witness({ made: ({ transport }) => transport.write('220 hello\r\n') }))
    const error = await outcomeOf(wrapClientTLS(trusting, endpointTo(net, port.host)))
    expect(error).toMatchObject({ name: 'TLSError', phase: 'handshake' })
    await until(() => net.reactor.stats().open === 0)
  })

  it('fails as the endpoint beneath does, when nobody listens', async () => {
    const net = world()
    const port = await net.serve(() => new Witness())
    await port.stopListening()
    const error = await outcomeOf(wrapClientTLS(trusting, endpointTo(net, port.host)))
    expect(error).toBeInstanceOf(ConnectError)
    expect(error).not.toBeInstanceOf(TLSError)
  })

  it.each(['cancel', 'signal'])('given up during the handshake by %s, leaves nothing', async (how) => {
    const collected = reports()
    const net = world()
    // It takes what the client says, and says nothing itself.
    const silent = new Witness()
    const port = await net.serve(() => silent)
    const controller = new AbortController()
    const endpoint = wrapClientTLS(trusting, endpointTo(net, port.host))
    const connecting = endpoint.connect(
      Factory.forProtocol(() => new Witness()),
      { signal: controller.signal },
    )
    const outcome = connecting.addErrback(({ value }) => value as Error)
    await until(() => silent.size > 0)
    if (how === 'cancel') connecting.cancel('enough')
    else controller.abort('enough')
    const error = (await outcome) as Error
    expect(error).toBeInstanceOf(ConnectingCancelledError)
    expect(error).toMatchObject({ cause: { name: 'CancelledError', cause: 'enough' } })
    await until(() => silent.losses === 1 && net.reactor.stats().open === 0)
    expect([net.reactor.stats().timers, collected]).toEqual([0, []])
  })

  it('asks the factory, when the server is verified, and says what it answered', async () => {
    const net = world()
    const port = await net.serve(() => new Witness(), { tls: server })
    const endpoint = wrapClientTLS(trusting, endpointTo(net, port.host))
    const refusing = Factory.forProtocol<Witness>(() => null)
    expect(await outcomeOf(endpoint, refusing)).toBeInstanceOf(NoProtocol)
    await until(() => net.reactor.stats().open === 0)
  })
})

/** Reaches a place through a proxy for HTTP: what its CONNECT gives is a socket of Node's. */
class TunnelEndpoint implements ClientEndpoint {
  readonly #reactor: NodeReactor
  readonly #proxy: IPv4Address
  readonly #path: string

  constructor(reactor: NodeReactor, proxy: IPv4Address, to: Address) {
    this.#reactor = reactor
    this.#proxy = proxy
    this.#path = String(to)
  }

  connect<P extends Protocol>(factory: Factory<P>): Deferred<P> {
    const tunnel = new Deferred<Connection>()
    const { host, port } = this.#proxy
    request({ host, port, method: 'CONNECT', path: this.#path })
      .on('connect', (_answer, socket) => tunnel.callback(fromDuplex(socket, { reactor: this.#reactor })))
      .on('error', (error) => tunnel.errback(error))
      .end()
    return tunnel.addCallback((connection) => attach(factory, connection))
  }
}

async function proxyForHTTP(): Promise<IPv4Address> {
  const proxy = createHTTPServer().on('connect', ({ url }: IncomingMessage, near: Socket) => {
    const far = connectSocket(Number(url?.split(':')[1]), '127.0.0.1', () => {
      near.write('HTTP/1.1 200 OK\r\n\r\n')
      far.pipe(near).pipe(far)
    })
    for (const each of [near, far])
      each.on('error', () => {}).on('close', () => [near, far].map((one) => one.destroy()))
  })
  return addressOf(await listening(proxy))
}

describe('wrapClientTLS', () => {
  it('goes through a proxy, of which only the two ends know', async () => {
    const net = new Loopback()
    const far = new Witness({ data: ({ transport }, chunk) => transport.write(chunk) })
    const port = await net.serve(() => far, { tls: server })
    const tunnel = new TunnelEndpoint(net.reactor, await proxyForHTTP(), port.host)
    const near = (await outcomeOf(wrapClientTLS(trusting, tunnel))) as Witness
    expect(near.transport.tls).toMatchObject({ verified: true, serverName: 'poems.example' })
    near.transport.write('poem')
    await until(() => near.text === 'poem')
    near.transport.loseConnection()
    await until(() => near.losses + far.losses === 2)
    expect([near.reason?.name, far.reason?.name]).toEqual(['ConnectionDone', 'ConnectionDone'])
  })

  it('fails, and closes, over what knows no TLS', async () => {
    const [stream, other] = MemoryDuplex.pair()
    other.on('error', () => {})
    const { reactor } = new Loopback()
    const pipe: ClientEndpoint = {
      connect: (factory) => attach(factory, fromDuplex(stream, { reactor })),
      toString: () => 'a pipe',
    }
    expect(await outcomeOf(wrapClientTLS(trusting, pipe))).toBeInstanceOf(UnsupportedAddress)
    await until(() => stream.closed && other.closed)
  })

  it('shows a certificate of its own to a server that wants one', async () => {
    const net = new Loopback()
    const far = new Witness()
    const port = await net.serve(() => far, { tls: { ...server, ca, requestCert: true } })
    const options = { ...trusting, ...identity('client'), alpn: ['poem/1'] }
    const near = (await outcomeOf(wrapClientTLS(options, endpointTo(net, port.host)))) as Witness
    await until(() => far.calls.length > 0)
    expect(far.transport.tls?.peerCertificate?.subject).toBe('CN=client.example')
    near.transport.abortConnection()
  })

  it.each<[string, object, RegExp]>([
    ['names nobody', { ca }, /needs `serverName`/],
    ['is misspelled', { ...client, servername: 'x' }, /no option "servername"/],
    ['has half an identity', { ...client, cert: 'PEM' }, /`cert` and `key`.*key is missing/],
  ])('throws when an option %s', (_what, options, message) => {
    const below = new UNIXClientEndpoint(new NodeReactor(), '/run/poems')
    expect(() => wrapClientTLS(options as WrapClientTLSOptions, below)).toThrow(message)
    expect(() => wrapClientTLS(options as WrapClientTLSOptions, below)).toThrow(TypeError)
  })
})

describe('texts', () => {
  it('name both ends of TLS in the file system', async () => {
    const net = new Loopback()
    const path = quoteStringArgument(`${directory()}/a socket`)
    const files: Record<string, string> = { 'ca.pem': ca, 'both.pem': pem('server.pem') + pem('server.key') }
    const parsers = new Map([...standardParsers, ...tlsParsers((name) => files[name] ?? '')])
    const beneath = serverFromString(net.reactor, `unix:${path}`, parsers)
    expect(String(beneath)).toMatch(/^unix:.*a socket$/)
    const port = await net.reactor.listenUNIX(
      String(beneath).slice(5),
      Factory.forProtocol(() => new Witness()),
      {
        tls: server,
      },
    )
    const text = `tls:poems.example:ca=ca.pem:endpoint=${quoteStringArgument(`unix:${path}`)}`
    const near = (await outcomeOf(clientFromString(net.reactor, text, parsers))) as Witness
    expect(near.transport.tls).toMatchObject({ verified: true, serverName: 'poems.example' })
    near.transport.abortConnection()
    await port.stopListening({ drain: 0 })
  })

  it('name a host that a raw server knows by several names', async () => {
    const net = new Loopback()
    const raw = addressOf(await listening(createServer((socket) => socket.end('poem'))))
    const near = (await outcomeOf(clientFromString(net.reactor, `tcp:localhost:${raw.port}`))) as Witness
    await until(() => near.losses === 1)
    expect(near.text).toBe('poem')
  })
})
