/** The simulated network: names, ports, attempts to connect, and what is on the wire. */
import {
  type Address,
  CannotListenError,
  ClientFactory,
  ConnectBindError,
  ConnectingCancelledError,
  type Connection,
  ConnectionRefusedError,
  type Deferred,
  DNSLookupError,
  Factory,
  type IPAddress,
  IPv4Address,
  IPv6Address,
  type ListeningPort,
  NoRouteError,
  Protocol,
  Recorder,
  setTracer,
  StandardIOAddress,
  TCPTimedOutError,
  UnsupportedAddress,
} from 'couplet'
import { Sim, type SimHost, type SimOptions } from 'couplet/sim'
import { pattern, Witness } from 'couplet/testing'
import { describe, expect, it, onTestFinished } from 'vitest'

/** The outcome of a Deferred by now. */
function outcome<T>(deferred: Deferred<T>): { value?: T; error?: unknown } {
  const result: { value?: T; error?: unknown } = {}
  deferred.addCallbacks(
    (value) => void (result.value = value),
    (failure) => void (result.error = failure.value),
  )
  return result
}

const tcp = (host: string, port: number): IPv4Address => new IPv4Address('TCP', host, port)

function world(options: SimOptions = {}) {
  const sim = new Sim(options)
  return { sim, server: sim.host('server'), client: sim.host('client') }
}

/** Listens, and collects what comes in. */
function listen(host: SimHost, address: Address = tcp('0.0.0.0', 80), options = {}) {
  const accepted: Connection[] = []
  const opened = outcome(host.reactor.listen(address, (connection) => accepted.push(connection), options))
  return { accepted, opened }
}

describe('the trace', () => {
  it('tells how connections open, on both sides, and how attempts fail', () => {
    const { sim, server, client } = world()
    const recorder = new Recorder({ now: () => sim.now })
    onTestFinished(setTracer(recorder))
    const { accepted } = listen(server)
    sim.advance()
    const dialed = outcome(client.reactor.dial(tcp('10.0.0.1', 80)))
    const refused = outcome(client.reactor.dial(tcp('10.0.0.1', 81)))
    sim.advance()
    expect(refused.error).toBeInstanceOf(ConnectionRefusedError)
    for (const connection of [dialed.value, accepted[0]]) connection?.deliverTo(new Witness())
    const { events } = recorder
    const opened = events.filter(({ k }) => k === 'conn.open')
    const made = events.filter(({ k }) => k === 'conn.made')
    expect(opened.map(({ p }) => p).toSorted()).toEqual(['p1', 'p2'])
    expect(made.map(({ by }) => events.find(({ seq }) => seq === by)?.k)).toEqual(['conn.open', 'conn.open'])
    expect(events.filter(({ k }) => k === 'conn.fail')).toMatchObject([{ addr: '10.0.0.1:81', p: 'p2' }])
  })
})

describe('names', () => {
  it('of hosts are known in a later event; addresses are their own', () => {
    const { sim, client } = world()
    const names = ['server', 'SERVER', 'localhost', '192.0.2.7', '::1']
    const found = names.map((name) => outcome(client.reactor.resolve(name)))
    expect(found).toEqual([{}, {}, {}, {}, {}])
    sim.advance()
    const hosts = found.map(({ value }) => value?.map((address: IPAddress) => `${address.host}/${address.port}`))
    expect(hosts).toEqual([['10.0.0.1/0'], ['10.0.0.1/0'], ['127.0.0.1/0'], ['192.0.2.7/0'], ['::1/0']])
  })

  it('that nobody has are a DNSLookupError', () => {
    const { sim, client } = world()
    const { reactor } = client
    const found = outcome(reactor.resolve('nobody'))
    sim.advance()
    expect(found.error).toBeInstanceOf(DNSLookupError)
  })

  it('that nobody wants to know any more are not looked up', () => {
    const { sim, client } = world()
    const lookup = client.reactor.resolve('server')
    const found = outcome(lookup)
    lookup.cancel()
    expect(sim.pending).toBe(0)
    expect((found.error as Error).name).toBe('CancelledError')
  })
})

