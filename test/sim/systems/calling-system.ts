/**
 * Calls, clients and servers that stop, under faults: every call settles once and with its own answer, a client never has
 * two connections and none after it was stopped, and a server that drains is empty when it says so.
 */
import {
  amp,
  ClientService,
  type ConnectionClosed,
  type Deferred,
  deferLater,
  Factory,
  LineReceiver,
  type ListeningPort,
  type Reactor,
  TCPClientEndpoint,
  toText,
  withPolicies,
} from 'couplet'
import type { SimHost } from 'couplet/sim'
import { serve, type System } from './poetry-system.ts'
import { Watch } from './watch.ts'

class NoSuchNumber extends Error {}

const Double = amp.command('Double', {
  arguments: { number: amp.Integer() },
  response: { number: amp.Integer() },
  errors: { NO_SUCH_NUMBER: NoSuchNumber },
})

/** One end of a connection, and how many of its calls are not settled. */
class Peer extends amp.AMP {
  open = 0
  lost = false

  override connectionLost(reason: ConnectionClosed) {
    const returned = super.connectionLost(reason)
    this.lost = true
    return returned
  }
}

interface Call {
  readonly at: number
  readonly number: number
  /** The server asks the client back, while it answers. */
  readonly back: boolean
}

/** Both sides ask each other, at once and in no order; each eighth question has no answer but an error. */
export const calls: System<Call> = {
  options: {
    seeds: 150,
    operations: (random) =>
      Array.from({ length: random.between(1, 25) }, (_, index) => ({
        at: random.below(20_000),
        number: 10 * index + random.below(10),
        back: random.chance(1, 2),
      })),
  },
  stage(sim, questions) {
    const watch = new Watch()
    const wrong: string[] = []
    const peers: Peer[] = []
    const { reactor } = sim.host('client')
    const backAsked = new Set(questions.filter(({ back }) => back).map(({ number }) => number))

    /** Asks once, and looks at what comes of it. */
    const ask = (peer: Peer, number: number): Deferred<'answered' | 'lost'> => {
      let settled = 0
      peer.open++
      const settle = <T>(outcome: T): T => {
        peer.open--
        if (++settled > 1) wrong.push(`the call with ${number} settled ${settled} times`)
        return outcome
      }
      return peer.callRemote(Double, { number: BigInt(number) }).addCallbacks(
        (answer) => {
          if (Number(answer.number) !== 2 * number || isBad(number))
            wrong.push(`the double of ${number} is ${answer.number}`)
          return settle('answered' as const)
        },
        ({ value }) => {
          if (!(value instanceof NoSuchNumber)) return settle('lost' as const)
          if (!isBad(number)) wrong.push(`there is a double of ${number}`)
          return settle('answered' as const)
        },
      )
    }
    const peerOf = (on: Reactor, chance: () => number): Peer => {
      const locator = new amp.CommandLocator()
      const peer = new Peer(locator)
      locator.respond(Double, ({ number }) => {
        if (on !== reactor && backAsked.has(Number(number))) ask(peer, Number(number) + 100_000)
        return deferLater(on, chance()).addCallback(() => {
          if (isBad(Number(number))) throw new NoSuchNumber()
          return { number: 2n * number }
        })
      })
      peers.push(peer)
      return peer
    }

    sim.host('server').run((on) => {
      const delays = sim.random(`delays of ${on.generation}`)
      const factory = Factory.forProtocol(() => peerOf(on, () => delays.below(500)))
      serve(on, 80, withPolicies(factory, watch.server))
    })
    const delays = sim.random('delays of the client')
    const factory = Factory.forProtocol(() => peerOf(reactor, () => delays.below(500)))
    const endpoint = new TCPClientEndpoint(reactor, 'server', 80)
    const service = new ClientService(reactor, endpoint, withPolicies(factory, watch.client))
    let open = questions.length
    const insist = (number: number): void => {
      service
        .whenConnected()
        .addCallback((peer) => ask(peer, number))
        .addCallback((outcome) => {
          if (outcome === 'lost') reactor.callLater(1000, () => insist(number))
          else if (--open === 0) service.stopService()
        })
    }
    if (open > 0) service.startService()
    for (const { at, number } of questions) reactor.callLater(at, () => insist(number))
    sim.invariant('hooks come in order, and bytes as they were sent', watch.isSilent)
    sim.invariant('every call settles once, with its own answer', () => wrong[0])
    sim.invariant('no call outlives its connection', () => {
      const late = peers.find((peer) => peer.lost && peer.open > 0)
      return late && `${late.open} calls are open`
    })
    sim.eventually('all are answered', () => open === 0, 3_600_000)
    sim.eventually('nobody is connected', () => sim.connections === 0, 3_600_000)
  },
}

function isBad(number: number): boolean {
  return number % 8 === 7
}

interface Wish {
  readonly at: number
  readonly what: 'start' | 'stop' | 'wait'
}

