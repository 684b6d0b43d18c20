import {
  attach,
  CancelledError,
  ConnectBindError,
  type Connection,
  ConnectionRefusedError,
  ConnectingCancelledError,
  ConnectError,
  Deferred,
  DescriptorAddress,
  DNSLookupError,
  Factory,
  IPv4Address,
  IPv6Address,
  TCPTimedOutError,
  UnsupportedAddress,
} from 'couplet'
import { Witness } from 'couplet/testing'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { connectError } from '../../src/framework/node/system-errors.ts'
import { anywhere, Loopback, nobody, turns, until } from './loopback.ts'

describe('dial', () => {
  it('fires in a later turn, with a connection that knows both of its ends', async () => {
    const net = new Loopback()
    const port = await net.serve(() => new Witness())
    const dialed = net.reactor.dial(port.host)
    expect(dialed.called).toBe(false)
    const connection = await dialed
    expect(connection.peer.equals(port.host)).toBe(true)
    expect(String(connection.host)).toMatch(/^127\.0\.0\.1:\d+$/)
    connection.abortConnection()
  })

  it('speaks IPv6', async () => {
    const net = new Loopback()
    const welcomes = new Witness({ made: (self) => self.transport.write('six') })
    const port = await net.reactor.listen(new IPv6Address('TCP', '::1', 0), (c) => c.deliverTo(welcomes))
    const connection = await net.reactor.dial(port.host)
    const witness = new Witness()
    connection.deliverTo(witness)
    await until(() => witness.size === 3)
    expect([witness.text, String(connection.peer)]).toEqual(['six', String(port.host)])
    expect(String(port.host)).toMatch(/^\[::1\]:\d+$/)
    await port.stopListening({ drain: 0 })
  })

  it('starts from the local address that it is given', async () => {
    const net = new Loopback()
    const accepted = new Deferred<Connection>()
    const port = await net.listen((connection) => accepted.callback(connection))
    const connection = await net.reactor.dial(port.host, { bindAddress: new IPv4Address('TCP', '127.0.0.5', 0) })
    expect(String((await accepted).peer)).toBe(String(connection.host))
    expect(String(connection.host)).toMatch(/^127\.0\.0\.5:\d+$/)
    connection.abortConnection()
  })

  it('says whom it could not reach, and asks whether the server is running', async () => {
    const address = nobody()
    const dialed = new Loopback().reactor.dial(address)
    const error: unknown = await dialed.toPromise().catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(ConnectionRefusedError)
    expect(error).toMatchObject({
      message: `${address}: connection refused (is the server running?)`,
      code: 'ERR_CONNECTION_REFUSED',
      address,
      cause: { code: 'ECONNREFUSED' },
    })
  })

  it('fails when the local address is not of this machine', async () => {
    const net = new Loopback()
    const port = await net.serve(() => new Witness())
    const dialed = net.reactor.dial(port.host, { bindAddress: new IPv4Address('TCP', '192.0.2.1', 0) })
    await expect(dialed).rejects.toBeInstanceOf(ConnectBindError)
  })

  it.each([new DescriptorAddress(3), new IPv4Address('UDP', '127.0.0.1', 1)])(
    'refuses an address it has no transport for, later: %s',
    async (address) => {
      const dialed = new Loopback().reactor.dial(address)
      expect(dialed.called).toBe(false)
      await expect(dialed).rejects.toBeInstanceOf(UnsupportedAddress)
    },
  )

  it('refuses port 0', async () => {
    await expect(new Loopback().reactor.dial(anywhere)).rejects.toThrow('127.0.0.1:0: nobody can listen at port 0')
  })

  it('frees everything when it is cancelled, and says who did it', async () => {
    const net = new Loopback()
    const port = await net.serve(() => new Witness())
    const dialed = net.reactor.dial(port.host)
    dialed.cancel('no longer needed')
    const error: unknown = await dialed.toPromise().catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(ConnectingCancelledError)
    expect((error as Error).cause).toBeInstanceOf(CancelledError)
    expect((error as Error).cause).toMatchObject({ cause: 'no longer needed' })
    await net.settle()
    await until(() => port.connections === 0)
    expect(net.reactor.stats()).toMatchObject({ open: 0, timers: 0 })
  })

  it('gives up when its time is over', async () => {
    const net = new Loopback()
    const port = await net.serve(() => new Witness())
    // Right after something has arrived, the next turn comes before Node looks at its sockets again.
    const first = await net.reactor.dial(port.host)
    first.abortConnection()
    const dialed = net.reactor.dial(port.host, { timeout: 0 })
    const error: unknown = await dialed.toPromise().catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(TCPTimedOutError)
    expect((error as Error).message).toBe(`${port.host}: no connection within 0 ms`)
    await until(() => net.reactor.stats().open === 0)
    expect(net.reactor.stats().timers).toBe(0)
  })

  it('leaves nothing behind when the other side hangs up at once, whatever the moment', async () => {
    const net = new Loopback()
    const port = await net.listen((connection) => connection.abortConnection())
    const outcomes = Array.from({ length: 50 }, () =>
      net.reactor
        .dial(port.host)
        .addCallback((connection) => {
          const witness = new Witness()
          return attach(
            Factory.forProtocol(() => witness),
            connection,
          ).addBoth(() => connection.whenLost())
        })
        .addErrback(({ value }) => value as Error),
    )
    for (const outcome of outcomes)
      expect((await outcome).message).toMatch(/the peer reset (it|the connection at once \(is it full\?\))$/)
    await until(() => net.reactor.stats().open === 0)
    expect(net.reactor.stats().timers).toBe(0)
  })
})

