/** TLS between simulated hosts: when it is there, who is refused and with what, and how it ends. */
import {
  CannotListenError,
  type Connection,
  ConnectionDone,
  ConnectionLost,
  IPv4Address,
  type TLSClientOptions,
  TLSError,
  type TLSServerOptions,
  UNIXAddress,
} from 'couplet'
import { certify, type HostOptions, Sim, type SimOptions } from 'couplet/sim'
import { Witness, type WitnessScript } from 'couplet/testing'
import { describe, expect, it } from 'vitest'
import { reportsOfEachTest } from '../reports.ts'
import { outcome } from './stage.ts'

const reports = reportsOfEachTest()
const year = 31_536_000_000
const epoch = 1_577_836_800_000

const authority = certify({ names: ['authority'] })
const ca = authority.cert
const server: TLSServerOptions = certify({ names: ['poems.example', '10.0.0.1'], by: authority })
const client: TLSClientOptions = { ca, serverName: 'poems.example' }
const reader = certify({ names: ['reader.example'], by: authority, purpose: 'client' })
const versions = ['TLSv1.2', 'TLSv1.3'] as const

interface Attempted {
  client?: TLSClientOptions
  server?: TLSServerOptions
  world?: SimOptions
  host?: HostOptions
}

const place = new IPv4Address('TCP', '10.0.0.1', 443)

function world({ server: tls = server, client: with_ = client, world: options, host }: Attempted = {}) {
  const sim = new Sim({ latency: 10, epoch, ...options })
  const far = sim.host('server')
  const near = sim.host('client', host)
  const accepted: Connection[] = []
  const listening = outcome(far.reactor.listen(place, (connection) => accepted.push(connection), { tls }))
  sim.advance()
  expect(listening.error).toBeUndefined()
  const dial = (): { value?: Connection; error?: unknown } => outcome(near.reactor.dial(place, { tls: with_ }))
  return { sim, far, near, accepted, dial }
}

function attempt(attempted: Attempted = {}, ms = 1000) {
  const tried = world(attempted)
  const dialed = tried.dial()
  tried.sim.advance(ms)
  return { ...tried, ...dialed }
}

/** Both ends with a witness. */
function connected(scripts: { near?: WitnessScript; far?: WitnessScript } = {}, attempted: Attempted = {}) {
  const { value, accepted, ...rest } = attempt(attempted)
  const [near, far] = [new Witness(scripts.near), new Witness(scripts.far)]
  accepted[0]!.deliverTo(far)
  value!.deliverTo(near)
  return { ...rest, near, far, connection: value! }
}