describe('listening', () => {
  it('opens in a later event, on the port asked for or a free one, the same every time', () => {
    const ports = [1, 2].map(() => {
      const { sim, server } = world()
      const three = [80, 0, 0].map((port) => listen(server, tcp('0.0.0.0', port)).opened)
      expect(three).toEqual([{}, {}, {}])
      sim.advance()
      return three.map(({ value }) => String(value?.host))
    })
    expect(ports[0]).toEqual(['0.0.0.0:80', '0.0.0.0:49152', '0.0.0.0:49153'])
    expect(ports[1]).toEqual(ports[0])
  })

  it.each<[first: Address, second: Address, clash: boolean]>([
    [tcp('0.0.0.0', 80), tcp('0.0.0.0', 80), true],
    [tcp('10.0.0.1', 80), tcp('0.0.0.0', 80), true],
    [tcp('0.0.0.0', 80), tcp('127.0.0.1', 80), true],
    [tcp('10.0.0.1', 80), tcp('127.0.0.1', 80), false],
    [tcp('0.0.0.0', 80), tcp('0.0.0.0', 81), false],
    [new IPv6Address('TCP', '::', 80), tcp('0.0.0.0', 80), true],
    [new IPv6Address('TCP', '::1', 80), tcp('0.0.0.0', 80), false],
  ])('at %s and then at %s: in use is %s', (first, second, clash) => {
    const { sim, server } = world()
    listen(server, first)
    const { opened } = listen(server, second)
    sim.advance()
    if (clash) expect(opened.error).toMatchObject({ name: 'CannotListenError', message: /in use/ })
    else expect(opened.value?.host).toBe(second)
  })

  it('at an address of another host is a CannotListenError', () => {
    const { sim, server } = world()
    const { opened } = listen(server, tcp('10.0.0.2', 80))
    sim.advance()
    expect(opened.error).toBeInstanceOf(CannotListenError)
    expect(String(opened.error)).toContain('not an address of server (10.0.0.1:0)')
  })

  it('frees the port in a later event, keeps its connections, and lets another take it', () => {
    const { sim, server, client } = world()
    const { opened, accepted } = listen(server)
    sim.advance()
    const dialed = outcome(client.reactor.dial(tcp('10.0.0.1', 80)))
    sim.advance()
    const stopped = outcome((opened.value as ListeningPort).stopListening())
    expect('value' in stopped).toBe(false)
    sim.advance()
    expect('value' in stopped).toBe(true)
    const again = listen(server)
    const late = outcome(client.reactor.dial(tcp('10.0.0.1', 80)))
    sim.advance()
    expect(again.opened.error).toBeUndefined()
    expect(again.accepted).toHaveLength(1)
    expect(late.error).toBeUndefined()
    const witness = new Witness()
    accepted[0]?.deliverTo(witness)
    dialed.value?.write('still here')
    dialed.value?.deliverTo(new Witness({ made: (self) => self.transport.write('still here') }))
    sim.advance()
    expect(witness.text).toContain('still here')
  })

  it('closes connections above maxConnections at once', () => {
    const { sim, server, client } = world()
    const { accepted } = listen(server, tcp('0.0.0.0', 80), { maxConnections: 2 })
    sim.advance()
    const ends = Array.from({ length: 3 }, () => outcome(client.reactor.dial(tcp('10.0.0.1', 80))))
    sim.advance()
    expect(accepted).toHaveLength(2)
    expect(ends.map(({ value }) => value?.disconnected)).toEqual([false, false, true])
    accepted[0]?.abortConnection()
    sim.advance()
    client.reactor.dial(tcp('10.0.0.1', 80))
    sim.advance()
    expect(accepted).toHaveLength(3)
  })

  it.each<Address>([new StandardIOAddress(), new IPv4Address('UDP', '0.0.0.0', 80)])(
    'at %s is not supported yet, and neither is dialing it',
    (address) => {
      const { server } = world()
      expect(listen(server, address).opened.error).toBeInstanceOf(UnsupportedAddress)
      expect(outcome(server.reactor.dial(address)).error).toBeInstanceOf(UnsupportedAddress)
    },
  )
})

