/**
 * A simulated world: hosts on a network in memory, in virtual time. What takes hours takes milliseconds, and happens in
 * the same way every time.
 *
 * Ancestors: `twisted.internet.task.Clock`, `twisted.internet.testing.MemoryReactor` and `twisted.test.iosim`, in one.
 */
import { ipAddress } from '../core/address.ts'
import { Turn } from '../core/turn.ts'
import { forbidEscapes, type SimEscape } from './escape.ts'
import { Expectations, type Invariant, PromiseBroken } from './expectations.ts'
import type { Fault } from './faults/fault.ts'
import { FaultSchedule } from './faults/fault-schedule.ts'
import { holdReports, releaseReports, reportNow } from './held-reports.ts'
import { Hop } from './hop.ts'
import type { NameAnswer } from './network/name-service.ts'
import { Link } from './network/link.ts'
import { type LinkOptions, linkTerms } from './network/link-options.ts'
import { Network } from './network/network.ts'
import type { Rule } from './network/packet.ts'
import { socketTable } from './network/sockets.ts'
import type { Executables } from './processes/executable.ts'
import type { ScriptedProcess } from './processes/scripted-process.ts'
import { keyOf, type RandomStream } from './random-stream.ts'
import { SimHost } from './sim-host.ts'
import { SimProcess } from './sim-process.ts'
import { SimEvent, Timeline } from './timeline.ts'
import type { ClockOptions } from './wall-clock.ts'

/** What a simulated world is like. What it says about links holds for all of them, until `sim.link` changes one. */
export interface SimOptions extends LinkOptions {
  /** Decides what `reactor.random()` says, and everything else that is left to chance. 0 unless given. */
  readonly seed?: number | string
  /** When the world begins, in milliseconds since 1970: 2020-01-01 unless given. */
  readonly epoch?: number
  /** In which order things of one instant happen: as they were asked for, or as the seed says. `in order` unless given. */
  readonly ties?: 'in order' | 'shuffled'
  /** How many events may follow from each other at one instant before `advance` and `run` throw. 10,000 unless given. */
  readonly maxEventsAtOnce?: number
  /** Whether what happens may ask the real world for the time or for chance. `forbidden` unless given. */
  readonly escapes?: 'forbidden' | 'allowed'
}

/** What a host is like. */
export interface HostOptions {
  /** IP addresses as text. 10.0.0.1 for the first host, 10.0.0.2 for the next, and so on, unless given. */
  readonly addresses?: readonly string[]
  /** How many sockets and pipes each of its processes may have open at once. Any number unless given. */
  readonly descriptors?: number
  /** How wrong its date is. Right unless given. */
  readonly clock?: ClockOptions
  /** The programs that can be started there as child processes. None unless given. */
  readonly executables?: Executables
}

