/** TLS: who is let in and who is not, in words; what a peer can do about it; and connections that turn to it later. */
import { once } from 'node:events'
import { connect as connectSocket, createServer, type Server, type Socket } from 'node:net'
import { connect as connectTLS, createServer as createTLSServer, type TLSSocket } from 'node:tls'
import { execFileSync } from 'node:child_process'
import {
  attach,
  CannotListenError,
  type Connection,
  ConnectionDone,
  ConnectionLost,
  Deferred,
  Factory,
  IncompleteFrame,
  type IPv4Address,
  Layer,
  LineReceiver,
  type ListeningPort,
  RemoteProtocolError,
  TLSError,
  type TLSClientOptions,
  type TLSServerOptions,
  toText,
  UNIXAddress,
  withPolicies,
} from 'couplet'
import { Witness } from 'couplet/testing'
import * as fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { reports } from '../reports.ts'
import { ca, client, identity, pem, server } from './certificates.ts'
import { addressOf, anywhere, listening, Loopback, socketTo, turns, until } from './loopback.ts'

/** What the client and the server of one attempt got. */
interface Outcome {
  readonly error: unknown
  readonly connection: Connection | undefined
  readonly net: Loopback
  readonly accepted: readonly Connection[]
  readonly port: ListeningPort
}

async function attempt(of: { client?: TLSClientOptions; server?: TLSServerOptions } = {}): Promise<Outcome> {
  const net = new Loopback()
  const accepted: Connection[] = []
  const port = await net.listen((connection) => accepted.push(connection), { tls: of.server ?? server })
  const [error, connection] = await net.reactor.dial(port.host, { tls: of.client ?? client }).addCallbacks(
    (dialed): [undefined, Connection] => [undefined, dialed],
    ({ value }): [unknown, undefined] => [value, undefined],
  )
  onTestFinished(() => connection?.abortConnection())
  await until(() => accepted.length + net.reactor.stats().unsecured > 0)
  await net.settle()
  return { error, connection, net, accepted, port }
}

/** What a client of TLS says first. */
async function firstWords(): Promise<Buffer> {
  const raw = await listening(createServer())
  const socket = connectTLS({ port: addressOf(raw).port, host: '127.0.0.1', servername: 'poems.example' })
  socket.on('error', () => {})
  const [peer] = (await once(raw, 'connection')) as [Socket]
  const [words] = (await once(peer, 'data')) as [Buffer]
  peer.destroy()
  socket.destroy()
  return words
}

/** Waits until the socket has gone, however. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()))
}

/** The certificate's part of a server's options. */
function as(name: string): TLSServerOptions {
  return identity(name)
}

describe('a TLS connection', () => {
  it.each(['TLSv1.2', 'TLSv1.3'] as const)('is there once both sides have agreed: %s', async (version) => {
    const alpn = ['poem/2', 'poem/1']
    const { connection, accepted } = await attempt({
      client: { ...client, maxVersion: version, alpn },
      server: { ...server, alpn: ['poem/1'] },
    })
    expect(connection?.tls).toMatchObject({ version, alpn: 'poem/1', serverName: 'poems.example', verified: true })
    expect(connection?.tls?.cipher).toMatch(/^TLS_/)
    expect(connection?.tls?.peerCertificate).toMatchObject({
      subject: 'CN=server.example',
      issuer: 'CN=couplet test authority ca',
      names: 'DNS:localhost, DNS:poems.example, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1',
    })
    const [theirs] = accepted
    expect(theirs?.tls).toMatchObject({ version, alpn: 'poem/1', serverName: 'poems.example', verified: false })
    expect(theirs?.tls?.peerCertificate).toBeUndefined()
  })

  it('is verified by its address where no name is given', async () => {
    const { connection } = await attempt({ client: { ca } })
    expect(connection?.tls).toMatchObject({ verified: true, serverName: '127.0.0.1' })
  })

  it('shows the client to a server that asks, and only then', async () => {
    const mutual = { ...server, ca, requestCert: true }
    const { connection, accepted } = await attempt({ client: { ...client, ...identity('client') }, server: mutual })
    expect(connection).toBeDefined()
    expect(accepted[0]?.tls).toMatchObject({ verified: true, peerCertificate: { subject: 'CN=client.example' } })
  })

  it('says goodbye even to a server that closes in the moment of its connection', async () => {
    // Before Node 26 the goodbye is forgotten there in TLS 1.3.
    const net = new Loopback()
    const port = await net.serve(() => new Witness({ made: (self) => self.transport.loseConnection() }), {
      tls: server,
    })
    const witness = new Witness()
    const connection = await net.reactor.dial(port.host, { tls: client })
    connection.deliverTo(witness)
    await until(() => witness.losses === 1)
    expect(witness.reason).toBeInstanceOf(ConnectionDone)
  })

  it('sends what one turn writes in one piece', async () => {
    const net = new Loopback()
    const [far, near] = [
      new Witness(),
      new Witness({
        made: ({ transport }) => {
          for (let line = 0; line < 1000; line++) transport.write('a line\r\n')
        },
      }),
    ]
    const port = await net.serve(() => far, { tls: server })
    const connection = await net.reactor.dial(port.host, { tls: client })
    connection.deliverTo(near)
    await until(() => far.size >= 8000)
    expect([far.size, far.chunks.length]).toEqual([8000, 1])
    connection.abortConnection()
  })

  it('takes the name to verify from the host that was asked for', async () => {
    const net = new Loopback()
    const port = await net.serve(() => new Witness(), { tls: server })
    const { port: number } = port.host as IPv4Address
    const names: string[] = []
    const raw = createTLSServer({ ...identity('server'), SNICallback: (name, done) => (names.push(name), done(null)) })
    await listening(raw)
    const { dialHost } = await import('../../src/framework/core/dial-host.ts')
    const connection = await dialHost(net.reactor, 'localhost', number, { tls: { ca } })
    expect(connection.tls?.serverName).toBe('localhost')
    connection.abortConnection()
    const other = await dialHost(net.reactor, 'localhost', addressOf(raw).port, { tls: { ca } })
    other.abortConnection()
    expect(names).toEqual(['localhost'])
  })
})