describe('dialing', () => {
  it('takes one round trip, and the server hears of it half a round trip later', () => {
    const { sim, server, client } = world({ latency: 10 })
    const { accepted } = listen(server)
    sim.advance()
    const dialed = outcome(client.reactor.dial(tcp('10.0.0.1', 80)))
    sim.advance(19.999)
    expect(dialed.value).toBeUndefined()
    sim.advance(0.001)
    expect(dialed.value).toBeDefined()
    expect(accepted).toHaveLength(0)
    sim.advance(10)
    expect(accepted).toHaveLength(1)
    expect(String(dialed.value?.host)).toBe('10.0.0.2:49152')
    expect(String(accepted[0]?.peer)).toBe('10.0.0.2:49152')
  })

  it('is never answered inside the call, however near the server is', () => {
    const { sim, server, client } = world()
    listen(server)
    sim.advance()
    const dialed = outcome(client.reactor.dial(tcp('10.0.0.1', 80)))
    expect(dialed).toEqual({})
    sim.advance()
    expect(dialed.value).toBeDefined()
  })

  it('reaches the host itself by its loopback, and nobody else', () => {
    const { sim, server, client } = world({ latency: 10 })
    const { accepted } = listen(server, tcp('127.0.0.1', 80))
    sim.advance()
    const [own, other, outside] = [server, client, client].map((host, index) =>
      outcome(host.reactor.dial(tcp(index === 2 ? '10.0.0.1' : '127.0.0.1', 80))),
    )
    sim.advance()
    expect(String(own?.value?.host)).toMatch(/^127\.0\.0\.1:/)
    expect(accepted).toHaveLength(1)
    sim.advance(20)
    expect(other?.error).toBeInstanceOf(ConnectionRefusedError)
    expect(outside?.error).toBeInstanceOf(ConnectionRefusedError)
  })

  it('goes over IPv6 too', () => {
    const sim = new Sim()
    const server = sim.host('server', { addresses: ['2001:db8::1'] })
    const client = sim.host('client', { addresses: ['10.0.0.1', '2001:db8::2'] })
    const { accepted } = listen(server, new IPv6Address('TCP', '::', 80))
    sim.advance()
    client.reactor.dial(new IPv6Address('TCP', '2001:db8::1', 80))
    sim.advance()
    expect(String(accepted[0]?.peer)).toMatch(/^\[2001:db8::2\]:/)
  })

  it.each<[what: string, address: IPAddress, options: object, error: typeof Error, after: number]>([
    ['where nobody listens', tcp('10.0.0.1', 81), {}, ConnectionRefusedError as never, 20],
    ['where no host is', tcp('10.9.9.9', 80), {}, NoRouteError as never, 0],
    [
      'by a kind of address that the host has not',
      new IPv6Address('TCP', '2001:db8::1', 80),
      {},
      NoRouteError as never,
      0,
    ],
    [
      'from an address of somebody else',
      tcp('10.0.0.1', 80),
      { bindAddress: tcp('10.0.0.1', 0) },
      ConnectBindError as never,
      0,
    ],
    ['for longer than it may take', tcp('10.0.0.1', 80), { timeout: 15 }, TCPTimedOutError as never, 15],
  ])('%s fails, later', (_what, address, options, error, after) => {
    const { sim, server, client } = world({ latency: 10 })
    const { accepted } = listen(server)
    sim.advance()
    const dialed = outcome(client.reactor.dial(address, options))
    expect(dialed.error).toBeUndefined()
    sim.advance(Math.max(0, after - 0.001))
    if (after > 0) expect(dialed.error).toBeUndefined()
    sim.advance(0.001)
    expect(dialed.error).toBeInstanceOf(error)
    sim.advance(100)
    expect(accepted.filter((connection) => !connection.disconnected)).toEqual([])
    expect(sim.pending).toBe(0)
  })

  it('starts from the address and port that it is told, unless they are taken', () => {
    const { sim, server, client } = world()
    const { accepted } = listen(server)
    sim.advance()
    const bindAddress = tcp('10.0.0.2', 1234)
    const [first, second] = [1, 2].map(() => outcome(client.reactor.dial(tcp('10.0.0.1', 80), { bindAddress })))
    sim.advance()
    expect(String(accepted[0]?.peer)).toBe('10.0.0.2:1234')
    expect(second?.error).toBeInstanceOf(ConnectBindError)
    first?.value?.abortConnection()
    sim.advance()
    const third = outcome(client.reactor.dial(tcp('10.0.0.1', 80), { bindAddress }))
    sim.advance()
    expect(third.value).toBeDefined()
  })

  it.each([0, 5, 10, 15, 20])('can be cancelled after %s ms, and leaves nothing behind', (ms) => {
    const { sim, server, client } = world({ latency: 10 })
    const { accepted } = listen(server)
    sim.advance()
    const attempt = client.reactor.dial(tcp('10.0.0.1', 80))
    const dialed = outcome(attempt)
    sim.advance(ms)
    attempt.cancel()
    if (ms < 20) {
      expect(dialed.error).toBeInstanceOf(ConnectingCancelledError)
      expect((dialed.error as Error).cause).toMatchObject({ name: 'CancelledError' })
    } else {
      dialed.value?.abortConnection()
    }
    sim.advance(100)
    expect(sim.pending).toBe(0)
    expect(accepted.filter((connection) => !connection.disconnected)).toEqual([])
  })

  it('a port that closes meanwhile ends in a reset', () => {
    const { sim, server, client } = world({ latency: 10 })
    const { opened, accepted } = listen(server)
    sim.advance()
    const dialed = outcome(client.reactor.dial(tcp('10.0.0.1', 80)))
    sim.advance(25)
    opened.value?.stopListening()
    sim.advance(100)
    expect(accepted).toEqual([])
    expect(dialed.value?.disconnected).toBe(true)
  })

  it('gives ports out in turn, and takes them back when connections end', () => {
    const { sim, server, client } = world()
    listen(server)
    sim.advance()
    const dialed = outcome(client.reactor.dial(tcp('10.0.0.1', 80)))
    const ports = Array.from({ length: 16_384 }, () => client.ports.freePort())
    expect([ports[0], ports.at(-2), ports.at(-1)]).toEqual([49_153, 65_535, 49_153])
    sim.advance()
    dialed.value?.abortConnection()
    sim.advance()
    for (let times = 0; times < 16_382; times++) client.ports.freePort()
    expect(client.ports.freePort()).toBe(49_152)
  })

  it('does not take many small writes of one instant for a livelock', () => {
    const { sim, server, client } = world()
    const { accepted } = listen(server)
    sim.advance()
    const dialed = outcome(client.reactor.dial(tcp('10.0.0.1', 80)))
    sim.advance()
    const far = new Witness()
    accepted[0]?.deliverTo(far)
    const near = new Witness()
    dialed.value?.deliverTo(near)
    for (let times = 0; times < 20_000; times++) client.reactor.callLater(1, () => near.transport.write('x'))
    sim.advance(1)
    expect(far.size).toBe(20_000)
  })

  it('finds two protocols that answer each other for ever', () => {
    const { sim, server, client } = world()
    const { accepted } = listen(server)
    sim.advance()
    const dialed = outcome(client.reactor.dial(tcp('10.0.0.1', 80)))
    sim.advance()
    const answer = { data: (self: Witness, chunk: Uint8Array) => self.transport.write(chunk) }
    accepted[0]?.deliverTo(new Witness(answer))
    const near = new Witness(answer)
    dialed.value?.deliverTo(near)
    client.reactor.callLater(5, () => near.transport.write('ping'))
    client.reactor.callLater(5, () => near.transport.write('ping'))
    expect(() => sim.advance(10)).toThrow(/at 5 ms, .* no time passed/)
  })
})

