/**
 * Services in a household, started and stopped at any moment: they come up in order and go down in reverse, in the time
 * that they have, and of a household that was stopped nothing is left: no port, no connection, no timer.
 */
import {
  ClientService,
  type ConnectionClosed,
  ConnectionDone,
  deferLater,
  EndpointService,
  Factory,
  LineReceiver,
  MultiService,
  type Reactor,
  Service,
  type ServiceWork,
  TCPClientEndpoint,
  TCPServerEndpoint,
  TimerService,
} from 'couplet'
import type { SimHost } from 'couplet/sim'
import type { System } from './poetry-system.ts'

interface Deed {
  readonly at: number
  readonly where: 'server' | 'client'
  readonly what: 'start' | 'stop'
}

const duration = 60_000
/** Milliseconds that connections have to finish. */
const drain = 1000
/** Milliseconds that a step down takes. */
const step = 100
/** The steps, and how long it takes to come up there. The last one takes longer than anybody has who gives it up. */
const steps = { first: 100, second: 100, third: 5000 }
const names = Object.keys(steps) as (keyof typeof steps)[]

/** Takes its time, and looks whether it is its turn. */
class Step extends Service {
  readonly #reactor: Reactor
  readonly #up: string[]
  readonly #wrong: (what: string) => void

  readonly #ms: number

  constructor(name: keyof typeof steps, reactor: Reactor, up: string[], wrong: (what: string) => void) {
    super()
    this.setName(name)
    this.#ms = steps[name]
    this.#reactor = reactor
    this.#up = up
    this.#wrong = wrong
  }

