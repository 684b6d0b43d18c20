/**
 * A client that is started and stopped, and whose server is down for minutes: it comes back in time and not too soon,
 * everybody who waits for it is told, and of one that was stopped nothing is left.
 */
import { backoff, ClientService, Factory, Protocol, TCPClientEndpoint } from 'couplet'
import type { System } from './poetry-system.ts'

interface Deed {
  readonly at: number
  /** Start and stop the client, ask for its connection, or take the server away. */
  readonly what: 'start' | 'stop' | 'ask' | 'down'
  /** How long the server is away. */
  readonly for: number
  /** Whether it refuses connections then, or is silent. */
  readonly how: 'process' | 'power'
}

const duration = 900_000
/** A connection that lasted so long has shown that all is well. */
const goodWhile = 30_000
const longestWait = 60_000

/** Counts the failures in a row as its client should, and holds it to that. */
class Model {
  /** The connection that can be used. */
  up: Protocol | undefined
  failures = 0
  readonly waits = new Map<number, number[]>()
  #since = 0
  readonly #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  readonly factory = Factory.forProtocol(() => {
    const made = (protocol: Protocol): void => {
      this.up = protocol
      this.#since = this.#now()
    }
    const lost = (): void => {
      this.up = undefined
      if (this.#now() - this.#since >= goodWhile) this.failures = 0
    }
    return new (class extends Protocol {
      override connectionMade(): void {
        made(this)
      }
      override connectionLost(): void {
        lost()
      }
    })()
  })

  /** What is wrong with a wait of so many milliseconds after so many failures. */
  waited(failures: number, ms: number): string | undefined {
    if (failures !== ++this.failures) return `it counts ${failures} failures in a row, and it is ${this.failures}`
    if (ms > longestWait) return `it waits ${ms} ms`
    const others = this.waits.get(failures) ?? []
    this.waits.set(failures, [...others, ms])
    return others.length >= 3 && others.every((other) => other === ms) ? `it always waits ${ms} ms` : undefined
  }
}

export const stayingConnected: System<Deed> = {
  options: {
    seeds: 150,
    duration,
    // Not what stops the client itself: what it should do meanwhile nobody could say.
    faults: ['partition', 'hold', 'slow', 'reset', 'cut', 'name'],
    operations: (random) =>
      Array.from({ length: random.between(2, 12) }, (_, index) => ({
        at: index === 0 ? 0 : random.below(duration / 1000) * 1000,
        what: index === 0 ? 'start' : random.pick(['start', 'stop', 'ask', 'ask', 'ask', 'down']),
        for: random.below(600) * 1000,
        how: random.pick(['process', 'power']),
      })),
  },
  stage(sim, deeds) {
    const server = sim.host('server')
    const chance = sim.random('moods')
    server.run((reactor) => {
      // Towards the end it stays.
      const stays = (): number => (reactor.now() > duration - longestWait ? Infinity : chance.below(60) * 1000)
      const moody = Factory.forProtocol(
        () =>
          new (class extends Protocol {
            override connectionMade(): void {
              const ms = chance.chance(1, 4) ? 0 : stays()
              if (ms < Infinity && stays() < Infinity) reactor.callLater(ms, () => this.transport.loseConnection())
            }
          })(),
      )
      reactor.listenTCP(80, moody)
    })

    const client = sim.host('client')
    const { reactor } = client
    const model = new Model(() => reactor.now())
    const wrong: string[] = []
    const waits = backoff(reactor)
    const retryPolicy = (failures: number): number => {
      const ms = waits(failures)
      const complaint = model.waited(failures, ms)
      if (complaint !== undefined) wrong.push(complaint)
      return ms
    }
    const service = new ClientService(reactor, new TCPClientEndpoint(reactor, 'server', 80), model.factory, {
      retryPolicy,
    })
    let wanted = false
    let stopped = true
    let waiting = 0
    const start = (): void => {
      if (wanted || !stopped) return
      wanted = true
      stopped = false
      model.failures = 0
      service.startService()
    }
    const stop = (): void => {
      if (!wanted) return
      wanted = false
      let over = false
      service.stopService().addCallback(() => (stopped = over = true))
      // It has 5 s to say goodbye.
      sim.after(6000, () => {
        if (!over) wrong.push('it has not stopped in time')
      })
    }
    const deed: Record<Deed['what'], (ms: number, how: Deed['how']) => void> = {
      start,
      stop,
      ask() {
        waiting++
        service.whenConnected().addBoth(() => waiting--)
      },
      down(ms, how) {
        if (server.crashed) return
        server.crash(how)
        sim.after(ms, () => server.restart())
      },
    }
    for (const { at, what, for: ms, how } of deeds) sim.after(at, () => deed[what](ms, how))
    sim.after(duration + 2 * longestWait, () => {
      if (wanted && model.up === undefined) wrong.push('it has not come back')
      stop()
    })

    sim.invariant('a client does as it should', () => wrong[0])
    sim.invariant('everybody is told of a connection', () =>
      waiting > 0 && model.up?.transport.disconnecting === false ? `${waiting} wait` : undefined,
    )
    sim.invariant('of a client that was stopped nothing is left', () => {
      if (!stopped) return undefined
      const sockets = client.netstat().filter(({ state }) => state === 'connecting' || state === 'open')
      const left = sockets.length + reactor.pendingCalls().length + waiting
      return left > 0 && service.state === 'stopped' ? `${sockets.length} sockets, ${waiting} wait` : undefined
    })
    sim.eventually('nobody is connected', () => sim.connections === 0, 3_600_000)
  },
}
