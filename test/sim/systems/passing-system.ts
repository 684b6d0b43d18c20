/**
 * What stands between a program and the network, under faults: a port forward, the bridge to RxJS, and attempts that are
 * given up. Whatever happens, what comes out is a beginning of what went in, and nothing is left behind.
 */
import {
  CancelledError,
  type ClientEndpoint,
  ConnectingCancelledError,
  type ConnectionClosed,
  ConnectionDone,
  deferLater,
  Factory,
  portForward,
  Protocol,
  TCPClientEndpoint,
  toText,
  withPolicies,
} from 'couplet'
import { connect, lines, reactorScheduler, retryWithBackoff } from 'couplet/rx'
import { pattern } from 'couplet/testing'
import { map, type Subscription, timeout } from 'rxjs'
import { nothingThatHangsUp, serve, type System } from './poetry-system.ts'
import { Watch } from './watch.ts'

/** Says so many bytes of the pattern, then ends its side; and looks whether it hears the pattern. */
class Speaker extends Protocol {
  received = 0
  readonly #length: number
  readonly #wrong: (what: string) => void
  readonly #lost: (reason: ConnectionClosed, received: number) => void

  constructor(
    length: number,
    wrong: (what: string) => void,
    lost: (reason: ConnectionClosed, received: number) => void = () => {},
  ) {
    super()
    this.#length = length
    this.#wrong = wrong
    this.#lost = lost
  }

