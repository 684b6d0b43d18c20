/** ClientService, with a network that does what the test says. */
import {
  CancelledError,
  type ClientEndpoint,
  ClientFactory,
  ClientService,
  type ClientServiceOptions,
  connectProtocol,
  ConnectionAborted,
  ConnectionDone,
  ConnectionRefusedError,
  Deferred,
  fail,
  Factory,
  flushUnhandled,
  idleTimeout,
  IPv4Address,
  LineReceiver,
  NoProtocol,
  type Protocol,
  Recorder,
  ServiceStopped,
  setTracer,
  succeed,
  TCPClientEndpoint,
  TimeoutError,
  withPolicies,
} from 'couplet'
import { AccumulatingProtocol } from 'couplet/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { resultOf } from '../deferred/result-of.ts'
import { reportsOfEachTest } from '../reports.ts'
import { type ScriptedConnection, ScriptedReactor } from '../scripted-reactor.ts'

const reports = reportsOfEachTest()
const boom = new Error('boom')
const where = new IPv4Address('TCP', '10.0.0.9', 80)

/** A client and its network. Without a policy, it waits a second for each failure there was. */
class Client {
  readonly reactor = new ScriptedReactor()
  readonly built: AccumulatingProtocol[] = []
  /** What the retry policy was asked. */
  readonly failures: [failures: number, reason: unknown][] = []
  readonly service: ClientService<AccumulatingProtocol>

  constructor(options: ClientServiceOptions<AccumulatingProtocol> = {}, build = () => new AccumulatingProtocol()) {
    const factory = Factory.forProtocol(() => {
      const protocol = build()
      this.built.push(protocol)
      return protocol
    })
    const retryPolicy = (failures: number, reason: unknown): number => {
      this.failures.push([failures, reason])
      return failures * 1000
    }
    const endpoint = new TCPClientEndpoint(this.reactor, where.host, where.port)
    this.service = new ClientService(this.reactor, endpoint, factory, { retryPolicy, ...options })
  }

  start(): this {
    this.service.startService()
    return this
  }

  get dials(): number {
    return this.reactor.dials.length
  }

  /** The present attempt succeeds. */
  connect(): ScriptedConnection {
    const dial = this.reactor.dials.at(-1)
    if (dial === undefined) throw new Error('there is no attempt')
    return dial.connect()
  }

  /** The present attempt fails. */
  refuse(): void {
    this.reactor.dials.at(-1)?.fail(new ConnectionRefusedError(where))
  }
}

