/**
 * The reactor of one simulated host: virtual time, numbers from the seed, and a network that is all in memory.
 *
 * Every call that a program makes here is answered in a later event, as the real reactor does it. Ancestor:
 * `twisted.internet.testing.MemoryReactorClock`, which records what was asked and leaves the answers to the test.
 */
import { type Address, type IPAddress, ipAddress, type ProcessAddress } from '../core/address.ts'
import { type ChildProcess, dialProcess, type SpawnOptions } from '../core/child-process.ts'
import type { DelayedCall } from '../core/clock.ts'
import type { DatagramPort } from '../core/datagram-port.ts'
import type { DatagramOptions } from '../core/datagram-transport.ts'
import { attemptCancelled, CannotListenError, UnsupportedAddress } from '../core/errors.ts'
import { runDelayedCall } from '../core/guard.ts'
import type { Accept, ListeningPort } from '../core/listening-port.ts'
import { type DialOptions, type ListenOptions, Reactor } from '../core/reactor.ts'
import { listenAtStandardIO, standardIO, whyNoStandardIO } from '../core/standard-io.ts'
import type { ConnectionLimits } from '../core/stream-connection.ts'
import { TimerQueue } from '../core/timer-queue.ts'
import type { Connection } from '../core/transport.ts'
import { checkTLSOptions } from '../core/tls.ts'
import { Turn } from '../core/turn.ts'
import { Deferred } from '../deferred/deferred.ts'
import { trace } from '../trace/hook.ts'
import { Attempt } from './network/attempt.ts'
import type { Network } from './network/network.ts'
import type { Place, Placed, PortTable } from './network/port-table.ts'
import { SimDatagramPort } from './network/sim-datagram-port.ts'
import { SimPort } from './network/sim-port.ts'
import { keyOf, type RandomStream, scrambled } from './random-stream.ts'
import type { SimHost } from './sim-host.ts'
import { SimProcess } from './sim-process.ts'
import { checkServerOptions } from './tls/session.ts'
import { SimEvent, type Timeline } from './timeline.ts'

/** Whose reactor it is. */
export interface SimReactorPlan {
  /** What it is called in traces. */
  readonly name: string
  /** The name of its stream of numbers. */
  readonly stream: string
  /** 1 for the first program of its kind, 2 after its first restart, and so on. */
  readonly generation: number
}

export class SimReactor extends Reactor {
  readonly turn: Turn
  /** The program, as its kernel sees it. */
  readonly process: SimProcess
  /** 1 for the host's first program, 2 after its first restart, and so on; 1 for every child process. */
  readonly generation: number
  /** Makes a connection of its standard input and output, once, if it has them. Set by the process that it is of. */
  openStandardIO: ((limits: ConnectionLimits) => Connection | undefined) | undefined
  readonly #network: Network
  readonly #timeline: Timeline
  readonly #host: SimHost
  readonly #random: RandomStream
  readonly #timers: TimerQueue
  readonly #timerDue: SimEvent
  readonly #nextTurn: SimEvent
  readonly #key: number
  /** The instant of the timer that was called last, how deep in it, and which calls are no deeper than that. */
  #instant = -1
  #depth = 0
  #mark = 0
  /** What the next turn begins with. */
  #begin: () => void = () => {}

  /** Made by `sim.host`, and by `host.restart`. */
  constructor(network: Network, host: SimHost, { name, stream, generation }: SimReactorPlan) {
    super()
    const { timeline } = network
    this.#network = network
    this.#timeline = timeline
    this.#host = host
    this.generation = generation
    this.#random = network.random(stream)
    this.#key = keyOf(stream)
    this.process = new SimProcess(timeline)
    this.turn = this.process.turn = new Turn({
      atEndOfTurn: (f) => timeline.atEndOfTurn(f),
      inNextTurn: (f) => {
        this.#begin = f
        timeline.schedule(this.#nextTurn)
      },
    })
    this.#timers = new TimerQueue(this, () => this.#armTimers(), after)
    this.#timerDue = this.#event(1, () => this.#callTimer())
    this.#nextTurn = this.#event(2, () => this.#begin())
    trace?.at('proc', this, { name, clock: 'virtual' })
  }

  override now(): number {
    return this.process.now / 1000
  }

  override wallTime(): number {
    return this.#host.clock.read(this.now())
  }

  override random(): number {
    return this.#random.fraction()
  }

  override callLater(ms: number, f: () => unknown): DelayedCall {
    return this.#timers.add(ms, f)
  }

  /** The program computes for so many milliseconds: nothing of it runs until then, and the world goes on. */
  busy(ms: number): void {
    if (!(ms >= 0 && ms < Infinity)) throw new RangeError(`a program is busy for 0 or more milliseconds, not ${ms}`)
    const us = Math.round(ms * 1000)
    trace?.at('busy', this, { us, p: this })
    this.process.busy(us)
  }

  /** The calls that are to come, in the order in which they will be made. */
  pendingCalls(): readonly DelayedCall[] {
    return this.#timers.pending()
  }

  override resolve(host: string): Deferred<readonly IPAddress[]> {
    const literal = ipAddress(host)
    const answer = new Deferred<readonly IPAddress[]>(() => this.#timeline.cancel(answered))
    const answered = this.#event(3, () => {
      const found = literal === undefined ? this.#network.names.lookUp(host) : [literal]
      if (found instanceof Error) answer.errback(found)
      else if (found !== undefined) answer.callback(found)
    })
    this.#schedule(answered)
    return answer
  }