describe('a client refuses', () => {
  it.each<[what: string, of: { client?: TLSClientOptions; server?: TLSServerOptions }, code: string, message: RegExp]>([
    ['a certificate that has expired', { server: as('expired') }, 'CERT_HAS_EXPIRED', /has expired/],
    ['one that is not valid yet', { server: as('future') }, 'CERT_NOT_YET_VALID', /not valid yet/],
    ['one that signed itself', { server: as('self-signed') }, 'DEPTH_ZERO_SELF_SIGNED_CERT', /signed by itself/],
    ["another host's", { server: as('elsewhere') }, 'ERR_TLS_CERT_ALTNAME_INVALID', /another one's: .*poems\.example/],
    [
      'an address that it does not name',
      { server: as('elsewhere'), client: { ca } },
      'ERR_TLS_CERT_ALTNAME_INVALID',
      /IP: 127\.0\.0\.1/,
    ],
    [
      'an authority that it does not know',
      { client: { ca: pem('stranger.pem'), serverName: 'poems.example' } },
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      /authority is not known/,
    ],
    ['an authority that the system does not know', { client: { serverName: 'poems.example' } }, '', /authority/],
    [
      "a client's certificate",
      { server: as('client'), client: { ca, serverName: 'reader.example' } },
      'INVALID_PURPOSE',
      /not made for/,
    ],
  ])('%s', async (_what, of, code, message) => {
    const errors = reports()
    const { error, accepted, net } = await attempt(of)
    expect(error).toBeInstanceOf(TLSError)
    expect(error).toMatchObject({ phase: 'verification', message: expect.stringMatching(message) as string })
    if (code !== '') expect(error).toMatchObject({ code, cause: { code } })
    expect((error as TLSError).message).toMatch(/^127\.0\.0\.1:\d+: not secure: /)
    // In TLS 1.3 the server is done before its client is: for it there was a connection, that broke.
    for (const connection of accepted) expect(await connection.whenLost()).toBeInstanceOf(ConnectionLost)
    await until(() => net.reactor.stats().open === 0)
    expect(errors.length).toBeLessThanOrEqual(1)
  })

  it('none of it, when it says why not', async () => {
    const errors = reports()
    const insecure = { reason: 'the test wants it' }
    const { connection, net, port } = await attempt({ server: as('self-signed'), client: { insecure } })
    expect(connection?.tls).toMatchObject({ verified: false, peerCertificate: { subject: 'CN=self-signed.example' } })
    const again = await net.reactor.dial(port.host, { tls: { insecure } })
    again.abortConnection()
    const said = errors
    expect(said).toHaveLength(1)
    expect(String(said[0]?.error)).toMatch(/not verified, on purpose: the test wants it/)
  })

  it('it also where the environment says that it should not', () => {
    const program = `
      import { NodeReactor } from 'couplet/node'
      import { IPv4Address } from 'couplet'
      import { createServer } from 'node:tls'
      const server = createServer(${JSON.stringify(identity('self-signed'))}).listen(0, '127.0.0.1', async () => {
        server.on('tlsClientError', () => {})
        const dialed = new NodeReactor().dial(new IPv4Address('TCP', '127.0.0.1', server.address().port), { tls: {} })
        console.log(await dialed.addCallbacks(() => 'connected', ({ value }) => value.code).toPromise())
        process.exit()
      })`
    const args = ['-C', '@couplet/source', '--import', 'tsx', '--input-type=module', '-e', program]
    const env = { ...process.env, NODE_TLS_REJECT_UNAUTHORIZED: '0', NODE_NO_WARNINGS: '1' }
    expect(execFileSync(process.execPath, args, { env, encoding: 'utf8' }).trim()).toBe('DEPTH_ZERO_SELF_SIGNED_CERT')
  })

  it.each<[what: string, behave: (socket: Socket) => void, code: string | RegExp, message: RegExp]>([
    ['that says something else', (socket) => void socket.write('220 poems.example\r\n'), /^ERR_SSL_/, /not TLS/],
    ['that closes at once', (socket) => void socket.end(), 'ECONNRESET', /closed the connection before TLS/],
    [
      'that resets on the first word',
      (socket) => void socket.once('data', () => socket.resetAndDestroy()),
      'ECONNRESET',
      /./,
    ],
  ])('a server %s', async (_what, behave, code, message) => {
    const net = new Loopback()
    const raw = await listening(
      createServer((socket) => {
        socket.on('error', () => {})
        behave(socket)
      }),
    )
    const error: unknown = await net.reactor.dial(addressOf(raw), { tls: client }).addErrback(({ value }) => value)
    expect(error).toBeInstanceOf(TLSError)
    expect(error).toMatchObject({ phase: 'handshake', message: expect.stringMatching(message) as string })
    expect((error as TLSError).code).toMatch(code)
  })

  it('a server that takes too long', async () => {
    const net = new Loopback()
    const raw = await listening(createServer((socket) => onTestFinished(() => void socket.destroy())))
    const dialed = net.reactor.dial(addressOf(raw), { tls: { ...client, handshakeTimeout: 20 } })
    const error: unknown = await dialed.addErrback(({ value }) => value)
    expect(error).toMatchObject({ name: 'TLSError', code: 'ERR_TLS_HANDSHAKE_TIMEOUT' })
    expect(String(error)).toMatch(/no TLS handshake within 20 ms \(does the other side speak TLS\?\)/)
    expect(net.reactor.stats().timers).toBe(0)
  })

  it('to go on when it is cancelled', async () => {
    const net = new Loopback()
    const raw = await listening(createServer())
    const closed = new Deferred<void>()
    raw.on('connection', (socket: Socket) => {
      socket.on('error', () => {}).resume()
      socket.on('close', () => closed.callback())
      dialed.cancel()
    })
    const dialed = net.reactor.dial(addressOf(raw), { tls: client }).addErrback(({ value }) => value)
    expect(await dialed).toMatchObject({ name: 'ConnectingCancelledError' })
    await closed
    expect(net.reactor.stats()).toMatchObject({ open: 0, timers: 0 })
  })

  it('a path without a name to verify', async () => {
    const net = new Loopback()
    const raw = createServer()
    const { directory } = await import('./worlds.ts')
    const path = `${directory()}/socket`
    raw.listen(path)
    await once(raw, 'listening')
    onTestFinished(() => void raw.close())
    await expect(net.reactor.dial(new UNIXAddress(path), { tls: { ca } })).rejects.toThrow(/give serverName/)
  })
})

describe('a server refuses', () => {
  const mutual = { ...server, ca, requestCert: true }

  it.each<[what: string, options: object, code: RegExp, message: RegExp]>([
    ['a client without a certificate', {}, /PEER_DID_NOT_RETURN/, /showed no certificate/],
    ['a client whom nobody knows', identity('intruder'), /^(UNABLE_TO_|SELF_SIGNED)/, /authority is not/],
    ["a server's certificate", identity('expired'), /^(INVALID_PURPOSE|CERT_HAS_EXPIRED)/, /certificate/],
  ])('%s', async (_what, options, code, message) => {
    const errors = reports()
    const { connection, accepted, net } = await attempt({ client: { ...client, ...options }, server: mutual })
    expect(accepted).toEqual([])
    expect(net.reactor.stats()).toMatchObject({ accepted: 0, unsecured: 1 })
    // In TLS 1.3 the client hears of it when it believes that it is connected.
    try {
      connection?.deliverTo(new Witness())
    } catch {
      // It has heard already.
    }
    if (connection !== undefined) expect(await connection.whenLost()).toBeInstanceOf(ConnectionLost)
    const [said] = errors
    expect(said?.error).toBeInstanceOf(TLSError)
    expect(said?.error).toMatchObject({ code: expect.stringMatching(code) as string })
    expect(String(said?.error)).toMatch(message)
  })

  it.each<[what: string, behave: (socket: Socket) => void, message: RegExp | undefined]>([
    [
      'an HTTP request',
      (socket) => void socket.write('GET / HTTP/1.1\r\n\r\n'),
      /not TLS: it sent a plain HTTP request/,
    ],
    ['another protocol', (socket) => void socket.write('HELO poems.example\r\n'), /not TLS/],
    ['a reset before the first word', (socket) => void socket.resetAndDestroy(), undefined],
    ['an end before the first word', (socket) => void socket.end(), undefined],
    [
      'a reset in the middle',
      (socket) => void (socket.write(Buffer.from('160301020001', 'hex')), setImmediate(() => socket.resetAndDestroy())),
      undefined,
    ],
  ])('%s, and lives', async (_what, behave, message) => {
    const errors = reports()
    const net = new Loopback()
    const accepted: Connection[] = []
    const port = await net.listen((connection) => accepted.push(connection), { tls: server })
    const socket = await socketTo(port)
    socket.resume()
    behave(socket)
    await until(() => net.reactor.stats().unsecured === 1)
    // Who only comes and goes is counted, and nobody has to read about it.
    expect(errors.map(({ error }) => String(error))).toEqual(message ? [expect.stringMatching(message)] : [])
    const connection = await net.reactor.dial(port.host, { tls: client })
    await until(() => accepted.length > 0)
    connection.abortConnection()
  })

  it('a client that never comes to an end, one byte after another', async () => {
    const errors = reports()
    const net = new Loopback()
    const port = await net.serve(() => new Witness(), { tls: { ...server, handshakeTimeout: 30 } })
    const socket = await socketTo(port)
    socket.resume()
    socket.write(Buffer.from('160301020001', 'hex'))
    const drip = setInterval(() => socket.write('\0'), 5)
    onTestFinished(() => clearInterval(drip))
    await closed(socket)
    expect(String(errors[0]?.error)).toMatch(/no TLS handshake within 30 ms/)
    expect(net.reactor.stats()).toMatchObject({ accepted: 0, unsecured: 1 })
  })

  it('a client that speaks no TLS and waits for a word: it sees that the connection broke, and not an end', async () => {
    reports()
    const net = new Loopback()
    const port = await net.serve(() => new Witness(), { tls: { ...server, handshakeTimeout: 20 } })
    const connection = await net.reactor.dial(port.host)
    const client = new Witness()
    connection.deliverTo(client)
    expect(await connection.whenLost()).toMatchObject({ name: 'ConnectionLost', cause: { code: 'ECONNRESET' } })
    await until(() => net.reactor.stats().open === 0)
  })

  it('whatever else it is sent, and lives', async () => {
    reports()
    const net = new Loopback()
    const port = await net.serve(() => new Witness(), { tls: server })
    const hello = await firstWords()
    const mutations = fc.array(fc.tuple(fc.nat(hello.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 })
    const sent = fc.tuple(mutations, fc.nat(hello.length), fc.boolean())
    await fc.assert(
      fc.asyncProperty(sent, async ([changes, length, resets]) => {
        const bytes = Buffer.from(hello)
        for (const [place, byte] of changes) bytes[place] = byte
        const socket = await socketTo(port)
        socket.resume()
        socket.write(bytes.subarray(0, length))
        await turns(1)
        if (resets) socket.resetAndDestroy()
        else socket.end()
        await net.settle()
      }),
      { numRuns: 60 },
    )
    const connection = await net.reactor.dial(port.host, { tls: client })
    expect(connection.tls?.verified).toBe(true)
    const { reactor } = net
    await until(() => reactor.stats().accepted === 1)
    connection.abortConnection()
    await until(() => reactor.stats().open === 0 && reactor.stats().timers === 0)
    const stats = reactor.stats()
    expect(stats.accepted).toBe(1)
    expect(stats.unsecured).toBeGreaterThan(30)
  })

  it('a client of an older TLS', async () => {
    const errors = reports()
    const net = new Loopback()
    const port = await net.serve(() => new Witness(), { tls: { ...server, minVersion: 'TLSv1.3' } })
    const { port: number } = port.host as IPv4Address
    const old = connectTLS({ port: number, host: '127.0.0.1', ca, servername: 'poems.example', maxVersion: 'TLSv1.2' })
    await once(old, 'error')
    await until(() => net.reactor.stats().unsecured === 1)
    expect(String(errors[0]?.error)).toMatch(/no version of TLS in common \(see minVersion\)/)
  })

  it('a client that speaks none of its protocols', async () => {
    const errors = reports()
    const { error, net } = await attempt({
      client: { ...client, alpn: ['prose'] },
      server: { ...server, alpn: ['poem'] },
    })
    expect(String(error)).toMatch(/speaks none of the protocols that we offer \(see alpn\)/)
    expect(net.reactor.stats().unsecured).toBe(1)
    expect(errors).toHaveLength(1)
  })

  it('more connections than it may have, those included that shake hands', async () => {
    const errors = reports()
    const net = new Loopback()
    const port = await net.serve(() => new Witness(), { tls: server, maxConnections: 2 })
    const sockets = [await socketTo(port), await socketTo(port)]
    const third = connectSocket((port.host as IPv4Address).port, '127.0.0.1').on('error', () => {})
    sockets.forEach((socket) => socket.resume())
    await closed(third)
    expect(net.reactor.stats()).toMatchObject({ shed: 1, open: 0 })
    expect(errors).toHaveLength(1)
  })

  it('everybody who still shakes hands when it stops', async () => {
    reports()
    const net = new Loopback()
    const port = await net.serve(() => new Witness(), { tls: server })
    const socket = await socketTo(port)
    socket.resume()
    await net.settle()
    const gone = closed(socket)
    await port.stopListening({ drain: 1000 })
    await gone
    await until(() => net.reactor.stats().open === 0)
    expect(net.reactor.stats()).toMatchObject({ ports: 0, timers: 0 })
  })
})

describe('a server does not start', () => {
  it.each<[what: string, options: TLSServerOptions, message: RegExp]>([
    ['with the key of another certificate', { ...server, key: pem('client.key') }, /key does not belong to the cert/],
    ['with a key that is none', { ...server, key: 'not a key' }, /is not PEM/],
    ['with a certificate that is none', { ...server, cert: 'a poem' }, /is not PEM/],
  ])('%s', async (_what, tls, message) => {
    const listened = new Loopback().reactor.listen(anywhere, () => {}, { tls })
    const error: unknown = await listened.addErrback(({ value }) => value)
    expect(error).toBeInstanceOf(CannotListenError)
    expect(error).toMatchObject({ cause: { name: 'TLSError', phase: 'certificate' } })
    expect(String(error)).toMatch(/^CannotListenError: 127\.0\.0\.1:0: cannot listen: /)
    expect(String(error)).toMatch(message)
  })

  it.each<[what: string, options: object, message: RegExp]>([
    ['without a certificate', {}, /needs `cert` and `key`/],
    ['without a key', { cert: pem('server.pem') }, /key is missing/],
    ["with Node's way to be careless", { ...server, rejectUnauthorized: false }, /always verified/],
    ['with an option that is misspelled', { ...server, requestCrt: true }, /no option "requestCrt"/],
    ['with a version that is broken', { ...server, minVersion: 'TLSv1' }, /minVersion is TLSv1\.2 or TLSv1\.3/],
    ['with a maybe', { ...server, requestCert: 'yes' }, /`requestCert` is true or false/],
  ])('%s', async (_what, tls, message) => {
    const listened = new Loopback().reactor.listen(anywhere, () => {}, { tls })
    expect(listened.called).toBe(false)
    const error: unknown = await listened.addErrback(({ value }) => value)
    expect(error).toBeInstanceOf(TypeError)
    expect(String(error)).toMatch(message)
  })

  it.each<[options: object, message: RegExp]>([
    [{ rejectUnauthorized: undefined }, /always verified.*insecure: \{ reason \}/],
    [{ rejectUnauthorized: false }, /always verified/],
    [{ checkServerIdentity: () => undefined }, /always verified/],
    [{ insecure: true }, /`insecure` says why/],
    [{ insecure: {} }, /`insecure` says why/],
    [{ insecure: { reason: ' ' } }, /`insecure` says why/],
    [{ insecure: null }, /`insecure` says why/],
    [{ serverName: '' }, /not empty/],
    [{ alpn: [''] }, /1 to 255 bytes/],
    [{ handshakeTimeout: 0 }, /above 0/],
  ])('nor a client with %o', async (options, message) => {
    const dialed = new Loopback().reactor.dial(anywhere.withPort(1), { tls: options })
    const error: unknown = await dialed.addErrback(({ value }) => value)
    expect(error).toBeInstanceOf(TypeError)
    expect(String(error)).toMatch(message)
  })
})

describe('an end', () => {
  /** A connection of ours to a server of Node's, and its two sockets: TLS and the one beneath. */
  async function toNode(version: 'TLSv1.2' | 'TLSv1.3', witness: Witness): Promise<[Loopback, TLSSocket, Socket]> {
    const net = new Loopback()
    const raws: Socket[] = []
    const secure = createTLSServer({ ...identity('server'), maxVersion: version, allowHalfOpen: true })
    const raw: Server = await listening(
      createServer({ allowHalfOpen: true }, (socket) => {
        raws.push(socket)
        secure.emit('connection', socket)
      }),
    )
    const [[socket], connection] = await Promise.all([
      once(secure, 'secureConnection') as Promise<[TLSSocket]>,
      net.reactor.dial(addressOf(raw), { tls: client }),
    ])
    socket.on('error', () => {})
    // Node forgets its goodbye if it is to close in the moment of the connection.
    await turns(1)
    onTestFinished(() => {
      connection.abortConnection()
      raws[0]?.destroy()
    })
    connection.deliverTo(witness)
    return [net, socket, raws[0]!]
  }

  describe.each(['TLSv1.2', 'TLSv1.3'] as const)('of %s', (version) => {
    it('with a goodbye is clean', async () => {
      const witness = new Witness()
      const [, socket] = await toNode(version, witness)
      socket.end('all there is')
      await until(() => witness.losses === 1)
      expect([witness.text, witness.reason?.name]).toEqual(['all there is', 'ConnectionDone'])
    })

    it('without a goodbye is a loss, because anybody in between can make it', async () => {
      const witness = new Witness()
      const [, socket, raw] = await toNode(version, witness)
      socket.write('half of')
      await until(() => witness.text === 'half of')
      raw.end()
      await until(() => witness.losses === 1)
      expect(witness.text).toBe('half of')
      expect(witness.reason).toBeInstanceOf(ConnectionLost)
      expect(witness.reason?.cause).toMatchObject({ name: 'TLSError', phase: 'end', code: 'ERR_TLS_CUT' })
    })

    it('without a goodbye is no half close, and what a receiver says about it counts first', async () => {
      const incomplete = new IncompleteFrame(7)
      const witness = new Witness({ ended: () => incomplete, readLost: () => {} })
      const [, socket, raw] = await toNode(version, witness)
      socket.write('half of')
      await until(() => witness.text === 'half of')
      raw.end()
      await until(() => witness.losses === 1)
      expect(witness.calls).toEqual(['made', 'data', 'inputEnded', 'lost'])
      expect(witness.reason?.cause).toBe(incomplete)
    })

    it('without a goodbye is fine where we have closed first', async () => {
      const witness = new Witness()
      const [, socket, raw] = await toNode(version, witness)
      witness.transport.loseConnection()
      socket.resume()
      await once(socket, 'end')
      raw.end()
      await until(() => witness.losses === 1)
      expect(witness.reason).toBeInstanceOf(ConnectionDone)
    })

    it('that comes while we are paused is told apart all the same', async () => {
      const witness = new Witness({ made: (self) => self.transport.pauseProducing() })
      const [net, socket] = await toNode(version, witness)
      socket.end('x'.repeat(500_000))
      await net.settle()
      witness.transport.resumeProducing()
      await until(() => witness.losses === 1)
      expect([witness.size, witness.reason?.name]).toEqual([500_000, 'ConnectionDone'])
    })
  })
})

describe('startTLS', () => {
  /** A server of the kind of SMTP: `STARTTLS` is answered, and then encrypted. */
  class Upgrading extends LineReceiver {
    readonly lines: string[] = []
    started: Deferred<void> | undefined
    outcome: unknown
    reason: Error | undefined
    override lineReceived(line: Uint8Array): void {
      const text = toText(line)
      this.lines.push(text)
      if (text !== 'STARTTLS') {
        this.sendLine(`${this.transport.tls === undefined ? 'clear' : 'secure'}: ${text}`)
        return
      }
      this.sendLine('go ahead')
      this.transport.startTLS({ role: 'server', ...server }).addCallbacks(
        () => (this.outcome = 'secure'),
        ({ value }) => (this.outcome = value),
      )
      this.sendLine('welcome to the encrypted part')
    }
    override connectionLost(reason: Error): void {
      this.reason = reason
    }
  }

  /** The client: asks for TLS, and goes on when it has the answer. */
  class Asking extends LineReceiver {
    readonly lines: string[] = []
    outcome: unknown
    reason: Error | undefined
    options: TLSClientOptions = client
    override connectionMade(): void {
      this.sendLine('hello')
      this.sendLine('STARTTLS')
    }
    override lineReceived(line: Uint8Array): void {
      const text = toText(line)
      this.lines.push(text)
      if (text !== 'go ahead') return
      this.transport.startTLS({ role: 'client', ...this.options }).addCallbacks(
        () => (this.outcome = 'secure'),
        ({ value }) => (this.outcome = value),
      )
      this.sendLine('a secret')
    }
    override connectionLost(reason: Error): void {
      this.reason = reason
    }
  }

  async function upgrade(asking: Asking): Promise<[Loopback, Upgrading]> {
    const net = new Loopback()
    const upgrading = new Upgrading()
    const port = await net.serve(() => upgrading)
    const connection = await net.reactor.dial(port.host)
    connection.deliverTo(asking)
    // All is said, or all is over.
    await until(() => (asking.reason === undefined ? asking.lines.length === 4 : upgrading.reason !== undefined))
    return [net, upgrading]
  }

  it('goes on encrypted, inside lineReceived, and what is written meanwhile waits for it', async () => {
    const asking = new Asking()
    const [net, upgrading] = await upgrade(asking)
    expect([asking.outcome, upgrading.outcome]).toEqual(['secure', 'secure'])
    expect(upgrading.lines).toEqual(['hello', 'STARTTLS', 'a secret'])
    expect(asking.lines).toEqual(['clear: hello', 'go ahead', 'welcome to the encrypted part', 'secure: a secret'])
    expect(asking.transport.tls).toMatchObject({ version: 'TLSv1.3', verified: true })
    asking.transport.loseConnection()
    await until(() => net.reactor.stats().open === 0)
    expect([asking.reason, upgrading.reason]).toEqual([expect.any(ConnectionDone), expect.any(ConnectionDone)])
    expect(net.reactor.stats().timers).toBe(0)
  })

  it('fails where the certificate is not the one, and ends the connection with that', async () => {
    const asking = new Asking()
    asking.options = { ca, serverName: 'elsewhere.example' }
    const [net, upgrading] = await upgrade(asking)
    expect(asking.outcome).toMatchObject({ name: 'TLSError', phase: 'verification' })
    expect(asking.reason).toBeInstanceOf(ConnectionLost)
    expect(asking.reason?.cause).toBe(asking.outcome)
    expect(upgrading.lines).toEqual(['hello', 'STARTTLS'])
    expect(asking.lines).toEqual(['clear: hello', 'go ahead'])
    expect(upgrading.reason).toBeInstanceOf(ConnectionLost)
    await until(() => net.reactor.stats().open === 0)
    expect(net.reactor.stats().timers).toBe(0)
  })

  it.each([
    ['in one chunk with it', false],
    ['soon after it', true],
  ])('takes no command for a secret that came in the clear %s', async (_how, later) => {
    reports()
    const net = new Loopback()
    const upgrading = new Upgrading()
    const port = await net.serve(() => upgrading)
    const socket = await socketTo(port)
    const heard: Buffer[] = []
    socket.on('data', (chunk: Buffer) => heard.push(chunk)).resume()
    socket.write(later ? 'STARTTLS\r\n' : 'STARTTLS\r\nRSET\r\n')
    if (later) {
      await until(() => heard.length > 0)
      socket.write('RSET\r\n')
    }
    await until(() => upgrading.reason !== undefined)
    expect(upgrading.lines).toEqual(['STARTTLS'])
    expect(upgrading.outcome).toBeInstanceOf(later ? TLSError : RemoteProtocolError)
    expect(String(upgrading.outcome)).toMatch(later ? /not TLS/ : /6 bytes came in the clear where TLS was to begin/)
    expect((upgrading.reason as Error).cause).toBe(upgrading.outcome)
    expect(Buffer.concat(heard).toString()).not.toContain('welcome')
  })

  it.each([false, true])('works through a layer, and sees what has come in the clear behind it: %s', async (behind) => {
    const net = new Loopback()
    const upgrading = new Upgrading()
    const factory = withPolicies(
      Factory.forProtocol(() => upgrading),
      (connection) => new Layer(connection),
    )
    const port = await net.listen((connection) => void attach(factory, connection))
    const socket = await socketTo(port)
    socket.write(behind ? 'STARTTLS\r\nRSET\r\n' : 'STARTTLS\r\n')
    await once(socket, 'readable')
    expect(String(socket.read())).toBe('go ahead\r\n')
    if (behind) {
      await until(() => upgrading.outcome !== undefined)
      expect(String(upgrading.outcome)).toMatch(/6 bytes came in the clear/)
      return
    }
    expect(upgrading.transport.paused).toBe(true)
    const secure = connectTLS({ socket, ca, servername: 'poems.example' })
    const [word] = (await once(secure, 'data')) as [Buffer]
    expect(word.toString()).toBe('welcome to the encrypted part\r\n')
    expect(upgrading.transport.tls).toMatchObject({ version: 'TLSv1.3', serverName: 'poems.example' })
    expect(upgrading.transport.paused).toBe(false)
    secure.write('hello\r\n')
    const [answer] = (await once(secure, 'data')) as [Buffer]
    expect(answer.toString()).toBe('secure: hello\r\n')
    secure.destroy()
  })

  it('waits until what was written before has left in the clear', async () => {
    const net = new Loopback()
    const secured = new Deferred<void>()
    const port = await net.serve(
      () =>
        new Witness({
          data: (self) => {
            self.transport.write('x'.repeat(500_000))
            self.transport.startTLS({ role: 'server', ...server }).addBoth(() => secured.callback())
            self.transport.write('secret')
          },
        }),
    )
    const socket = await socketTo(port)
    socket.write('go')
    let size = 0
    while (size < 500_000) {
      const chunk = socket.read() as Buffer | null
      if (chunk === null) await new Promise((resolve) => socket.once('readable', resolve))
      else size += chunk.length
    }
    expect(size).toBe(500_000)
    const secure = connectTLS({ socket, ca, servername: 'poems.example' })
    const [word] = (await once(secure, 'data')) as [Buffer]
    expect(word.toString()).toBe('secret')
    await secured
    secure.destroy()
  })

  it('refuses what cannot be: wrong options, twice, too late', async () => {
    const asking = new Asking()
    const [net] = await upgrade(asking)
    const why = (error: unknown): unknown => error
    const { transport } = asking
    const twice = await transport.startTLS({ role: 'client', ...client }).addErrback(({ value }) => why(value))
    expect(String(twice)).toMatch(/TLS has begun already/)
    const wrong = await transport.startTLS({ role: 'server' }).addErrback(({ value }) => why(value))
    expect(wrong).toBeInstanceOf(TypeError)
    expect(transport.disconnecting).toBe(false)
    const port = await net.serve(() => new Witness())
    const other = await net.reactor.dial(port.host)
    other.deliverTo(new Witness())
    other.loseConnection()
    const late = await other.startTLS({ role: 'client', ...client }).addErrback(({ value }) => why(value))
    expect(late).toMatchObject({ code: 'ERR_TLS_CLOSING' })
    asking.transport.abortConnection()
  })

  it('holds no more than a queue may while the handshake goes on', async () => {
    const net = new Loopback()
    const [connection] = await net.withSocket()
    const witness = new Witness()
    connection.deliverTo(witness)
    const started = connection.startTLS({ role: 'client', ...client }).addErrback(({ value }) => value)
    connection.write(new Uint8Array(600_000))
    expect([connection.queued, connection.disconnected]).toEqual([600_000, false])
    connection.write(new Uint8Array(600_000))
    expect([connection.queued, connection.disconnected]).toEqual([0, true])
    expect(await started).toMatchObject({ name: 'TLSError' })
    expect(witness.reason?.cause).toMatchObject({ name: 'SendQueueOverflow', offered: 1_200_000 })
  })

  it.each(['cancel', 'abort', 'peer'] as const)('ends with the connection: %s', async (how) => {
    const net = new Loopback()
    const [connection, socket] = await net.withSocket()
    const witness = new Witness()
    connection.deliverTo(witness)
    const started = connection.startTLS({ role: 'client', ...client })
    await net.settle()
    if (how === 'cancel') started.cancel()
    else if (how === 'abort') connection.abortConnection()
    else socket.resetAndDestroy()
    const error: unknown = await started.addErrback(({ value }) => value)
    expect((error as Error).name).toBe(how === 'cancel' ? 'CancelledError' : 'TLSError')
    await until(() => net.reactor.stats().open === 0)
    expect(witness.losses).toBe(1)
    expect(witness.reason?.name).toBe(how === 'peer' ? 'ConnectionLost' : 'ConnectionAborted')
    expect(net.reactor.stats().timers).toBe(0)
  })

  it('finishes first when the connection is to be closed meanwhile', async () => {
    const net = new Loopback()
    const [connection, socket] = await net.withSocket()
    const witness = new Witness()
    connection.deliverTo(witness)
    connection.startTLS({ role: 'client', ...client })
    connection.write('last words')
    connection.loseConnection()
    const peer = createTLSServer({ ...identity('server') })
    const secure = once(peer, 'secureConnection') as Promise<[TLSSocket]>
    peer.emit('connection', socket)
    const [theirs] = await secure
    const words = (await theirs.toArray()) as Buffer[]
    expect(Buffer.concat(words).toString()).toBe('last words')
    theirs.end()
    await until(() => witness.losses === 1)
    expect(witness.reason).toBeInstanceOf(ConnectionDone)
  })
})