describe('a client that is to stay connected', () => {
  it('connects when it is started, and gives its protocol to all who wait', () => {
    const client = new Client()
    const early = client.service.whenConnected()
    expect(client.dials).toBe(0)
    expect(resultOf(client.service.startService())).toBeUndefined()
    const late = client.service.whenConnected()
    client.connect()
    const results = [early, late, client.service.whenConnected()].map(resultOf)
    expect(results).toEqual([client.built[0], client.built[0], client.built[0]])
    expect(client.reactor.timers).toBe(0)
  })

  it('tries again after a failure, later and later', () => {
    const client = new Client().start()
    const connected = client.service.whenConnected()
    for (const failures of [1, 2, 3]) {
      client.refuse()
      client.reactor.advance(failures * 1000 - 1)
      expect(client.dials).toBe(failures)
      client.reactor.advance(1)
      expect(client.dials).toBe(failures + 1)
    }
    client.connect()
    expect(resultOf(connected)).toBe(client.built[0])
    expect(client.failures.map(([failures, reason]) => [failures, String(reason)])).toEqual(
      [1, 2, 3].map((failures) => [failures, expect.stringContaining('ConnectionRefusedError: 10.0.0.9:80')]),
    )
    expect(reports).toEqual([])
  })

  it('waits as backoff says unless it is told otherwise', () => {
    const client = new Client({ retryPolicy: undefined }).start()
    client.refuse()
    client.reactor.advance(250)
    client.refuse()
    client.reactor.advance(499)
    expect(client.dials).toBe(2)
    client.reactor.advance(1)
    expect(client.dials).toBe(3)
  })

  it('connects anew when the connection is lost, however that came about', () => {
    const client = new Client().start()
    client.connect().hangUp()
    const next = client.service.whenConnected()
    client.reactor.advance(1000)
    client.connect().break(boom)
    client.reactor.advance(0)
    expect(resultOf(next)).toBe(client.built[1])
    expect(client.failures.map(([failures, reason]) => [failures, (reason as Error).name])).toEqual([
      [1, 'ConnectionDone'],
      [2, 'ConnectionLost'],
    ])
    client.reactor.advance(2000)
    expect(client.dials).toBe(3)
  })

  it('is patient with a server that takes everybody and keeps nobody, until a connection has lasted for 30 s', () => {
    const client = new Client().start()
    for (const uptime of [0, 29_999, 30_000, 0]) {
      const connection = client.connect()
      client.reactor.advance(uptime)
      connection.break(boom)
      client.reactor.advance(10_000)
    }
    expect(client.failures.map(([failures]) => failures)).toEqual([1, 2, 1, 2])
  })

  it('does not give away a connection that is closing already', () => {
    const client = new Client().start()
    const connection = client.connect()
    connection.loseConnection()
    const next = client.service.whenConnected()
    expect(resultOf(client.service.whenConnected())).toBe('pending')
    connection.hangUp()
    client.reactor.advance(1000)
    client.connect()
    expect(resultOf(next)).toBe(client.built[1])
  })

  it('knows of the end of a connection whatever its protocol is wrapped in, and passes on what that can do', () => {
    const reactor = new ScriptedReactor()
    let resumed = 0
    class Lines extends LineReceiver {
      override lineReceived(): void {}
      override readConnectionLost(): void {
        resumed++
      }
    }
    const factory = withPolicies(
      Factory.forProtocol(() => new Lines()),
      idleTimeout(reactor, 60_000),
    )
    const service = new ClientService(reactor, new TCPClientEndpoint(reactor, where.host, 80), factory)
    service.startService()
    const connection = reactor.dials[0]?.connect()
    expect(resultOf(service.whenConnected())).toBeInstanceOf(Lines)
    connection?.hangUp()
    reactor.advance(0)
    expect([resumed, reactor.dials.length]).toEqual([1, 1])
    reactor.advance(60_500)
    expect(reactor.dials.length).toBe(2)
  })

  it('uses its factory from start to stop', () => {
    const calls: string[] = []
    class Counting extends Factory<AccumulatingProtocol> {
      override startFactory = () => void calls.push('start')
      override stopFactory = () => void calls.push('stop')
      override buildProtocol = () => new AccumulatingProtocol()
    }
    const reactor = new ScriptedReactor()
    const service = new ClientService(reactor, new TCPClientEndpoint(reactor, where.host, 80), new Counting())
    service.startService()
    reactor.dials[0]?.connect().break(boom)
    reactor.advance(1000)
    expect([reactor.dials.length, calls]).toEqual([2, ['start']])
    service.stopService()
    expect(calls).toEqual(['start', 'stop'])
  })

  it('refuses what cannot work', () => {
    const reactor = new ScriptedReactor()
    const endpoint = new TCPClientEndpoint(reactor, where.host, 80)
    const plain = Factory.forProtocol(() => new AccumulatingProtocol())
    const old = new (class extends ClientFactory {
      override buildProtocol = () => new AccumulatingProtocol()
    })()
    expect(() => new ClientService(reactor, endpoint, old)).toThrow(TypeError)
    expect(() => new ClientService(reactor, endpoint, plain, { drain: -1 })).toThrow(RangeError)
    expect(() => new ClientService(reactor, endpoint, plain, { prepareTimeout: NaN })).toThrow(RangeError)
    expect(() => new ClientService(reactor, endpoint, plain).whenConnected({ failAfterFailures: 0 })).toThrow(
      RangeError,
    )
  })
})