  override dial(address: Address, options: DialOptions = {}): Deferred<Connection> {
    if (address.kind === 'process') return dialProcess(this, address, options)
    if (address.kind === 'stdio' && this.openStandardIO !== undefined) return this.#dialStandardIO(options)
    if (!isPlace(address)) return failed(new UnsupportedAddress(address))
    if (this.process.dead) return new Deferred<Connection>()
    try {
      if (options.tls !== undefined) checkTLSOptions('client', options.tls)
    } catch (error) {
      return failed(error as TypeError)
    }
    return new Attempt(this.#network, this.#host, this, address, options).result
  }

  override listen(address: Address, accept: Accept, options: ListenOptions = {}): Deferred<ListeningPort> {
    if (address.kind === 'stdio' && this.openStandardIO !== undefined) return listenAtStandardIO(this, accept, options)
    if (!isPlace(address)) return failed(new UnsupportedAddress(address))
    return this.#later(4, () => {
      if (options.tls !== undefined) checkServerOptions(address, options.tls)
      const host = this.#host
      const port = new SimPort(this.#timeline, host, this, this.#free(host.ports, address), accept, options)
      this.process.descriptors.add(port)
      host.ports.addListener(port)
      return port
    })
  }

  override bind(address: IPAddress, options: DatagramOptions = {}): Deferred<DatagramPort> {
    if (address.type !== 'UDP') return failed(new UnsupportedAddress(address, 'datagrams need an address of type UDP'))
    return this.#later(6, () => {
      const free = this.#free(this.#host.datagramPorts, address) as IPAddress
      return new SimDatagramPort(this.#network, this.#host, this, free, options)
    })
  }

  override spawn(address: ProcessAddress, options: SpawnOptions = {}): Deferred<ChildProcess> {
    const cancelled = (reason: unknown): Error => attemptCancelled(address, reason)
    const started = this.#later(7, () => this.#host.start(this, address, options), cancelled)
    return started.addErrback((failure): ChildProcess => {
      const { name } = failure.value as Error
      trace?.at('conn.fail', started, { addr: String(address), reason: name, p: this })
      throw failure.value
    })
  }

  #dialStandardIO(options: DialOptions): Deferred<Connection> {
    const cancelled = (reason: unknown): Error => attemptCancelled(standardIO, reason)
    const dial = (): Connection => {
      const connection = options.tls === undefined ? this.openStandardIO?.(options) : undefined
      if (connection !== undefined) return connection
      throw whyNoStandardIO(options, true) as Error
    }
    return this.#later(8, dial, cancelled)
  }

  /** Calls `f` in a later event. For what belongs to this reactor. */
  inLaterEvent(f: () => void): void {
    this.#schedule(this.#event(5, f))
  }

  /** @throws CannotListenError */
  #free<Port extends Placed>(ports: PortTable<Port>, address: Place): Place {
    const free = ports.addressToListen(address)
    if (this.#host.hasDescriptor(this.process)) return free
    throw new CannotListenError(address, 'too many open files (the host has a limit)')
  }

  /** Fires in a later event with what `make` returns then, or fails with what it throws. */
  #later<T>(purpose: number, make: () => T, cancelled?: (reason: unknown) => Error): Deferred<T> {
    const made: Deferred<T> = new Deferred<T>((_, reason) => {
      this.#timeline.cancel(making)
      if (cancelled !== undefined) made.errback(cancelled(reason))
    })
    const making = this.#event(purpose, () => {
      try {
        made.callback(make())
      } catch (error) {
        made.errback(error)
      }
    })
    this.#schedule(making)
    return made
  }

  #event(purpose: number, happen: () => void): SimEvent {
    return new SimEvent(this.process, 'program', scrambled(this.#key + purpose), happen)
  }

  /** Something that this process asked for happens, a little later; never, if it is dead. */
  #schedule(event: SimEvent): void {
    if (!this.process.dead) this.#timeline.schedule(event, this.process.now - this.#timeline.now)
  }

  #armTimers(): void {
    const { next } = this.#timers
    if (next === undefined || this.process.dead) {
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
      this.#mark = this.#timers.mark()
    }
    let call = this.#timers.take(next, this.#mark)
    if (call === undefined) {
      this.#timeline.deepen()
      this.#depth = this.#timeline.depth
      this.#mark = this.#timers.mark()
      call = this.#timers.take(next)
    }
    if (call !== undefined) runDelayedCall(this.turn, call)
  }
}

function isPlace(address: Address): address is Place {
  return address.kind === 'UNIX' || ((address.kind === 'IPv4' || address.kind === 'IPv6') && address.type === 'TCP')
}

function failed(error: Error): Deferred<never> {
  const deferred = new Deferred<never>()
  deferred.errback(error)
  return deferred
}

/** A moment of the timeline, which is in milliseconds here, in its whole microseconds. */
function microseconds(moment: number): number {
  return Math.round(moment * 1000)
}

/**
 * The moment `ms` after another one: the first that the clock can show at which no less than `ms` have passed, whether
 * somebody counts them or adds them up as milliseconds, which are not exact. So no timer is ever early.
 */
function after(moment: number, ms: number): number {
  let us = Math.ceil(ms * 1000)
  // The product is rounded as well: 0.07 * 1000 is a little more than 70.
  if ((us - 1) / 1000 >= ms) us--
  else if (us / 1000 < ms) us++
  us += microseconds(moment)
  return (us / 1000 < moment + ms ? us + 1 : us) / 1000
}
