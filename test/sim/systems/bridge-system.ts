/**
 * The bridge to RxJS under faults: nothing is heard by who has left, nothing that was sent while there was no connection is
 * lost, and of an attempt that nobody waits for nothing is left.
 */
import {
  type ConnectionClosed,
  ConnectionDone,
  deferLater,
  Factory,
  LineReceiver,
  Protocol,
  TCPClientEndpoint,
  toText,
  withPolicies,
} from 'couplet'
import { type ConnectionSubject, connect, lines, reactorScheduler, retryWithBackoff } from 'couplet/rx'
import type { SimHost } from 'couplet/sim'
import { map, type Subscription, timeout } from 'rxjs'
import { nothingThatHangsUp, serve, type System } from './poetry-system.ts'
import { Watch } from './watch.ts'

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

interface Deed {
  readonly who: number
  readonly at: number
  readonly what: 'say' | 'come' | 'leave'
}

/** A second more than that, and everybody has to make an end of it. */
const duration = 60_000

/** Says again what it hears. A client that was here has to have said goodbye when it ends well. */
class Echo extends LineReceiver {
  readonly #wrong: (what: string) => void
  #last: string | undefined

  constructor(wrong: (what: string) => void) {
    super()
    this.#wrong = wrong
  }

  override lineReceived(line: Uint8Array): void {
    this.#last = toText(line)
    this.sendLine(line)
  }

  override connectionLost(reason: ConnectionClosed): void {
    // Of an attempt that was given up too late there may be a connection here on which nothing was said.
    if (reason instanceof ConnectionDone && this.#last !== undefined && this.#last !== 'goodbye')
      this.#wrong(`the last word before a clean end was ${this.#last}`)
  }
}

/** Comes and goes as often as it likes, says what it has to say meanwhile, and hears it again. */
class Guest {
  readonly #host: SimHost
  readonly #wrong: (what: string) => void
  readonly #duplex: ConnectionSubject<Uint8Array, string | Uint8Array>
  #subscription: Subscription | undefined
  #said = 0
  /** What is to be said on the next connection. */
  #waiting: string[] = []
  /** What is to be heard on this one. */
  #expected: string[] = []
  /** How many of the timers are the test's own. */
  #deeds = 0
  #leavesSoon = false

  constructor(host: SimHost, watch: Watch, wrong: (what: string) => void) {
    this.#host = host
    this.#wrong = wrong
    const endpoint = new TCPClientEndpoint(host.reactor, 'server', 80)
    this.#duplex = connect({ connect: (factory) => endpoint.connect(withPolicies(factory, watch.client)) }, lines(), {
      opened: {
        next: (conversation) => {
          conversation.send('hello')
          this.#expected = ['hello', ...this.#waiting]
          this.#waiting = []
        },
      },
      closing: { next: () => this.#duplex.next('goodbye') },
    })
  }

  get here(): boolean {
    return this.#subscription !== undefined
  }

  /** Whether it has made an end of it. */
  get over(): boolean {
    return this.#leavesSoon && !this.here
  }

  /** What is left of it when it has left, if anything is. */
  get left(): string | undefined {
    if (this.here) return undefined
    const sockets = this.#host.netstat()
    if (sockets.some(({ state }) => state === 'connecting')) return `${this.#host.name} connects for nobody`
    const timers = this.#host.reactor.pendingCalls().length - this.#deeds
    return sockets.length === 0 && timers > 0 ? `${this.#host.name} has ${timers} timers` : undefined
  }

  at(ms: number, what: 'say' | 'come' | 'leave' | 'end'): void {
    this.#deeds++
    this.#host.reactor.callLater(ms, () => {
      this.#deeds--
      this[what]()
    })
  }

  say(): void {
    const text = `word ${this.#said++}`
    ;(this.#duplex.open ? this.#expected : this.#waiting).push(text)
    this.#duplex.next(text)
  }

  come(): void {
    if (this.here) return
    this.#subscription = this.#duplex
      .pipe(map(toText), retryWithBackoff(this.#host.reactor, { maxDelay: 2000 }))
      .subscribe({
        next: (text) => this.#heard(text),
        error: (error: unknown) => this.#wrong(`it failed with ${String(error)}`),
        complete: () => this.#wrong('it completed, and nobody had closed it'),
      })
  }

  leave(): void {
    const subscription = this.#subscription
    this.#subscription = undefined
    subscription?.unsubscribe()
  }

  /** Leaves as soon as everything is said and heard. */
  end(): void {
    this.#leavesSoon = true
    if (this.#waiting.length > 0) this.come()
    else if (this.#expected.length === 0) this.leave()
  }

  #heard(text: string): void {
    if (!this.here) this.#wrong(`${text} was heard by one who had left`)
    const expected = this.#expected.shift()
    if (text !== expected) this.#wrong(`${text} was heard, and ${expected ?? 'nothing'} would be next`)
    if (this.#leavesSoon && this.#expected.length === 0) this.leave()
  }
}

/** Guests who come, speak and leave at any moment: before there is a connection, while one is being made, and on it. */
export const conversing: System<Deed> = {
  options: {
    seeds: 150,
    duration,
    faults: nothingThatHangsUp,
    operations: (random) =>
      Array.from({ length: random.between(3, 20) }, () => ({
        who: random.below(2),
        // Often within the time that it takes to connect.
        at: random.below(10) * 5000 + random.pick([0, 1, 10, 100, 1000]) * random.below(3),
        what: random.pick(['say', 'say', 'come', 'come', 'leave']),
      })),
  },
  stage(sim, deeds) {
    const wrong: string[] = []
    const complain = (what: string): void => void wrong.push(what)
    const watch = new Watch()
    sim.host('server').run((reactor) => {
      const echoes = Factory.forProtocol(() => new Echo(complain))
      serve(reactor, 80, withPolicies(echoes, watch.server))
    })
    const guests = [0, 1].map((who) => new Guest(sim.host(`guest ${who}`), watch, complain))
    for (const { who, at, what } of deeds) guests[who]!.at(at, what)
    for (const guest of guests) guest.at(duration + 1000, 'end')
    sim.invariant('hooks come in order, and bytes as they were sent', watch.isSilent)
    sim.invariant('what was said is heard, in order', () => wrong[0])
    sim.invariant('of who has left nothing is left', () => guests.find(({ left }) => left !== undefined)?.left)
    sim.eventually('everybody has heard everything, and left', () => guests.every(({ over }) => over), 3_600_000)
    sim.eventually('nobody is connected', () => sim.connections === 0, 3_600_000)
  },
}