describe('whenConnected', () => {
  it('fails after as many failures as it is told, counted from the call', () => {
    const client = new Client().start()
    const forOne = client.service.whenConnected({ failAfterFailures: 1 })
    const forTwo = client.service.whenConnected({ failAfterFailures: 2 })
    const forEver = client.service.whenConnected()
    client.refuse()
    expect(resultOf(forOne)).toBeInstanceOf(ConnectionRefusedError)
    const late = client.service.whenConnected({ failAfterFailures: 2 })
    client.reactor.advance(1000)
    client.refuse()
    expect(resultOf(forTwo)).toBeInstanceOf(ConnectionRefusedError)
    client.reactor.advance(2000)
    client.connect()
    expect([resultOf(late), resultOf(forEver)]).toEqual([client.built[0], client.built[0]])
  })

  it('can be given up', () => {
    const client = new Client().start()
    const [first, second] = [client.service.whenConnected(), client.service.whenConnected()]
    second.addErrback(() => undefined)
    first.addCallback(() => second.cancel())
    client.service.whenConnected().cancel()
    const third = client.service.whenConnected({ failAfterFailures: 1 })
    const fourth = client.service.whenConnected({ failAfterFailures: 1 })
    third.addErrback(() => fourth.cancel())
    client.refuse()
    client.reactor.advance(1000)
    client.connect()
    expect([resultOf(first), resultOf(third)]).toEqual([undefined, undefined])
    expect([resultOf(fourth), client.service.running]).toEqual([expect.any(CancelledError), true])
    expect(flushUnhandled()).toEqual([])
  })

  it('fails at once when the service was stopped, and waits when it is about to start again', () => {
    const client = new Client().start()
    const connection = client.connect()
    client.service.stopService()
    expect(resultOf(client.service.whenConnected())).toMatchObject({
      name: 'ServiceStopped',
      message: 'ClientService was stopped',
    })
    client.service.startService()
    const next = client.service.whenConnected()
    connection.hangUp()
    client.reactor.advance(0)
    client.connect()
    expect(resultOf(next)).toBe(client.built[1])
  })

  it('needs nobody to take what comes of a stop', async () => {
    const client = new Client().start()
    client.service.whenConnected()
    client.service.stopService()
    client.service.whenConnected()
    await new Promise((resolve) => setImmediate(resolve))
    expect(reports).toEqual([])
  })
})

