/**
 * A simulated world: hosts on a network in memory, in virtual time. What takes hours takes milliseconds, and happens in
 * the same way every time.
 *
 * Ancestors: `twisted.internet.task.Clock`, `twisted.internet.testing.MemoryReactor` and `twisted.test.iosim`, in one.
 */
import { type IPAddress, IPv4Address, ipAddress } from '../core/address.ts'
import { holdReports, releaseReports, reportNow } from './held-reports.ts'
import { Hop } from './hop.ts'
import type { PipeOptions } from './pipe.ts'
import { RandomStream } from './random-stream.ts'
import { isLoopback, SimHost } from './sim-host.ts'
import { Timeline } from './timeline.ts'
import type { World } from './world.ts'

/** What a simulated world is like. */
export interface SimOptions {
  /** Decides what `reactor.random()` says. 0 unless given. */
  readonly seed?: number | string
  /** When the world begins, in milliseconds since 1970: 2020-01-01 unless given. */
  readonly epoch?: number
  /** From one host to any other, in milliseconds; a host reaches itself at once. 0 unless given. */
  readonly latency?: number
  /** Bytes in a connection's send buffer, at each end. 64 KiB unless given. */
  readonly sendBuffer?: number
  /** Bytes in a connection's receive buffer, at each end. 64 KiB unless given. */
  readonly receiveBuffer?: number
  /** How many events may follow from each other at one instant before `advance` and `run` throw. 10,000 unless given. */
  readonly maxEventsAtOnce?: number
}

/** What a host is like. */
export interface HostOptions {
  /** IP addresses as text. 10.0.0.1 for the first host, 10.0.0.2 for the next, and so on, unless given. */
  readonly addresses?: readonly string[]
}

/** 2020-01-01T00:00:00Z, in milliseconds since 1970. */
const year2020 = 1_577_836_800_000
const oneDay = 86_400_000

/**
 * @example
 * const sim = new Sim()
 * const server = sim.host('server').reactor
 * const client = sim.host('client').reactor
 * server.listenTCP(8000, Factory.forProtocol(() => new Echo()))
 * client.connectTCP('server', 8000, new EchoClientFactory())
 * sim.advance(60_000)
 */
export class Sim {
  readonly #timeline: Timeline
  readonly #world: World
  readonly #names = new Map<string, SimHost>()
  readonly #addresses = new Map<string, SimHost>()

  constructor(options: SimOptions = {}) {
    const { seed = 0, epoch = year2020, latency = 0, sendBuffer = 65_536, receiveBuffer = 65_536 } = options
    if (!(latency >= 0 && latency < Infinity)) {
      throw new RangeError(`a latency is a number of milliseconds, 0 or more, not ${latency}`)
    }
    for (const size of [sendBuffer, receiveBuffer]) {
      if (!Number.isInteger(size) || size < 1) throw new RangeError(`a buffer holds 1 byte or more, not ${size}`)
    }
    this.#timeline = new Timeline(options.maxEventsAtOnce ?? 10_000)
    const link: PipeOptions = { latency: microseconds(latency), sendBuffer, receiveBuffer }
    const loopback: PipeOptions = { ...link, latency: 0 }
    this.#world = {
      epoch,
      randomStream: (name) => new RandomStream(seed, name),
      hostAt: (address, from) => (isLoopback(address) ? from : this.#addresses.get(address.host)),
      lookUp: (name) => (name === 'localhost' ? localhost : this.#names.get(name.toLowerCase())?.addresses),
      pipe: (from, to) => (from === to ? loopback : link),
    }
  }

  /** Milliseconds since the world began. */
  get now(): number {
    return this.#timeline.now / 1000
  }

  /** How many events are to come: timers, bytes on their way, turns. 0 means that nothing will ever happen again. */
  get pending(): number {
    return this.#timeline.size
  }

  /**
   * A new host, which every other one reaches by its name and its addresses.
   *
   * @throws Error if the name or an address is taken
   */
  host(name: string, options: HostOptions = {}): SimHost {
    if (this.#names.has(name.toLowerCase())) throw new Error(`there is a host ${name} already`)
    const texts = options.addresses ?? [this.#nextAddress()]
    const addresses = texts.map((text) => {
      const address = ipAddress(text)
      if (address === undefined) throw new Error(`${name}: ${text} is not an IP address`)
      const owner = this.#addresses.get(address.host)
      if (owner !== undefined) throw new Error(`${name}: the address ${text} belongs to ${owner.name} already`)
      return address
    })
    const host = new SimHost(this.#world, this.#timeline, name, addresses)
    this.#names.set(name.toLowerCase(), host)
    for (const address of addresses) this.#addresses.set(address.host, host)
    return host
  }

  /**
   * Lets time pass, and everything happen that is due by then, now: for programs made of protocols and Deferreds.
   * What waits for a promise goes on only after this has returned; use {@link runFor} for such programs.
   *
   * @throws Error if 10,000 events (`maxEventsAtOnce`) follow from each other and no time passes
   */
  advance(ms = 0): void {
    if (this.#timeline.happening) throw new Error('advance() was called by something that happens in the world itself')
    const end = this.#in(ms)
    while (this.#timeline.step(end));
    this.#timeline.passUntil(end)
  }

  /**
   * The same for programs with promises: after each event, whatever waits for one goes on before the next event. Takes
   * no longer than it must; it never waits for real time.
   *
   * @returns a promise, not a Deferred, because a Deferred would settle in the middle of the last event
   */
  async runFor(ms: number): Promise<void> {
    const end = this.#in(ms)
    await this.#drive(end, () => false)
    this.#timeline.passUntil(end)
  }

  /** Runs until nothing is left to happen. A program that calls itself again and again has no such end. */
  async run(): Promise<void> {
    await this.#drive(Infinity, () => false)
  }

  /**
   * Runs until `outcome` is there, and not a moment longer.
   *
   * @param within milliseconds of virtual time that it may take: a day unless given
   * @returns its value. Fails with its error, or with an Error that says so if it will never settle, or not in time
   */
  async runUntil<T>(outcome: PromiseLike<T>, within = oneDay): Promise<T> {
    let settled = false
    const settle = (): void => {
      settled = true
    }
    outcome.then(settle, settle)
    await this.#drive(this.#in(within), () => settled)
    if (settled) return await outcome
    const why = this.pending === 0 ? 'nothing is left to happen' : `${within} ms are over`
    throw new Error(`at ${this.now} ms, ${why}, and what runUntil() waits for has not settled`)
  }

  /** The moment `ms` from now, in microseconds. */
  #in(ms: number): number {
    if (Number.isFinite(ms) && ms >= 0) return this.#timeline.now + microseconds(ms)
    throw new RangeError(`time passes by a number of milliseconds, 0 or more, not ${ms}`)
  }

  async #drive(limit: number, isOver: () => boolean): Promise<void> {
    const hop = new Hop()
    holdReports()
    try {
      do {
        await hop.microtasks()
        reportNow()
      } while (!isOver() && this.#timeline.step(limit))
    } finally {
      hop.close()
      releaseReports()
    }
  }

  #nextAddress(): string {
    for (let number = 1; ; number++) {
      const address = `10.${number >> 16}.${(number >> 8) & 255}.${number & 255}`
      if (!this.#addresses.has(address)) return address
    }
  }
}

const localhost: readonly IPAddress[] = [new IPv4Address('TCP', '127.0.0.1', 0)]

function microseconds(ms: number): number {
  return Math.round(ms * 1000)
}