describe('the wire', () => {
  it('takes one latency for every byte, and keeps order', () => {
    const { sim, server, client } = world({ latency: 7 })
    const { accepted } = listen(server)
    sim.advance()
    const dialed = outcome(client.reactor.dial(tcp('10.0.0.1', 80)))
    sim.advance(21)
    const arrived: [number, string][] = []
    const far = new Witness({ data: (_self, chunk) => void arrived.push([sim.now, new TextDecoder().decode(chunk)]) })
    accepted[0]?.deliverTo(far)
    const near = new Witness()
    dialed.value?.deliverTo(near)
    near.transport.write('a')
    sim.advance(1)
    near.transport.write('b')
    sim.advance(6)
    near.transport.write('c')
    near.transport.loseConnection()
    sim.advance(7)
    expect(arrived).toEqual([
      [28, 'a'],
      [29, 'b'],
      [35, 'c'],
    ])
    // The far side hears the end and closes; that it did is known here 7 ms later.
    expect(far.calls).toEqual(['made', 'data', 'inputEnded', 'lost'])
    expect(near.calls).toEqual(['made'])
    sim.advance(7)
    expect([near.reason?.name, far.reason?.name]).toEqual(['ConnectionDone', 'ConnectionDone'])
  })

  it('holds what fits into both buffers, and not a byte more', () => {
    const { sim, server, client } = world({ sendBuffer: 5000, receiveBuffer: 3000 })
    const { accepted } = listen(server)
    sim.advance()
    const dialed = outcome(client.reactor.dial(tcp('10.0.0.1', 80)))
    sim.advance()
    const far = new Witness({ made: (self) => self.transport.pauseProducing() })
    accepted[0]?.deliverTo(far)
    const near = new Witness()
    dialed.value?.deliverTo(near)
    near.transport.write(pattern(10_000))
    sim.advance(1000)
    expect(near.transport.queued).toBe(2000)
    far.transport.resumeProducing()
    sim.advance()
    expect([near.transport.queued, far.size]).toEqual([0, 10_000])
  })

  it('gives nobody the same memory twice', () => {
    const { sim, server, client } = world()
    const { accepted } = listen(server)
    sim.advance()
    const dialed = outcome(client.reactor.dial(tcp('10.0.0.1', 80)))
    sim.advance()
    const far = new Witness()
    accepted[0]?.deliverTo(far)
    const near = new Witness()
    dialed.value?.deliverTo(near)
    for (let times = 0; times < 50; times++) {
      near.transport.write(`line ${times}\n`)
      sim.advance()
    }
    far.chunks.forEach((chunk, index) => chunk.fill(index))
    expect(far.chunks).toHaveLength(50)
    for (const chunk of far.chunks) expect(new Set(chunk).size).toBe(1)
  })
})