describe('a stop wins', () => {
  const stopped = (client: Client): unknown => {
    const waiting = client.service.whenConnected()
    const result = client.service.stopService()
    expect(resultOf(waiting)).toBeInstanceOf(ServiceStopped)
    client.reactor.advance(0)
    return resultOf(result)
  }
  const nothingIsLeft = (client: Client): void => {
    const { dials } = client
    expect([client.service.state, client.reactor.timers]).toEqual(['stopped', 0])
    client.reactor.advance(3_600_000)
    expect([client.dials, reports]).toEqual([dials, []])
  }

  it('while it connects: the attempt is cancelled', () => {
    const client = new Client().start()
    expect(stopped(client)).toBeUndefined()
    expect(client.reactor.dials[0]?.cancelled).toBe(true)
    nothingIsLeft(client)
  })

  it('while it waits: the timer is cancelled', () => {
    const client = new Client().start()
    client.refuse()
    expect(client.reactor.timers).toBe(1)
    expect(stopped(client)).toBeUndefined()
    nothingIsLeft(client)
  })

  it('while it prepares a connection: that is cancelled, the connection closed, and the stop waits for its end', () => {
    let cancelled = 0
    const client = new Client({ prepareConnection: () => new Deferred(() => void cancelled++) }).start()
    const connection = client.connect()
    expect(stopped(client)).toBe('pending')
    expect([cancelled, connection.disconnecting]).toEqual([1, true])
    connection.hangUp()
    client.reactor.advance(0)
    nothingIsLeft(client)
  })

  it('while it is connected: the connection is closed, and the stop waits for its end', () => {
    const client = new Client().start()
    const connection = client.connect()
    const waits = client.service.stopService()
    client.reactor.advance(0)
    expect([connection.disconnecting, resultOf(client.service.stopService())]).toEqual([true, 'pending'])
    connection.hangUp()
    client.reactor.advance(0)
    expect(resultOf(waits)).toBeUndefined()
    expect(client.built[0]?.closedReason).toBeInstanceOf(ConnectionDone)
    nothingIsLeft(client)
  })

  it('while a connection that failed is being closed', () => {
    const client = new Client({ prepareConnection: () => Promise.reject(new NoProtocol(where)) }).start()
    const connection = client.connect()
    return Promise.resolve()
      .then(() => Promise.resolve())
      .then(() => {
        expect(connection.disconnecting).toBe(true)
        expect(client.reactor.timers).toBeGreaterThan(0)
        client.service.stopService()
        client.reactor.advance(0)
        nothingIsLeft(client)
      })
  })

  it('before it was started', () => {
    const client = new Client()
    const early = client.service.whenConnected()
    expect(resultOf(client.service.stopService())).toBeUndefined()
    expect(resultOf(early)).toBe('pending')
    client.start().connect()
  })

  it('when a hook of the very connection asks for it', () => {
    const client: Client = new Client({}, () => {
      client.service.stopService()
      return new AccumulatingProtocol()
    })
    client.start()
    const connected = client.service.whenConnected()
    const connection = client.connect()
    expect(resultOf(connected)).toBeInstanceOf(ServiceStopped)
    connection.hangUp()
    client.reactor.advance(0)
    nothingIsLeft(client)
  })

  it.each([
    ['a Deferred', () => new Deferred(() => undefined), 1],
    ['nothing', () => undefined, 0],
  ])('when prepareConnection asks for it and returns %s', (_what, returned, cancellations) => {
    let cancelled = 0
    const client: Client = new Client({
      prepareConnection: () => {
        client.service.stopService()
        return returned()?.addErrback(() => void cancelled++)
      },
    })
    client.start()
    const connected = client.service.whenConnected()
    const connection = client.connect()
    expect([resultOf(connected), cancelled]).toEqual([expect.any(ServiceStopped), cancellations])
    connection.hangUp()
    client.reactor.advance(0)
    nothingIsLeft(client)
  })

  it('when the endpoint asks for it while it connects anew, and what it returns is cancelled', () => {
    const reactor = new ScriptedReactor()
    let cancelled = 0
    const endpoint: ClientEndpoint = {
      connect: () => {
        if (!service.running) return fail(new ConnectionRefusedError(where))
        service.stopService()
        return new Deferred(() => void cancelled++)
      },
    }
    const factory = Factory.forProtocol(() => new AccumulatingProtocol())
    const service: ClientService<AccumulatingProtocol> = new ClientService(reactor, endpoint, factory)
    service.startService()
    reactor.advance(500)
    expect([service.state, cancelled, reactor.timers]).toEqual(['stopped', 1, 0])
  })

  it('and waits for an endpoint that takes its time to give up', () => {
    const reactor = new ScriptedReactor()
    const givenUp = new Deferred<never>()
    const endpoint: ClientEndpoint = { connect: () => new Deferred<never>().addErrback(() => givenUp) }
    const factory = Factory.forProtocol(() => new AccumulatingProtocol())
    const service = new ClientService(reactor, endpoint, factory)
    service.startService()
    const result = service.stopService()
    service.startService()
    expect(service.state).toBe('stopping')
    givenUp.errback(boom)
    expect([resultOf(result), service.state]).toEqual([undefined, 'running'])
  })

  it('over those who wait: who comes back after a stop and a start is not given the old connection', () => {
    class Polite extends AccumulatingProtocol {
      override stopping(): void {}
    }
    const client = new Client({}, () => new Polite()).start()
    let next: Deferred<AccumulatingProtocol> | undefined
    client.service.whenConnected().addCallback(() => {
      client.service.stopService()
      client.service.startService()
      next = client.service.whenConnected()
    })
    client.connect()
    client.reactor.advance(5000)
    client.connect()
    expect(next && resultOf(next)).toBe(client.built[1])
  })

  it('when the retry policy asks for it', () => {
    const retryPolicy = (): number => {
      client.service.stopService()
      return 1
    }
    const client: Client = new Client({ retryPolicy })
    client.start()
    client.refuse()
    nothingIsLeft(client)
  })

  it('over an endpoint that connects at once, inside of the start itself', () => {
    const reactor = new ScriptedReactor()
    const endpoint: ClientEndpoint = {
      connect: (factory) => {
        const connecting = new TCPClientEndpoint(reactor, where.host, 80).connect(factory)
        reactor.dials.at(-1)?.connect()
        return connecting
      },
    }
    const service: ClientService<AccumulatingProtocol> = new ClientService(
      reactor,
      endpoint,
      Factory.forProtocol(() => {
        service.stopService()
        return new AccumulatingProtocol()
      }),
    )
    const connected = service.whenConnected()
    expect(resultOf(service.startService())).toBeInstanceOf(ServiceStopped)
    expect(resultOf(connected)).toBeInstanceOf(ServiceStopped)
    reactor.advance(10_000)
    expect([service.state, reactor.timers, reactor.dials.length]).toEqual(['stopped', 0, 1])
  })

  it('over an endpoint that connects although its attempt was cancelled: that connection is refused', () => {
    const reactor = new ScriptedReactor()
    let late: Factory | undefined
    const endpoint: ClientEndpoint = {
      connect: (factory) => {
        late = factory
        return new Deferred()
      },
    }
    const built: Protocol[] = []
    const factory = Factory.forProtocol(() => built[built.push(new AccumulatingProtocol()) - 1] ?? null)
    const service = new ClientService(reactor, endpoint, factory)
    service.startService()
    service.stopService()
    const connecting = new TCPClientEndpoint(reactor, where.host, 80).connect(late ?? factory)
    const connection = reactor.dials[0]?.connect()
    expect(resultOf(connecting)).toBeInstanceOf(NoProtocol)
    expect([connection?.end, built]).toEqual(['reset', []])
  })

  it('and the connection has some time to finish, which its protocol may use', () => {
    class Parting extends AccumulatingProtocol {
      override stopping(): void {
        this.transport.write('bye')
      }
    }
    const client = new Client({ drain: 3000 }, () => new Parting()).start()
    const connection = client.connect()
    const result = client.service.stopService()
    client.reactor.advance(2999)
    expect([connection.sent, connection.end]).toEqual(['bye', undefined])
    client.reactor.advance(1)
    expect(connection.end).toBe('reset')
    expect(resultOf(result)).toBeUndefined()
    expect(client.built[0]?.closedReason).toBeInstanceOf(ConnectionAborted)
    nothingIsLeft(client)
  })

  it('and a start that comes meanwhile connects when the old connection is gone', () => {
    const client = new Client().start()
    const connection = client.connect()
    client.service.stopService()
    const started = client.service.startService()
    client.reactor.advance(0)
    expect([client.dials, resultOf(client.service.whenConnected())]).toEqual([1, 'pending'])
    connection.hangUp()
    client.reactor.advance(0)
    expect([client.dials, resultOf(started)]).toEqual([2, undefined])
  })

  it('and a new start has no failures behind it', () => {
    const client = new Client().start()
    client.refuse()
    client.service.stopService()
    client.start()
    client.refuse()
    expect(client.failures.map(([failures]) => failures)).toEqual([1, 1])
  })
})