  override connectionMade(): void {
    for (let from = 0; from < this.#length; from += 1000)
      this.transport.write(pattern(Math.min(1000, this.#length - from), from))
    this.transport.loseWriteConnection()
  }

  override dataReceived(chunk: Uint8Array): void {
    const whole = pattern(chunk.length, this.received)
    if (chunk.some((byte, index) => byte !== whole[index]))
      this.#wrong(`bytes from ${this.received} on are not those that were said`)
    this.received += chunk.length
  }

  override readConnectionLost(): void {
    this.transport.loseConnection()
  }

  override connectionLost(reason: ConnectionClosed): void {
    this.#lost(reason, this.received)
  }
}

interface Errand {
  readonly at: number
  readonly length: number
}

const answerLength = 2000

/** Clients talk to a server through a port forward; both hear a beginning, and all of it where the end is clean. */
export const forward: System<Errand> = {
  options: {
    seeds: 150,
    faults: nothingThatHangsUp,
    // A forwarder reports whom it could not connect.
    reports: 'allowed',
    operations: (random) =>
      Array.from({ length: random.between(1, 5) }, () => ({ at: random.below(20_000), length: random.below(3000) })),
    // Who waits to close gives a link 5 s on which nothing moves.
    knobs: ({ segmentSize: _segmentSize, latency = 0, bandwidth = 1e6, ...drawn }) => ({
      ...drawn,
      latency: Math.min(latency, 100),
      bandwidth: Math.max(bandwidth, 50_000),
    }),
  },
  stage(sim, errands) {
    const watch = new Watch()
    const wrong: string[] = []
    const complain = (what: string): void => void wrong.push(what)
    sim.host('server').run((reactor) => {
      const speakers = Factory.forProtocol(() => new Speaker(answerLength, complain))
      serve(reactor, 80, withPolicies(speakers, watch.server))
    })
    sim.host('forwarder').run((reactor) => {
      const server = new TCPClientEndpoint(reactor, 'server', 80)
      const watched: ClientEndpoint = { connect: (factory) => server.connect(withPolicies(factory, watch.client)) }
      const factory = new portForward.ProxyFactory(watched)
      serve(reactor, 8000, withPolicies(factory, watch.server))
    })
    const { reactor } = sim.host('client')
    const endpoint = new TCPClientEndpoint(reactor, 'forwarder', 8000)
    let open = errands.length
    for (const { at, length } of errands) {
      const again = (): void => void reactor.callLater(1000, go)
      const go = (): void => {
        const lost = (reason: ConnectionClosed, received: number): void => {
          if (received > answerLength) complain(`${received} bytes of ${answerLength} were heard`)
          if (!(reason instanceof ConnectionDone)) again()
          else if (received === answerLength) open--
          else complain(`a clean end after ${received} of ${answerLength} bytes`)
        }
        const factory = Factory.forProtocol(() => new Speaker(length, complain, lost))
        endpoint.connect(withPolicies(factory, watch.client)).addErrback(again)
      }
      reactor.callLater(at, go)
    }
    sim.invariant('hooks come in order, and bytes as they were sent', watch.isSilent)
    sim.invariant('what comes out is what went in', () => wrong[0])
    sim.eventually('everybody has heard everything', () => open === 0, 3_600_000)
    sim.eventually('nobody is connected', () => sim.connections === 0, 3_600_000)
  },
}

interface Subscribing {
  readonly at: number
  readonly stays: number
}

/** A ticker that is subscribed to and left at any time: nothing is heard after that, and the connection goes too. */
export const observed: System<Subscribing> = {
  options: {
    seeds: 150,
    operations: (random) =>
      Array.from({ length: random.between(1, 8) }, () => ({
        at: random.below(40_000),
        stays: random.chance(1, 5) ? random.below(20) : random.below(20_000),
      })),
  },
  stage(sim, list) {
    const wrong: string[] = []
    const watch = new Watch()
    sim.host('server').run((reactor) => {
      const ticking = Factory.forProtocol(() => new Ticker((ms) => deferLater(reactor, ms)))
      serve(reactor, 80, withPolicies(ticking, watch.server))
    })
    const { reactor } = sim.host('client')
    const scheduler = reactorScheduler(reactor)
    let open = 0
    for (const { at, stays } of list) {
      reactor.callLater(at, () => {
        let next = 0
        let left = false
        const messages = connect(new TCPClientEndpoint(reactor, 'server', 80), lines(), {
          opened: {
            next() {
              next = 0
              if (left) wrong.push('a connection was made for nobody')
            },
          },
        }).pipe(map(toText), timeout({ each: 5000, scheduler }), retryWithBackoff(reactor, { maxDelay: 2000 }))
        let subscription: Subscription | undefined
        open++
        subscription = messages.subscribe({
          next(text) {
            if (left) wrong.push(`${text} came after the end`)
            if (text !== `tick ${next}`) wrong.push(`${text} came, and tick ${next} would be the next`)
            next++
          },
          error: (error: unknown) => wrong.push(`it failed with ${String(error)}`),
          // A server that is killed ends its connections as one does that has finished.
          complete: () => (subscription = undefined),
        })
        reactor.callLater(stays, () => {
          left = true
          open--
          subscription?.unsubscribe()
        })
      })
    }
    sim.invariant('hooks come in order, and bytes as they were sent', watch.isSilent)
    sim.invariant('messages come in order, and none after the end', () => wrong[0])
    sim.eventually('everybody has left', () => open === 0, 3_600_000)
    sim.eventually('nobody is connected', () => sim.connections === 0, 3_600_000)
  },
}

/** Says `tick 0`, `tick 1`, … until its connection is lost. */
class Ticker extends Protocol {
  readonly #later: (ms: number) => { addCallback(f: () => void): unknown }
  #gone = false

  constructor(later: (ms: number) => { addCallback(f: () => void): unknown }) {
    super()
    this.#later = later
  }

  override connectionMade(): void {
    this.#tick(0)
  }

  override connectionLost(): void {
    this.#gone = true
  }

  #tick(number: number): void {
    if (this.#gone) return
    this.transport.write(`tick ${number}\r\n`)
    this.#later(100).addCallback(() => this.#tick(number + 1))
  }
}

/** Attempts that are given up at any moment: each settles once, as was asked for, and no connection is left of it. */
export const givenUp: System<Subscribing> = {
  options: {
    seeds: 250,
    operations: (random) =>
      Array.from({ length: random.between(1, 12) }, () => ({
        at: random.below(60_000),
        stays: random.chance(1, 2) ? random.below(50) : random.below(40_000),
      })),
  },
  stage(sim, list) {
    const wrong: string[] = []
    const watch = new Watch()
    class Idle extends Protocol {
      made = false

      override connectionMade(): void {
        this.made = true
      }
    }
    sim.host('server').run((reactor) =>
      serve(
        reactor,
        80,
        withPolicies(
          Factory.forProtocol(() => new Idle()),
          watch.server,
        ),
      ),
    )
    const { reactor } = sim.host('client')
    let open = list.length
    for (const { at, stays } of list) {
      reactor.callLater(at, () => {
        let settled = 0
        let cancelled = false
        let protocol: Idle | undefined
        const attempt = new TCPClientEndpoint(reactor, 'server', 80).connect(
          withPolicies(
            Factory.forProtocol(() => new Idle()),
            watch.client,
          ),
        )
        const settle = (): void => {
          open--
          if (++settled > 1) wrong.push(`an attempt settled ${settled} times`)
        }
        attempt.addCallbacks(
          (made) => {
            settle()
            if (cancelled) wrong.push('a connection came of an attempt that was given up')
            protocol = made
          },
          ({ value }) => {
            settle()
            const isCancelled = value instanceof CancelledError || value instanceof ConnectingCancelledError
            if (cancelled && !isCancelled) wrong.push(`given up, and failed with ${String(value)}`)
            if (!cancelled && isCancelled) wrong.push('cancelled by nobody')
          },
        )
        reactor.callLater(stays, () => {
          if (protocol !== undefined) protocol.transport.loseConnection()
          else if (settled === 0) {
            cancelled = true
            attempt.cancel()
            if (settled === 0) wrong.push('an attempt that was given up did not settle')
          }
        })
      })
    }
    sim.invariant('hooks come in order, and bytes as they were sent', watch.isSilent)
    sim.invariant('every attempt settles once, as was asked for', () => wrong[0])
    sim.eventually('all have settled', () => open === 0, 3_600_000)
    sim.eventually('nobody is connected', () => sim.connections === 0, 3_600_000)
  },
}
