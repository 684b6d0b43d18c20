/**
 * The reactor of one simulated host: virtual time, numbers from the seed, and a network that is all in memory.
 *
 * Every call that a program makes here is answered in a later event, as the real reactor does it. Ancestor:
 * `twisted.internet.testing.MemoryReactorClock`, which records what was asked and leaves the answers to the test.
 */
import { type Address, type IPAddress, ipAddress } from '../core/address.ts'
import type { DelayedCall } from '../core/clock.ts'
import { DNSLookupError, UnsupportedAddress } from '../core/errors.ts'
import { runDelayedCall } from '../core/guard.ts'
import type { Accept, ListeningPort } from '../core/listening-port.ts'
import { type DialOptions, type ListenOptions, Reactor } from '../core/reactor.ts'
import { TimerQueue } from '../core/timer-queue.ts'
import type { Connection } from '../core/transport.ts'
import { Turn } from '../core/turn.ts'
import { Deferred } from '../deferred/deferred.ts'
import { trace } from '../trace/hook.ts'
import { dialTCP } from './dial.ts'
import type { RandomStream } from './random-stream.ts'
import type { SimHost } from './sim-host.ts'
import { SimPort } from './sim-port.ts'
import { SimEvent, type Timeline } from './timeline.ts'
import type { World } from './world.ts'

const noTLS = 'the simulated network has no TLS (leave out `tls`, or use couplet/node)'

export class SimReactor extends Reactor {
  readonly turn: Turn
  readonly #world: World
  readonly #timeline: Timeline
  readonly #host: SimHost
  readonly #random: RandomStream
  readonly #timers: TimerQueue
  readonly #timerDue: SimEvent
  readonly #nextTurn: SimEvent
  /** The instant of the timer that was called last, how deep in it, and which calls are no deeper than that. */
  #instant = -1
  #depth = 0
  #generation = 0
  /** What the next turn begins with. */
  #begin: () => void = () => {}

  /** Made by `sim.host`. */
  constructor(world: World, timeline: Timeline, host: SimHost) {
    super()
    this.#world = world
    this.#timeline = timeline
    this.#host = host
    this.#random = world.randomStream(`host:${host.name}`)
    this.turn = new Turn({
      atEndOfTurn: (f) => timeline.atEndOfTurn(f),
      inNextTurn: (f) => {
        this.#begin = f
        timeline.schedule(this.#nextTurn)
      },
    })
    this.#timers = new TimerQueue(this, () => this.#armTimers())
    this.#timerDue = new SimEvent(this.turn, () => this.#callTimer())
    this.#nextTurn = new SimEvent(this.turn, () => this.#begin())
    trace?.at('proc', this, { name: host.name, clock: 'virtual' })
  }

  override now(): number {
    return this.#timeline.now / 1000
  }

  override wallTime(): number {
    return this.#world.epoch + this.now()
  }

  override random(): number {
    return this.#random.fraction()
  }

  override callLater(ms: number, f: () => unknown): DelayedCall {
    return this.#timers.add(ms, f)
  }

  /** The calls that are to come, in the order in which they will be made. */
  pendingCalls(): readonly DelayedCall[] {
    return this.#timers.pending()
  }

  override resolve(host: string): Deferred<readonly IPAddress[]> {
    const literal = ipAddress(host)
    const answer = new Deferred<readonly IPAddress[]>(() => this.#timeline.cancel(answered))
    const answered = new SimEvent(this.turn, () => {
      const found = literal === undefined ? this.#world.lookUp(host) : [literal]
      if (found === undefined) answer.errback(new DNSLookupError(host))
      else answer.callback(found)
    })
    this.#timeline.schedule(answered)
    return answer
  }

  override dial(address: Address, options: DialOptions = {}): Deferred<Connection> {
    // Rather not at all than in the clear.
    if (options.tls !== undefined) return failed(new UnsupportedAddress(address, noTLS))
    if (isTCP(address)) return dialTCP(this.#world, this.#timeline, this.#host, address, options)
    return failed(new UnsupportedAddress(address))
  }

  override listen(address: Address, accept: Accept, options: ListenOptions = {}): Deferred<ListeningPort> {
    if (!isTCP(address)) return failed(new UnsupportedAddress(address))
    if (options.tls !== undefined) return failed(new UnsupportedAddress(address, noTLS))
    const opened = new Deferred<ListeningPort>(() => this.#timeline.cancel(opening))
    const opening = new SimEvent(this.turn, () => {
      try {
        const free = this.#host.addressToListen(address)
        const port = new SimPort(this.#timeline, this.#host, free, accept, options)
        this.#host.addListener(port)
        opened.callback(port)
      } catch (error) {
        opened.errback(error)
      }
    })
    this.#timeline.schedule(opening)
    return opened
  }

  #armTimers(): void {
    const { next } = this.#timers
    if (next === undefined) {
      this.#timeline.cancel(this.#timerDue)
      return
    }
    const due = Math.max(microseconds(next), this.#timeline.now)
    if (!this.#timerDue.due || this.#timerDue.time !== due) {
      this.#timeline.schedule(
        this.#timerDue,
        due - this.#timeline.now,
        this.#instant === this.#timeline.now ? this.#depth : 0,
      )
    }
  }

  /**
   * Makes one call; if others are due now too, each gets a turn of its own.
   *
   * Calls that had been asked for when this instant began, however many, did not lead to each other; those that came
   * while these were made are one deeper, and so on.
   */
  #callTimer(): void {
    const { next } = this.#timers
    if (next === undefined) return
    if (this.#instant !== this.#timeline.now) {
      this.#instant = this.#timeline.now
      this.#depth = 0
      this.#generation = this.#timers.mark()
    }
    let call = this.#timers.take(next, this.#generation)
    if (call === undefined) {
      this.#timeline.deepen()
      this.#depth = this.#timeline.depth
      this.#generation = this.#timers.mark()
      call = this.#timers.take(next)
    }
    if (call !== undefined) runDelayedCall(this.turn, call)
  }
}

function isTCP(address: Address): address is IPAddress {
  return (address.kind === 'IPv4' || address.kind === 'IPv6') && address.type === 'TCP'
}

function failed(error: Error): Deferred<never> {
  const deferred = new Deferred<never>()
  deferred.errback(error)
  return deferred
}

/** A time in milliseconds, never earlier; but what is only rounding (0.1 + 0.2) is not rounded up. */
function microseconds(ms: number): number {
  return Math.ceil(ms * 1000 - 0.001)
}