describe('prepareConnection', () => {
  it.each([
    ['nothing', () => undefined],
    ['a Deferred', () => succeed(1)],
    ['a promise', () => Promise.resolve()],
  ])('may return %s; who waits has the protocol after that', async (_what, prepare) => {
    const prepared: unknown[] = []
    const client = new Client({
      prepareConnection: (protocol) => {
        prepared.push(protocol)
        return prepare()
      },
    }).start()
    const connected = client.service.whenConnected()
    client.connect()
    expect(await connected).toBe(client.built[0])
    expect(prepared).toEqual(client.built)
    expect(client.reactor.timers).toBe(0)
  })

  it.each([
    [
      'throws',
      () => {
        throw boom
      },
    ],
    ['returns a Deferred that fails', () => fail(boom)],
    ['returns a promise that is rejected', () => Promise.reject(boom)],
  ])(
    'that %s is a failed attempt: the connection is aborted, the failure reported',
    async (_how, prepareConnection) => {
      const client = new Client({ prepareConnection }).start()
      const connection = client.connect()
      for (let turn = 0; turn < 5; turn++) await Promise.resolve()
      expect(connection.end).toBe('reset')
      // The next attempt waits for the end of this one.
      expect(client.failures).toEqual([])
      client.reactor.advance(0)
      expect(client.built[0]?.closedReason).toMatchObject({ name: 'ConnectionAborted', cause: boom })
      expect(client.failures).toEqual([[1, boom]])
      const what = 'ClientService could not connect to 10.0.0.9:80'
      expect(reports).toEqual([{ error: boom, what, subject: client.service }])
      client.reactor.advance(1000)
      expect(client.dials).toBe(2)
    },
  )

  it('that fails is told to who waits no longer, instead of the report', () => {
    const client = new Client({ prepareConnection: () => fail(boom) }).start()
    const connected = client.service.whenConnected({ failAfterFailures: 1 })
    client.connect()
    expect([resultOf(connected), reports]).toEqual([boom, []])
  })

  it('that takes longer than its time is a failed attempt', () => {
    const client = new Client({ prepareConnection: () => new Deferred(), prepareTimeout: 4000 }).start()
    client.connect()
    client.reactor.advance(4000)
    expect(client.failures).toEqual([[1, expect.any(TimeoutError)]])
    expect(reports.length).toBe(1)
  })

  it('is given up when the connection is lost meanwhile', () => {
    let cancelled = 0
    const client = new Client({ prepareConnection: () => new Deferred(() => void cancelled++) }).start()
    const connected = client.service.whenConnected({ failAfterFailures: 1 })
    client.connect().break(boom)
    expect([cancelled, resultOf(connected)]).toEqual([
      1,
      expect.objectContaining({ name: 'ConnectionLost', cause: boom }),
    ])
    expect(client.failures.length).toBe(1)
    expect(client.reactor.timers).toBe(1)
  })

  it('that is done after the end of its connection changes nothing', async () => {
    const late: (() => void)[] = []
    const prepareConnection = (): Promise<void> => new Promise((done) => late.push(done))
    const client = new Client({ prepareConnection }).start()
    const connected = client.service.whenConnected()
    client.connect().break(boom)
    for (const done of late) done()
    for (let turn = 0; turn < 5; turn++) await Promise.resolve()
    client.reactor.advance(999)
    expect([late.length, client.dials, resultOf(connected)]).toEqual([1, 1, 'pending'])
  })

  it('may close the connection: nobody gets that one', () => {
    const client = new Client({
      prepareConnection: ({ transport }) => {
        if (client.dials === 1) transport.loseConnection()
      },
    })
    client.start()
    const connected = client.service.whenConnected()
    client.connect().hangUp()
    client.reactor.advance(1000)
    client.connect()
    expect(resultOf(connected)).toBe(client.built[1])
  })
})