  protected override starting(): ServiceWork {
    if (String(names[this.#up.length]) !== this.name)
      this.#wrong(`${this.name} starts after ${this.#up.join(', ') || 'nothing'}`)
    this.#up.push(this.name!)
    return deferLater(this.#reactor, this.#ms)
  }

  protected override stopping(): ServiceWork {
    if (this.#up.at(-1) !== this.name) this.#wrong(`${this.name} stops, and ${this.#up.at(-1)} is to stop first`)
    return deferLater(this.#reactor, step).addCallback(() => void this.#up.pop())
  }
}

/** A household on a host of its own. */
class Household {
  readonly #host: SimHost
  readonly #wrong: (what: string) => void
  readonly #services = new MultiService()
  readonly #up: string[] = []
  #deeds = 0
  #calls = 0
  /** The last that it was told is to start. */
  #wanted = false
  /** It is stopped, and nobody has started it since. */
  away = true
  /** How many connections its program has. */
  talking = 0
  /** How the last of them ended. */
  reason: ConnectionClosed | undefined

  constructor(host: SimHost, services: readonly Service[], wrong: (what: string) => void) {
    this.#host = host
    this.#wrong = wrong
    const [first, second, third] = names.map((name) => new Step(name, host.reactor, this.#up, wrong))
    const [one, two] = services
    for (const service of [first!, one!, second!, two!, third!]) this.#services.addService(service)
  }

  /** What is left of it when it is stopped, if anything is. */
  get left(): string | undefined {
    if (!this.away) return undefined
    const { name, reactor } = this.#host
    // Of a connection that the kernel has made, and that will be refused, the program knows nothing.
    const sockets = this.#host.netstat().filter(({ state }) => state === 'listening' || state === 'connecting').length
    const timers = reactor.pendingCalls().length - this.#deeds
    const left = sockets + timers + this.talking
    return left > 0 ? `${name} has ${sockets} sockets, ${this.talking} connections and ${timers} timers` : undefined
  }

  at(ms: number, what: 'start' | 'stop' | 'look'): void {
    this.#deeds++
    this.#host.reactor.callLater(ms, () => {
      this.#deeds--
      this[what]()
    })
  }

  start(): void {
    this.#calls++
    this.#wanted = true
    this.away = false
    this.#services.startService().addErrback(() => undefined)
  }

  /** By now it has come up, if that was the last that it was told. */
  look(): void {
    if (!this.away && this.#wanted && !this.#services.running)
      this.#wrong(`${this.#host.name} was started, and does not run`)
  }

  stop(): void {
    const { reactor } = this.#host
    const call = ++this.#calls
    this.#wanted = false
    const before = reactor.now()
    this.#services.stopService().addCallback(() => {
      if (call !== this.#calls) return
      const took = reactor.now() - before
      if (took > drain + names.length * step + 1) this.#wrong(`${this.#host.name} took ${took} ms to stop`)
      if (this.#up.length > 0) this.#wrong(`it has stopped, and ${this.#up.join(', ')} run`)
      this.away = true
    })
  }
}

/** Hears lines, as long as its household is not away. */
class Talking extends LineReceiver {
  readonly #household: Household
  readonly #heard: (self: Talking, line: Uint8Array) => void

  constructor(household: Household, heard: (self: Talking, line: Uint8Array) => void) {
    super()
    this.#household = household
    this.#heard = heard
  }

  override connectionMade(): void {
    this.#household.talking++
  }

  override lineReceived(line: Uint8Array): void {
    this.#heard(this, line)
  }

  override connectionLost(reason: ConnectionClosed): void {
    this.#household.talking--
    this.#household.reason = reason
  }
}

export const household: System<Deed> = {
  options: {
    seeds: 150,
    duration,
    // A program that is paused or busy cannot keep to any time.
    faults: ['hold', 'slow', 'partition', 'reset', 'cut', 'name'],
    operations: (random) =>
      Array.from({ length: random.between(2, 20) }, () => ({
        at: random.below(10) * 5000 + random.pick([0, 10, 100, 1000]) * random.below(5),
        where: random.pick(['server', 'client']),
        what: random.pick(['start', 'start', 'stop']),
      })),
    // Who leaves has a second to say goodbye.
    knobs: ({ latency = 0, loss: _loss, ...drawn }) => ({ ...drawn, latency: Math.min(latency, 100) }),
  },
  stage(sim, deeds) {
    const wrong: string[] = []
    const complain = (what: string): void => void wrong.push(what)
    let answers = 0
    let ticks = 0

    const serving = sim.host('server')
    const endpoint = new TCPServerEndpoint(serving.reactor, 80)
    const echoes = Factory.forProtocol(() => new Talking(server, (self, line) => self.sendLine(line)))
    const ticking = new TimerService(serving.reactor, 1500, () => {
      if (server.away) complain('a timer goes on after the stop')
      ticks++
    })
    const server: Household = new Household(
      serving,
      [new EndpointService(endpoint, echoes, { drain }), ticking],
      complain,
    )

    const asking = sim.host('client')
    const asks = Factory.forProtocol(() => new Talking(client, () => void answers++))
    const connected = new ClientService(asking.reactor, new TCPClientEndpoint(asking.reactor, 'server', 80), asks, {
      drain,
    })
    const asker = new TimerService(asking.reactor, 2000, () => {
      connected.whenConnected().addCallbacks(
        (protocol) => protocol.sendLine('question'),
        () => undefined,
      )
    })
    const client: Household = new Household(asking, [connected, asker], complain)

    const households = { server, client }
    for (const { at, where, what } of deeds) households[where].at(at, what)
    // In the end both run for long enough to talk to each other, and then no more.
    let before = { answers: 0, ticks: 0 }
    for (const one of [server, client]) {
      one.at(duration, 'look')
      one.at(duration + 1000, 'start')
    }
    sim.after(duration + 1000, () => (before = { answers, ticks }))
    const goodbye = duration + 200_000
    client.at(goodbye, 'stop')
    server.at(goodbye + 10_000, 'stop')
    sim.after(goodbye, () => {
      if (answers === before.answers) complain('nothing was answered')
      if (ticks === before.ticks) complain('no timer was called')
    })
    sim.after(goodbye + 10_000, () => {
      for (const { reason } of [client, server])
        if (!(reason instanceof ConnectionDone)) complain(`without need, the end was ${String(reason)}`)
    })
    sim.invariant('everything has its order and its time', () => wrong[0])
    sim.invariant('of what was stopped nothing is left', () => server.left ?? client.left)
    sim.eventually('both have stopped', () => server.away && client.away && sim.now > goodbye + 10_000, 3_600_000)
    sim.eventually('nobody is connected', () => sim.connections === 0, 3_600_000)
  },
}