/** 2020-01-01T00:00:00Z, in milliseconds since 1970. */
const year2020 = 1_577_836_800_000
const oneDay = 86_400_000
const tenMinutes = 600_000

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
  readonly #network: Network
  readonly #guarded: boolean
  readonly #faults: FaultSchedule
  /** To whom everything happens that is nobody's: faults, and what a test wants. */
  readonly #fate: SimProcess
  readonly #fateKey: number
  readonly #expectations = new Expectations()
  /** What ends the world as soon as the present event is over. */
  #broken: Error | undefined

  constructor(options: SimOptions = {}) {
    const { seed = 0, epoch = year2020, maxEventsAtOnce = 10_000, ties = 'in order', escapes = 'forbidden' } = options
    const shuffle = ties === 'shuffled' ? keyOf(`${seed}/ties`) : undefined
    this.#timeline = new Timeline({ mostDepth: maxEventsAtOnce, shuffle })
    this.#network = new Network(this.#timeline, seed, epoch, linkTerms(options))
    this.#guarded = escapes === 'forbidden'
    this.#fateKey = keyOf(`${seed}/fate`)
    this.#fate = new SimProcess(this.#timeline)
    this.#fate.turn = new Turn({
      atEndOfTurn: (f) => this.#timeline.atEndOfTurn(f),
      inNextTurn: (f) => void this.after(0, f),
    })
    const afflicted = {
      network: this.#network,
      link: (one: string, other: string): Link => this.link(one, other),
      host: (name: string): SimHost => this.#known(name),
      later: (ms: number, f: () => void): (() => void) => this.after(ms, f),
    }
    this.#faults = new FaultSchedule(afflicted, () => this.now)
  }

  /** Milliseconds since the world began. */
  get now(): number {
    return this.#timeline.now / 1000
  }

  /** How many events are to come: timers, bytes on their way, turns. 0 means that nothing will ever happen again. */
  get pending(): number {
    return this.#timeline.size
  }

  /** How many events have happened. */
  get events(): number {
    return this.#timeline.happened
  }

  /** The same for two worlds only if the same has happened in both of them, in the same order. */
  get hash(): string {
    return this.#timeline.hash
  }

  /* ---------------------------------------------------------------- what there is */

  /**
   * A new host, which every other one reaches by its name and its addresses.
   *
   * @throws Error if the name or an address is taken
   */
  host(name: string, options: HostOptions = {}): SimHost {
    if (this.#network.hostNamed(name) !== undefined) throw new Error(`there is a host ${name} already`)
    const texts = options.addresses ?? [this.#nextAddress()]
    const addresses = texts.map((text) => {
      const address = ipAddress(text)
      if (address === undefined) throw new Error(`${name}: ${text} is not an IP address`)
      const owner = this.#network.owner(address.host)
      if (owner !== undefined) throw new Error(`${name}: the address ${text} belongs to ${owner.name} already`)
      return address
    })
    const host = new SimHost(this.#network, name, addresses, options)
    host.descriptorLimit = options.descriptors ?? Infinity
    this.#network.add(host)
    return host
  }

  /** All hosts, in the order in which they were made. */
  get hosts(): readonly SimHost[] {
    return this.#network.hosts
  }

  /** What lies between two hosts, to change it. @throws Error if there is no such host, or both are the same */
  link(one: string, other: string): Link {
    const [from, to] = [this.#known(one), this.#known(other)]
    if (from === to) throw new Error(`${one} reaches itself without a link`)
    const paths = [this.#network.path(from, to), this.#network.path(to, from)]
    return new Link(paths, (end) => {
      this.#disturbed(from, to)
      return this.#faults.begun(end)
    })
  }

  /**
   * Whoever looks `name` up gets this answer from now on, whether a host has that name or not; `undefined` takes it back.
   *
   * @throws RangeError if it is a list in which something is not an IP address
   */
  name(name: string, answer: NameAnswer | undefined): void {
    this.#network.names.answer(name, answer)
  }

  /** The stream of numbers with this name: for what a test leaves to chance. A new one each time, from its beginning. */
  random(name: string): RandomStream {
    return this.#network.random(`test:${name}`)
  }

  /**
   * Lets `rule` decide what becomes of each packet that is about to arrive at another host; of several rules the first
   * that says something counts.
   *
   * @returns a function that takes it back
   */
  rule(rule: Rule): () => void {
    const { rules } = this.#network
    rules.push(rule)
    return this.#faults.begun(() => rules.splice(rules.indexOf(rule), 1))
  }

  /** Lets these things go wrong, each at its time. @throws Error if one is about a host that is not there */
  faults(faults: readonly Fault[]): void {
    this.#faults.add(faults)
  }

  /**
   * Makes everything well: no fault is on any more and none is to come, rules are taken back, hosts that had crashed are
   * started and those that were paused go on.
   */
  heal(): void {
    this.#faults.end()
    for (const host of this.hosts) {
      host.restart()
      host.resume()
    }
    this.#expectations.healed(this.now)
  }

  /**
   * Calls `f` in so many milliseconds, as something that happens to the world: whichever program is busy or dead.
   *
   * @returns a function that takes it back
   */
  after(ms: number, f: () => void): () => void {
    const event = new SimEvent(this.#fate, 'kernel', this.#fateKey, f)
    this.#timeline.schedule(event, this.#in(ms) - this.#timeline.now)
    return () => this.#timeline.cancel(event)
  }

  /**
   * Looks after every event whether something holds that always should.
   *
   * @param holds says what is wrong, or nothing if it holds; or throws
   */
  invariant(name: string, holds: Invariant): void {
    this.#expectations.addInvariant(name, holds)
  }

  /**
   * Promises that something comes true once everything is well again: {@link quiesce} waits for it.
   *
   * @param within milliseconds from {@link heal} on. Ten minutes unless given
   */
  eventually(name: string, came: () => boolean, within = tenMinutes): void {
    this.#expectations.addPromise(name, came, within)
  }

  /** How many connections are open or opening. */
  get connections(): number {
    return this.#network.connections.size
  }

  /** All sockets of all hosts as a table, a line each. */
  netstat(): string {
    return socketTable(this.hosts.flatMap((host) => host.netstat())).join('\n')
  }

  /** How the world stands: what is to come, and what is open. For whoever asks why nothing happens any more. */
  explain(): string {
    const programs = this.hosts.flatMap((host) => {
      const calls = host.reactor.pendingCalls()
      const state = host.crashed ? 'crashed' : host.paused ? 'paused' : 'runs'
      const next = calls[0] === undefined ? 'no timers' : `${calls.length} timers, the next at ${calls[0].time} ms`
      return [`  ${host.name}: ${state}, ${next}`, ...host.children.map(stateOf)]
    })
    return [`at ${this.now} ms, ${this.pending} events are to come`, ...programs, this.netstat()].join('\n')
  }

  /* ---------------------------------------------------------------- time */

  /**
   * Lets time pass, and everything happen that is due by then, now: for programs made of protocols and Deferreds.
   * What waits for a promise goes on only after this has returned; use {@link runFor} for such programs.
   *
   * @throws Error if 10,000 events (`maxEventsAtOnce`) follow from each other and no time passes; if an invariant does
   *   not hold; SimEscape if something asked the real world for the time or for chance
   */
  advance(ms = 0): void {
    if (this.#timeline.happening) throw new Error('advance() was called by something that happens in the world itself')
    const end = this.#in(ms)
    const release = this.#guard()
    try {
      while (this.#step(end));
    } finally {
      release()
    }
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
    throw new Error(`at ${this.now} ms, ${why}, and what runUntil() waits for has not settled\n${this.explain()}`)
  }

  /**
   * Makes everything well, and lets time pass until all that was promised has come true and nothing is left to happen.
   *
   * @param within milliseconds that it may take: a day unless given
   * @throws PromiseBroken if it takes longer, and says what is missing; and as {@link advance} does
   */
  quiesce(within = oneDay): void {
    this.heal()
    const end = this.#in(within)
    const release = this.#guard()
    try {
      while (this.#step(end)) this.#checkPromises()
    } finally {
      release()
    }
    this.#checkQuiet()
  }

  /** The same for programs with promises, as {@link runFor} is to {@link advance}. */
  async runToQuiescence(within = oneDay): Promise<void> {
    this.heal()
    await this.#drive(this.#in(within), () => {
      this.#checkPromises()
      return false
    })
    this.#checkQuiet()
  }

  /** The moment `ms` from now, in microseconds. */
  #in(ms: number): number {
    if (Number.isFinite(ms) && ms >= 0) return this.#timeline.now + Math.round(ms * 1000)
    throw new RangeError(`time passes by a number of milliseconds, 0 or more, not ${ms}`)
  }

  async #drive(limit: number, isOver: () => boolean): Promise<void> {
    const hop = new Hop()
    const release = this.#guard()
    holdReports()
    try {
      do {
        await hop.microtasks()
        reportNow()
        this.#throwIfBroken()
      } while (!isOver() && this.#step(limit))
    } finally {
      hop.close()
      releaseReports()
      release()
    }
  }

  #step(limit: number): boolean {
    const stepped = this.#timeline.step(limit)
    this.#expectations.checkInvariants(this.now)
    this.#throwIfBroken()
    return stepped
  }

  #throwIfBroken(): void {
    const broken = this.#broken
    this.#broken = undefined
    if (broken !== undefined) throw broken
  }

  #guard(): () => void {
    if (!this.#guarded) return () => {}
    return forbidEscapes((escape: SimEscape) => {
      this.#broken ??= escape
    })
  }

  /** @throws PromiseBroken */
  #checkPromises(): void {
    const late = this.#expectations.late(this.now)
    if (late !== undefined) throw new PromiseBroken(this.now, late, this.explain())
  }

  #checkQuiet(): void {
    this.#checkPromises()
    const what = this.pending > 0 ? 'the world has not come to rest' : this.#expectations.never()
    if (what !== undefined) throw new PromiseBroken(this.now, what, this.explain())
  }

  #known(name: string): SimHost {
    const host = this.#network.hostNamed(name)
    if (host !== undefined) return host
    const names = this.hosts.map((known) => known.name).join(', ')
    throw new Error(`there is no host ${name} (there are: ${names})`)
  }

  /** Connections between the two may never hear from each other again, and find out by asking. */
  #disturbed(one: SimHost, other: SimHost): void {
    for (const end of [...one.ends, ...other.ends]) {
      const far = end.otherEnd.machine
      if (far !== end.machine && (far === one || far === other)) end.wonders()
    }
  }

  #nextAddress(): string {
    for (let number = 1; ; number++) {
      const address = `10.${number >> 16}.${(number >> 8) & 255}.${number & 255}`
      if (this.#network.owner(address) === undefined) return address
    }
  }
}

/** A child process, for whoever asks why nothing happens any more. */
function stateOf({ pid, address, stopped, exiting, unread, reactor }: ScriptedProcess): string {
  const state = exiting ? `exits when ${unread.output} bytes are read` : stopped ? 'stopped' : 'runs'
  return `    pid ${pid}, ${address}: ${state}, ${reactor.pendingCalls().length} timers`
}