describe('whole programs', () => {
  class Echo extends Protocol {
    override dataReceived(chunk: Uint8Array): void {
      this.transport.write(chunk)
    }
  }

  class Ask extends Protocol {
    readonly answers: string[]
    constructor(answers: string[]) {
      super()
      this.answers = answers
    }
    override connectionMade(): void {
      this.transport.write('hello')
    }
    override dataReceived(chunk: Uint8Array): void {
      this.answers.push(new TextDecoder().decode(chunk))
      this.transport.loseConnection()
    }
  }

  class Asking extends ClientFactory {
    readonly told: string[] = []
    override buildProtocol(): Protocol {
      return new Ask(this.told)
    }
    override clientConnectionLost(_connector: unknown, reason: Error): void {
      this.told.push(reason.name)
    }
    override clientConnectionFailed(_connector: unknown, reason: Error): void {
      this.told.push(reason.name)
    }
  }

  const run = (seed: number) => {
    const { sim, server, client } = world({ latency: 3, seed })
    const recorder = new Recorder({ now: () => sim.now })
    onTestFinished(setTracer(recorder))
    server.reactor.listenTCP(
      7,
      Factory.forProtocol(() => new Echo()),
    )
    const asking = Array.from({ length: 20 }, () => new Asking())
    asking.forEach((factory, index) =>
      client.reactor.callLater(index, () =>
        client.reactor.connectTCP(index % 5 === 4 ? 'nobody' : 'server', 7, factory),
      ),
    )
    sim.advance(1000)
    setTracer(undefined)
    return { told: asking.map(({ told }) => told), events: recorder.events, pending: sim.pending }
  }

  it('of factories and connectors run as they are', () => {
    const { told, pending } = run(1)
    told.forEach((each, index) =>
      expect(each).toEqual(index % 5 === 4 ? ['DNSLookupError'] : ['hello', 'ConnectionDone']),
    )
    expect(pending).toBe(0)
  })

  it('happen in the same way every time, event for event', () => {
    const [one, other] = [run(1), run(1)]
    expect(one.events.length).toBeGreaterThan(500)
    expect(other.events).toEqual(one.events)
  })
})