describe('what the operating system says', () => {
  const address = new IPv4Address('TCP', '192.0.2.1', 80)

  it.each<[code: string, syscall: string, name: string, message: RegExp]>([
    ['ECONNREFUSED', 'connect', 'ConnectionRefusedError', /is the server running/],
    ['ENETUNREACH', 'connect', 'NoRouteError', /is the network up/],
    ['EHOSTUNREACH', 'connect', 'NoRouteError', /is the network up/],
    ['ETIMEDOUT', 'connect', 'TCPTimedOutError', /timed out/],
    ['EADDRNOTAVAIL', 'connect', 'ConnectBindError', /no local address/],
    ['EADDRINUSE', 'bind', 'ConnectBindError', /local address is in use/],
    ['EMFILE', 'connect', 'ConnectError', /too many open files/],
    ['EPERM', 'connect', 'ConnectError', /not permitted/],
    ['EWHATEVER', 'connect', 'ConnectError', /could not connect: connect EWHATEVER/],
  ])('%s at %s becomes a %s', (code, syscall, name, message) => {
    const cause = Object.assign(new Error(`${syscall} ${code}`), { code, syscall })
    const error = connectError(address, cause)
    expect(error).toBeInstanceOf(ConnectError)
    expect([error.name, error.cause, error.address]).toEqual([name, cause, address])
    expect(error.message).toMatch(message)
    expect(error.message.startsWith('192.0.2.1:80: ')).toBe(true)
  })
})

describe('resolve', () => {
  afterEach(() => {
    vi.doUnmock('node:dns')
    vi.resetModules()
  })

  it('knows at once what an address as text means', () => {
    const { reactor } = new Loopback()
    const found: string[] = []
    for (const host of ['127.0.0.1', '::1', 'fe80::1%lo'])
      reactor.resolve(host).addCallback((addresses) => found.push(addresses.join()))
    expect(found).toEqual(['127.0.0.1:0', '[::1]:0', '[fe80::1%lo]:0'])
  })

  it('asks the hosts file', async () => {
    const addresses = await new Loopback().reactor.resolve('localhost')
    expect(addresses.map(({ host }) => host)).toEqual(expect.arrayContaining([expect.stringMatching(/^(127|::1)/)]))
  })

  it.each([
    ['ENOTFOUND', /^nowhere\.example: unknown host/],
    ['EAI_AGAIN', /no name server answered/],
    ['EAI_FAIL', /could not be looked up: EAI_FAIL/],
  ])('says what %s means', async (code, message) => {
    const found = lookupGives(Object.assign(new Error(code), { code }), [])
    const error: unknown = await found.catch((reason: unknown) => reason)
    expect(error).toMatchObject({ name: 'DNSLookupError', cause: { code } })
    expect((error as Error).message).toMatch(message)
  })

  it('keeps the order of the resolver, and fails when there is nothing', async () => {
    const six = { address: '2001:db8::1', family: 6 }
    const four = { address: '192.0.2.1', family: 4 }
    expect((await lookupGives(null, [six, four])).join()).toBe('[2001:db8::1]:0,192.0.2.1:0')
    await expect(lookupGives(null, [])).rejects.toThrow('nowhere.example: the name has no address')
  })

  it('that is cancelled ends unheard', async () => {
    const found = new Loopback().reactor.resolve('localhost')
    found.cancel()
    await expect(found).rejects.toBeInstanceOf(CancelledError)
    await turns(20)
  })

  it.each(['', 'two words', 'x'.repeat(300)])('fails for what cannot be a name: %j', async (host) => {
    const error: unknown = await new Loopback().reactor
      .resolve(host)
      .toPromise()
      .catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(DNSLookupError)
  })

  /** Resolves a name while Node's lookup gives what we say. */
  async function lookupGives(
    error: Error | null,
    addresses: readonly { address: string; family: number }[],
  ): Promise<readonly unknown[]> {
    vi.doMock('node:dns', () => ({
      lookup: (_host: string, _options: object, done: (e: Error | null, a: unknown) => void) =>
        setImmediate(() => done(error, addresses)),
    }))
    vi.resetModules()
    const { resolveHost } = await import('../../src/framework/node/resolve-host.ts')
    return await resolveHost('nowhere.example')
  }
})