/** A client that is started and stopped at any time: stop always wins, and whoever waits is told something, once. */
export const client: System<Wish> = {
  options: {
    seeds: 250,
    operations: (random) =>
      Array.from({ length: random.between(1, 20) }, () => ({
        at: random.below(60_000),
        what: random.pick(['start', 'stop', 'wait'] as const),
      })),
  },
  stage(sim, list) {
    const watch = new Watch()
    const wrong: string[] = []
    class Idle extends LineReceiver {
      override lineReceived(): void {}
    }
    const idle = Factory.forProtocol(() => new Idle())
    sim.host('server').run((reactor) => serve(reactor, 80, withPolicies(idle, watch.server)))
    const host = sim.host('client')
    const { reactor } = host
    const endpoint = new TCPClientEndpoint(reactor, 'server', 80)
    const service = new ClientService(reactor, endpoint, withPolicies(idle, watch.client))
    /** A stop has come to its end, and no start came after it. */
    let away = true
    let [starts, waiting] = [0, 0]
    const stop = (): void => {
      const before = starts
      service.stopService().addCallback(() => {
        if (starts === before) away = true
      })
    }
    const start = (): void => {
      starts++
      away = false
      service.startService()
    }
    const wait = (): void => {
      let told = 0
      waiting++
      const tell = (): void => {
        waiting--
        if (++told > 1) wrong.push(`one who waited was told ${told} times`)
      }
      service.whenConnected().addCallbacks(tell, tell)
    }
    for (const { at, what } of list) reactor.callLater(at, what === 'start' ? start : what === 'stop' ? stop : wait)
    reactor.callLater(61_000, start)
    reactor.callLater(62_000, () => {
      service.whenConnected().addCallback(() => stop())
    })
    sim.invariant('hooks come in order, and bytes as they were sent', watch.isSilent)
    sim.invariant('everybody is told once', () => wrong[0])
    sim.invariant('a client has one attempt or connection, and no two', () => tooMany(host, 1))
    sim.invariant('a client that was stopped has none', () => (away ? tooMany(host, 0) : undefined))
    sim.eventually('everybody who waited was told', () => waiting === 0 && away, 3_600_000)
    sim.eventually('nobody is connected', () => sim.connections === 0, 3_600_000)
  },
}

function tooMany(host: SimHost, most: number): string | undefined {
  const own = host.netstat().filter(({ state }) => state === 'connecting' || state === 'open')
  return own.length > most ? `it has ${own.length}` : undefined
}

interface Leaving {
  readonly at: number
  readonly drain: number
}

const questionsEach = 5

/** A server that stops now and then and comes back: it takes no longer than it was given, and nobody is left then. */
export const draining: System<Leaving> = {
  options: {
    seeds: 150,
    // A program that is paused or busy cannot keep to any time.
    faults: ['hold', 'slow', 'partition', 'reset', 'cut', 'swizzle'],
    operations: (random) =>
      Array.from({ length: random.between(1, 4) }, () => ({ at: random.below(40_000), drain: random.below(4000) })),
  },
  stage(sim, leavings) {
    const watch = new Watch()
    const wrong: string[] = []
    const { reactor } = sim.host('server')
    let open = 0
    class Server extends LineReceiver {
      #answering = 0
      #stopping = false

      override connectionMade(): void {
        open++
      }

      override lineReceived(line: Uint8Array): void {
        this.#answering++
        deferLater(reactor, 200).addCallback(() => {
          this.sendLine(line)
          if (--this.#answering === 0 && this.#stopping) this.transport.loseConnection()
        })
      }

      override stopping(): void {
        this.#stopping = true
        if (this.#answering === 0) this.transport.loseConnection()
      }

      override connectionLost(): void {
        open--
      }
    }
    const factory = withPolicies(
      Factory.forProtocol(() => new Server()),
      watch.server,
    )
    let port: ListeningPort | undefined
    const listen = (): void => {
      reactor.listenTCP(80, factory).addCallback((opened) => (port = opened))
    }
    listen()
    for (const { at, drain } of leavings) {
      reactor.callLater(at, () => {
        const leaving = port
        if (leaving === undefined) return
        port = undefined
        const before = reactor.now()
        leaving.stopListening({ drain }).addCallback(() => {
          const took = reactor.now() - before
          if (open > 0) wrong.push(`it has stopped, and ${open} are connected`)
          if (took > drain + 1) wrong.push(`it was to take ${drain} ms to stop, and took ${took} ms`)
          listen()
        })
      })
    }

    const client = sim.host('client').reactor
    let answered = 0
    class Client extends LineReceiver {
      override connectionMade(): void {
        for (let number = answered; number < questionsEach; number++) this.sendLine(`${number}`)
      }

      override lineReceived(line: Uint8Array): void {
        if (toText(line) !== `${answered}`) wrong.push(`the answer to ${answered} was ${toText(line)}`)
        answered++
        if (answered === questionsEach) service.stopService()
      }
    }
    const asking = withPolicies(
      Factory.forProtocol(() => new Client()),
      watch.client,
    )
    const service = new ClientService(client, new TCPClientEndpoint(client, 'server', 80), asking)
    client.callLater(sim.random('begin').below(40_000), () => service.startService())
    sim.invariant('hooks come in order, and bytes as they were sent', watch.isSilent)
    sim.invariant('it stops in time, and answers come in order', () => wrong[0])
    sim.eventually('all questions are answered', () => answered === questionsEach, 3_600_000)
    sim.eventually('nobody is connected', () => sim.connections === 0, 3_600_000)
  },
}