describe('what goes wrong in a program', () => {
  it('is reported each time: a builder that throws, a hook, a factory that refuses is no mistake', () => {
    const faults = [
      () => {
        throw boom
      },
      () =>
        new (class extends AccumulatingProtocol {
          override connectionMade(): never {
            throw boom
          }
        })(),
    ]
    for (const build of faults) {
      const client = new Client({}, build).start()
      client.connect()
      client.reactor.advance(0)
      expect(client.failures).toEqual([[1, boom]])
    }
    expect(reports.map(({ error }) => error)).toEqual([boom, boom])
  })

  it('a factory that wants no connection is asked again', () => {
    const reactor = new ScriptedReactor()
    const factory = Factory.forProtocol(() => null)
    const service = new ClientService(reactor, new TCPClientEndpoint(reactor, where.host, 80), factory)
    service.startService()
    const connected = service.whenConnected({ failAfterFailures: 1 })
    reactor.dials[0]?.connect()
    expect(resultOf(connected)).toBeInstanceOf(NoProtocol)
    reactor.advance(500)
    expect([reactor.dials.length, reports]).toEqual([2, []])
  })

  it('an endpoint that throws, or gives a protocol without a connection, has failed', () => {
    const reactor = new ScriptedReactor()
    const endpoint: ClientEndpoint = {
      connect: () => {
        throw boom
      },
    }
    const service = new ClientService(
      reactor,
      endpoint,
      Factory.forProtocol(() => new AccumulatingProtocol()),
    )
    const connected = service.whenConnected({ failAfterFailures: 1 })
    service.startService()
    expect(resultOf(connected)).toBe(boom)
    const unreal: ClientEndpoint = { connect: (factory) => succeed(factory.buildProtocol(where) as never) }
    const other = new ClientService(
      reactor,
      unreal,
      Factory.forProtocol(() => new AccumulatingProtocol()),
    )
    const never = other.whenConnected({ failAfterFailures: 1 })
    other.startService()
    expect(resultOf(never)).toMatchObject({ message: expect.stringContaining('without a connection') })
  })

  it.each([NaN, -1, Infinity])('a retry policy that says %s is reported, and the wait is a minute', (ms) => {
    const client = new Client({ retryPolicy: () => ms }).start()
    client.refuse()
    expect(reports).toEqual([expect.objectContaining({ what: 'The retry policy of ClientService failed' })])
    client.reactor.advance(59_999)
    expect(client.dials).toBe(1)
    client.reactor.advance(1)
    expect(client.dials).toBe(2)
  })

  it('a factory that cannot start or stop fails the start or the stop', () => {
    const reactor = new ScriptedReactor()
    class Broken extends Factory {
      override startFactory(): void {
        if (broken === 'start') throw boom
      }
      override stopFactory(): void {
        throw boom
      }
      override buildProtocol = () => null
    }
    let broken = 'start'
    const service = new ClientService(reactor, new TCPClientEndpoint(reactor, where.host, 80), new Broken())
    expect(resultOf(service.startService())).toBe(boom)
    expect([service.state, reactor.dials.length, reports]).toEqual(['stopped', 0, []])
    broken = 'stop'
    expect(resultOf(service.startService())).toBeUndefined()
    expect(resultOf(service.stopService())).toBe(boom)
    expect(service.state).toBe('stopped')
    // What has not started is not stopped, also the second time.
    broken = 'start'
    expect([resultOf(service.startService()), reports]).toEqual([boom, []])
  })
})