describe('a TLS connection', () => {
  it.each([
    ['TLSv1.2', 60],
    ['TLSv1.3', 40],
  ] as const)('is there once both sides have agreed: %s, after %d ms', (version, ms) => {
    const alpn = ['poem/2', 'poem/1']
    const attempted = { client: { ...client, maxVersion: version, alpn }, server: { ...server, alpn: ['poem/1'] } }
    expect(attempt(attempted, ms - 1).value).toBeUndefined()
    const { value, accepted } = attempt(attempted, ms + 10)
    expect(value?.tls).toMatchObject({ version, alpn: 'poem/1', serverName: 'poems.example', verified: true })
    expect(value?.tls?.cipher).toMatch(/^TLS_/)
    expect(value?.tls?.peerCertificate).toMatchObject({
      subject: 'CN=poems.example',
      issuer: 'CN=authority',
      names: 'DNS:poems.example, IP Address:10.0.0.1',
    })
    expect(accepted[0]?.tls).toMatchObject({ version, alpn: 'poem/1', serverName: 'poems.example', verified: false })
    expect(accepted[0]?.tls?.peerCertificate).toBeUndefined()
  })

  it('is verified by its address where no name is given, and by a star for all names of a domain', () => {
    expect(attempt({ client: { ca } }).value?.tls).toMatchObject({ verified: true, serverName: '10.0.0.1' })
    const star = certify({ names: ['*.poems.example'], by: authority })
    const asks = (serverName: string): unknown => attempt({ server: star, client: { ca, serverName } }).error
    expect(asks('slow.poems.example')).toBeUndefined()
    for (const other of ['poems.example', 'a.b.poems.example', 'poems.example.org']) {
      expect(asks(other)).toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
    }
  })

  it('shows the client to a server that asks, and only then', () => {
    const { accepted } = attempt({ client: { ...client, ...reader }, server: { ...server, ca, requestCert: true } })
    expect(accepted[0]?.tls).toMatchObject({ verified: true, peerCertificate: { subject: 'CN=reader.example' } })
    expect(attempt({ client: { ...client, ...reader } }).accepted[0]?.tls?.peerCertificate).toBeUndefined()
  })

  it('goes by certificates in between, if they are shown', () => {
    const between = certify({ names: ['between'], by: authority })
    const leaf = certify({ names: ['poems.example'], by: between })
    expect(attempt({ server: leaf }).value?.tls?.verified).toBe(true)
    const alone = { ...leaf, cert: leaf.cert.slice(0, leaf.cert.indexOf('-----BEGIN', 10)) }
    expect(attempt({ server: alone }).error).toMatchObject({ code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' })
  })

  it('carries what is written, in both directions, however slowly', () => {
    const slow = {
      bandwidth: 50_000,
      segmentSize: 100,
      delivery: 'random',
      sendBuffer: 300,
      receiveBuffer: 700,
    } as const
    const { sim, near, far } = connected({}, { world: slow })
    near.transport.write('x'.repeat(100_000))
    far.transport.write('y'.repeat(30_000))
    sim.advance(20_000)
    expect([far.size, near.size]).toEqual([100_000, 30_000])
  })
})

describe('a client refuses', () => {
  const strangers = certify({ names: ['strangers'] })
  it.each<[what: string, of: Attempted, code: string, message: RegExp]>([
    [
      'a certificate that has expired',
      { server: certify({ names: ['poems.example'], by: authority, validTo: epoch - 1 }) },
      'CERT_HAS_EXPIRED',
      /has expired/,
    ],
    [
      'one that is not valid yet',
      { server: certify({ names: ['poems.example'], by: authority, validFrom: epoch + year }) },
      'CERT_NOT_YET_VALID',
      /not valid yet/,
    ],
    [
      'one that its own clock takes for expired',
      {
        server: certify({ names: ['poems.example'], by: authority, validTo: epoch + year }),
        host: { clock: { offset: 2 * year } },
      },
      'CERT_HAS_EXPIRED',
      /has expired/,
    ],
    [
      'one that signed itself',
      { server: certify({ names: ['poems.example'] }) },
      'DEPTH_ZERO_SELF_SIGNED_CERT',
      /itself/,
    ],
    [
      "another host's",
      { server: certify({ names: ['elsewhere.example'], by: authority }) },
      'ERR_TLS_CERT_ALTNAME_INVALID',
      /another one's: .*poems\.example/,
    ],
    [
      'an address that it does not name',
      { server: certify({ names: ['poems.example'], by: authority }), client: { ca } },
      'ERR_TLS_CERT_ALTNAME_INVALID',
      /IP: 10\.0\.0\.1/,
    ],
    [
      'an authority that it does not know',
      { client: { ...client, ca: strangers.cert } },
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      /authority is not known/,
    ],
    [
      "a client's certificate",
      { server: reader, client: { ca, serverName: 'reader.example' } },
      'INVALID_PURPOSE',
      /not made/,
    ],
  ])('%s', (_what, of, code, message) => {
    const { error, accepted, sim } = attempt(of)
    expect(error).toBeInstanceOf(TLSError)
    expect(error).toMatchObject({ phase: 'verification', code, cause: { code } })
    expect((error as TLSError).message).toMatch(/^10\.0\.0\.1:443: not secure: /)
    expect((error as TLSError).message).toMatch(message)
    // In TLS 1.3 the server is done before its client is: for it there was a connection, that broke.
    const ends = accepted.map((connection) => outcome(connection.whenLost()))
    for (const connection of accepted) {
      try {
        connection.deliverTo(new Witness())
      } catch {
        // It has heard already.
      }
    }
    sim.advance(1000)
    for (const { value } of ends) expect(value).toBeInstanceOf(ConnectionLost)
    expect([sim.connections, reports.length]).toEqual([0, 0])
  })

  it('none of it, when it says why not, which is reported', () => {
    const insecure = { reason: 'the test wants it' }
    const { value } = attempt({ client: { insecure } })
    expect(value?.tls).toMatchObject({ verified: false, peerCertificate: { subject: 'CN=poems.example' } })
    expect(String(reports[0]?.error)).toMatch(/not verified, on purpose: the test wants it/)
  })

  it.each<[what: string, script: WitnessScript, code: string, message: RegExp]>([
    [
      'that says something else',
      { made: ({ transport }) => transport.write('220 poems.example\r\n') },
      'ERR_SSL_WRONG_VERSION_NUMBER',
      /not TLS/,
    ],
    ['that closes at once', { made: ({ transport }) => transport.loseConnection() }, 'ECONNRESET', /closed the conn/],
    ['that resets on the first word', { data: ({ transport }) => transport.abortConnection() }, 'ECONNRESET', /closed/],
    ['that says nothing', {}, 'ERR_TLS_HANDSHAKE_TIMEOUT', /no TLS handshake within 10000 ms/],
  ])('a server %s', (_what, script, code, message) => {
    const sim = new Sim({ latency: 10 })
    void sim.host('server').reactor.listen(place, (connection) => connection.deliverTo(new Witness(script)))
    sim.advance()
    const { reactor } = sim.host('client')
    const dialed = outcome(reactor.dial(place, { tls: client }))
    sim.advance(20_000)
    expect(dialed.error).toMatchObject({ name: 'TLSError', phase: 'handshake', code })
    expect(String(dialed.error)).toMatch(message)
    expect([sim.connections, reactor.pendingCalls()]).toEqual([0, []])
  })

  it('to go on when it is cancelled', () => {
    const sim = new Sim({ latency: 10 })
    void sim.host('server').reactor.listen(place, (connection) => connection.deliverTo(new Witness()))
    const { reactor } = sim.host('client')
    sim.advance()
    const dialing = reactor.dial(place, { tls: client })
    const dialed = outcome(dialing)
    sim.advance(30)
    dialing.cancel()
    sim.advance(100)
    expect(dialed.error).toMatchObject({ name: 'ConnectingCancelledError' })
    expect([sim.connections, reactor.pendingCalls()]).toEqual([0, []])
  })

  it('a path without a name to verify', () => {
    const sim = new Sim()
    const { reactor } = sim.host('here')
    void reactor.listen(new UNIXAddress('/run/poems'), () => {}, { tls: server })
    sim.advance()
    const dialed = outcome(reactor.dial(new UNIXAddress('/run/poems'), { tls: { ca } }))
    sim.advance(10)
    expect(String(dialed.error)).toMatch(/give serverName/)
  })
})

describe('a server refuses', () => {
  it('a client that speaks no TLS and waits for a word: it sees that the connection broke, and not an end', () => {
    const { sim, near } = world()
    const dialed = outcome(near.reactor.dial(place))
    sim.advance(100)
    const silent = new Witness()
    dialed.value!.deliverTo(silent)
    sim.advance(10_000)
    expect(silent.reason).toBeInstanceOf(ConnectionLost)
    expect(String(reports[0]?.error)).toMatch(/no TLS handshake within 10000 ms/)
    expect(sim.connections).toBe(0)
  })

  const mutual = { ...server, ca, requestCert: true }
  describe.each(versions)('in %s', (maxVersion) => {
    it.each<[what: string, options: object, code: string, message: RegExp]>([
      ['a client without a certificate', {}, 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE', /showed no certificate/],
      ['a client whom nobody knows', certify({ names: ['intruder'] }), 'DEPTH_ZERO_SELF_SIGNED_CERT', /itself/],
      [
        "a server's certificate",
        certify({ names: ['reader.example'], by: authority, purpose: 'server' }),
        'INVALID_PURPOSE',
        /not made for/,
      ],
    ])('%s', (_what, options, code, message) => {
      const tried = attempt({ client: { ...client, ...options, maxVersion }, server: mutual })
      expect(tried.accepted).toEqual([])
      expect(reports.map(({ error }) => error)).toMatchObject([{ name: 'TLSError', code }])
      expect(String(reports[0]?.error)).toMatch(message)
      // In TLS 1.3 the client hears of it when it believes that it is connected; of a missing one, in TLS 1.2, before.
      if (tried.value === undefined) {
        expect(tried.error).toBeInstanceOf(TLSError)
        return
      }
      const witness = new Witness()
      tried.value.deliverTo(witness)
      tried.sim.advance(1000)
      expect(witness.reason).toBeInstanceOf(ConnectionLost)
      expect(witness.reason?.cause).toBeInstanceOf(TLSError)
      expect(tried.sim.connections).toBe(0)
    })
  })

  it.each<[what: string, say: (witness: Witness) => void, message: RegExp | undefined]>([
    ['an HTTP request', ({ transport }) => transport.write('GET / HTTP/1.1\r\n\r\n'), /a plain HTTP request/],
    ['another protocol', ({ transport }) => transport.write('HELO poems.example\r\n'), /not TLS/],
    ['a record that is none', ({ transport }) => transport.write(Uint8Array.of(22, 3, 1, 255, 255)), /not TLS/],
    ['a hello that is none', ({ transport }) => transport.write(Uint8Array.of(22, 3, 1, 0, 1, 33)), /not TLS/],
    ['a reset before the first word', ({ transport }) => transport.abortConnection(), undefined],
    ['an end before the first word', ({ transport }) => transport.loseConnection(), undefined],
    ['silence', () => {}, /no TLS handshake within 10000 ms/],
  ])('%s, and lives', (_what, say, message) => {
    const { sim, near, accepted, dial } = world()
    const dialed = outcome(near.reactor.dial(place))
    sim.advance(50)
    const witness = new Witness()
    dialed.value!.deliverTo(witness)
    say(witness)
    sim.advance(20_000)
    expect(witness.reason).toBeDefined()
    expect(reports.map(({ error }) => String(error))).toEqual(message ? [expect.stringMatching(message)] : [])
    const connection = dial()
    sim.advance(100)
    expect([connection.value?.tls?.verified, accepted.length]).toEqual([true, 1])
  })

  it('a client of an older TLS, and one that speaks none of its protocols', () => {
    const old = attempt({ client: { ...client, maxVersion: 'TLSv1.2' }, server: { ...server, minVersion: 'TLSv1.3' } })
    expect(old.error).toMatchObject({ code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION', phase: 'handshake' })
    const prose = attempt({ client: { ...client, alpn: ['prose'] }, server: { ...server, alpn: ['poem'] } })
    expect(String(prose.error)).toMatch(/speaks none of the protocols that we offer \(see alpn\)/)
    expect(reports.map(({ error }) => error)).toMatchObject([
      { code: 'ERR_SSL_UNSUPPORTED_PROTOCOL' },
      { code: 'ERR_SSL_NO_APPLICATION_PROTOCOL' },
    ])
  })

  it('everybody who still shakes hands when it stops', () => {
    const sim = new Sim({ latency: 10 })
    const opening = outcome(sim.host('server').reactor.listen(place, () => {}, { tls: server }))
    sim.advance()
    const dialed = outcome(sim.host('client').reactor.dial(place))
    sim.advance(50)
    const witness = new Witness()
    dialed.value!.deliverTo(witness)
    const stopped = outcome(opening.value!.stopListening({ drain: 1000 }))
    sim.advance(1000)
    expect(witness.reason).toBeInstanceOf(ConnectionLost)
    expect(stopped.error).toBeUndefined()
    expect([sim.connections, sim.netstat().split('\n').length]).toEqual([0, 1])
  })

  it.each<[what: string, options: object, message: RegExp]>([
    ['the key of another certificate', { ...server, key: reader.key }, /key does not belong to the cert/],
    ['a key that is none', { ...server, key: 'not a key' }, /is not PEM/],
    ['a certificate that is none', { ...server, cert: 'a poem' }, /is not PEM/],
    ['an option that is misspelled', { ...server, requestCrt: true }, /no option "requestCrt"/],
  ])('to start with %s', (_what, tls, message) => {
    const sim = new Sim()
    const listened = outcome(sim.host('server').reactor.listen(place, () => {}, { tls }))
    sim.advance()
    expect(String(listened.error)).toMatch(message)
    if (!(listened.error instanceof TypeError)) expect(listened.error).toBeInstanceOf(CannotListenError)
  })
})

describe('an end', () => {
  it('with a goodbye is clean', () => {
    const { sim, near, far } = connected()
    far.transport.write('all there is')
    far.transport.loseConnection()
    sim.advance(1000)
    expect([near.text, near.reason, far.reason]).toEqual([
      'all there is',
      expect.any(ConnectionDone),
      expect.any(ConnectionDone),
    ])
    expect(sim.pending).toBe(0)
  })

  it('without a goodbye is a loss, because anybody in between can make it', () => {
    const { sim, near, far } = connected()
    far.transport.write('half of')
    sim.advance(100)
    sim.hosts[0]!.crash('process')
    sim.advance(1000)
    expect(near.text).toBe('half of')
    expect(near.reason).toBeInstanceOf(ConnectionLost)
    expect(near.reason?.cause).toMatchObject({ name: 'TLSError', phase: 'end', code: 'ERR_TLS_CUT' })
  })

  it('that comes while we are paused is told apart all the same', () => {
    const { sim, near, far } = connected({ near: { made: (self) => self.transport.pauseProducing() } })
    far.transport.write('x'.repeat(500_000))
    far.transport.loseConnection()
    sim.advance(1000)
    expect(near.size).toBe(0)
    near.transport.resumeProducing()
    sim.advance(1000)
    expect([near.size, near.reason?.name]).toEqual([500_000, 'ConnectionDone'])
  })

  it('of one half leaves the other, for a protocol that can bear it', () => {
    const { sim, near, far } = connected({ near: { readLost: () => {} } })
    far.transport.loseWriteConnection()
    sim.advance(100)
    near.transport.write('still here')
    near.transport.loseConnection()
    sim.advance(100)
    expect([far.text, near.reason?.name, far.reason?.name]).toEqual(['still here', 'ConnectionDone', 'ConnectionDone'])
  })
})

describe('startTLS', () => {
  function upgrading(tls: TLSClientOptions = client) {
    const sim = new Sim({ latency: 10 })
    const outcomes: unknown[] = []
    const note = (what: unknown): void => void outcomes.push(what)
    const far = new Witness({
      data: (self) => {
        if (self.text !== 'STARTTLS') return
        self.transport.write('go')
        self.transport.startTLS({ role: 'server', ...server }).addCallbacks(
          () => note('server'),
          ({ value }) => note(value),
        )
        self.transport.write('welcome')
      },
    })
    const near = new Witness({
      made: (self) => self.transport.write('STARTTLS'),
      data: (self) => {
        if (self.text !== 'go') return
        self.transport.startTLS({ role: 'client', ...tls }).addCallbacks(
          () => note('client'),
          ({ value }) => note(value),
        )
        self.transport.write('a secret')
      },
    })
    void sim.host('server').reactor.listen(place, (connection) => connection.deliverTo(far))
    sim.advance()
    const seen: string[] = []
    sim.rule(({ kind, bytes }) => {
      if (kind === 'data' && bytes !== undefined) seen.push(`${bytes[0]}`)
      return 'pass'
    })
    void sim
      .host('client')
      .reactor.dial(place)
      .addCallback((connection) => connection.deliverTo(near))
    sim.advance(1000)
    return { sim, near, far, outcomes, seen }
  }

  it('goes on encrypted, and what is written meanwhile waits for it', () => {
    const { sim, near, far, outcomes, seen } = upgrading()
    expect(outcomes).toEqual(['client', 'server'])
    expect([near.text, far.text]).toEqual(['gowelcome', 'STARTTLSa secret'])
    expect(near.transport.tls).toMatchObject({ version: 'TLSv1.3', verified: true })
    const [S, g, handshake, data] = ['S'.charCodeAt(0), 'g'.charCodeAt(0), 22, 23].map(String)
    expect(seen).toEqual([S, g, handshake, handshake, handshake, data, data])
    near.transport.loseConnection()
    sim.advance(1000)
    expect([near.reason, far.reason]).toEqual([expect.any(ConnectionDone), expect.any(ConnectionDone)])
    expect([sim.connections, sim.pending]).toEqual([0, 0])
  })

  it('fails where the certificate is not the one, and ends the connection with that', () => {
    const { sim, near, far, outcomes } = upgrading({ ca, serverName: 'elsewhere.example' })
    sim.advance(10_000)
    expect(outcomes).toContainEqual(expect.objectContaining({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' }))
    expect(near.reason?.cause).toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
    expect(far.reason).toBeInstanceOf(ConnectionLost)
    expect(far.text).toBe('STARTTLS')
  })
})