it('an endpoint may try several connections, and they all count', () => {
  const reactor = new ScriptedReactor()
  const tcp = new TCPClientEndpoint(reactor, where.host, 80)
  let first = true
  const endpoint: ClientEndpoint = {
    connect: (factory) => tcp.connect(factory).addErrback(() => tcp.connect(factory)),
  }
  const factory = Factory.forProtocol(() => {
    if (!first) return new AccumulatingProtocol()
    first = false
    throw boom
  })
  const service = new ClientService(reactor, endpoint, factory)
  service.startService()
  reactor.dials[0]?.connect()
  const second = reactor.dials[1]?.connect()
  expect(resultOf(service.whenConnected())).toBeInstanceOf(AccumulatingProtocol)
  // The end of the first changes nothing.
  reactor.advance(0)
  expect(resultOf(service.whenConnected())).toBeInstanceOf(AccumulatingProtocol)
  second?.break(boom)
  reactor.advance(500)
  expect(reactor.dials.length).toBe(3)
})

it('each step is in the trace, once, with how long it waits', () => {
  const recorder = new Recorder({ now: () => 0 })
  onTestFinished(setTracer(recorder))
  const client = new Client({ prepareConnection: () => undefined }).start()
  client.refuse()
  client.reactor.advance(1000)
  const connection = client.connect()
  client.service.stopService()
  connection.hangUp()
  client.reactor.advance(0)
  const events = recorder.events.filter(({ k }) => k === 'service')
  expect(
    events.map(
      ({ state, connection: step, ms }) => `${String(state ?? step)}${typeof ms === 'number' ? ` ${ms}` : ''}`,
    ),
  ).toEqual([
    'starting',
    'connecting',
    'running',
    'closing',
    'waiting 1000',
    'connecting',
    'preparing',
    'connected',
    'stopping',
    'leaving',
    'away',
    'stopped',
  ])
})

it('connectProtocol is for a connection that is made once', () => {
  const reactor = new ScriptedReactor()
  const protocol = new AccumulatingProtocol()
  const connecting = connectProtocol(new TCPClientEndpoint(reactor, where.host, 80), protocol)
  reactor.dials[0]?.connect().break(boom)
  expect(resultOf(connecting)).toBe(protocol)
  reactor.advance(100_000)
  expect(reactor.dials.length).toBe(1)
})
