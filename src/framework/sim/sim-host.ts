/**
 * A machine of the simulated world: its name, its addresses, what its kernel keeps, and the program that runs on it.
 *
 * The program can be busy, be stopped, crash and be started again; the kernel's side of it goes on meanwhile as a real
 * one would. No ancestor: Twisted's fakes know one process only.
 */
import type { Address, IPAddress, ProcessAddress } from '../core/address.ts'
import type { ChildProcess, SpawnOptions } from '../core/child-process.ts'
import { SpawnError } from '../core/process-errors.ts'
import { trace } from '../trace/hook.ts'
import type { Attempt } from './network/attempt.ts'
import type { Network } from './network/network.ts'
import { once } from './network/path.ts'
import { PortTable } from './network/port-table.ts'
import type { SimConnection } from './network/sim-connection.ts'
import type { SimDatagramPort } from './network/sim-datagram-port.ts'
import type { SimPort } from './network/sim-port.ts'
import { type SocketInfo, socketsOf } from './network/sockets.ts'
import { findExecutable, type Executables } from './processes/executable.ts'
import type { ScriptedProcess } from './processes/scripted-process.ts'
import { SimChild } from './processes/sim-child.ts'
import type { Descriptor, SimProcess } from './sim-process.ts'
import { SimReactor } from './sim-reactor.ts'
import { type ClockOptions, WallClock } from './wall-clock.ts'

/**
 * How a program ends that did not mean to. `process`: it is killed, and its kernel closes what it had open, so its peers
 * hear of it, and so do its child processes, which live on. `power`: the machine is off, and nobody hears anything.
 */
export type CrashKind = 'process' | 'power'

/** What a machine is like. @inline */
interface MachineOptions {
  readonly clock?: ClockOptions
  readonly executables?: Executables
}

/** What runs on a host, from its start; called again each time the host is restarted. */
export type Program = (reactor: SimReactor) => unknown

/** A machine of the simulated world, made by `sim.host(name)`. */
export class SimHost {
  readonly name: string
  /** Its addresses, with port 0; the first one of a family is where its connections start from. */
  readonly addresses: readonly IPAddress[]
  /** Its date. A crash changes nothing about it. */
  readonly clock: WallClock
  /** Its ports and paths: those of streams, and those of datagrams. For the network, as the next two. */
  readonly ports: PortTable<SimPort>
  readonly datagramPorts: PortTable<SimDatagramPort>
  /** Its ends of connections that the kernel still knows, and its attempts to connect. */
  readonly ends = new Set<SimConnection>()
  readonly attempts = new Set<Attempt>()
  readonly #network: Network
  readonly #limits: number[] = []
  readonly #executables: Executables
  readonly #children = new Set<ScriptedProcess>()
  readonly #counts = new Map<string, number>()
  #pid = 1
  #reactor: SimReactor
  #program: Program | undefined
  #restores: (() => void)[] = []

  /** Made by `sim.host`. */
  constructor(network: Network, name: string, addresses: readonly IPAddress[], options: MachineOptions) {
    this.#network = network
    this.#executables = options.executables ?? {}
    this.clock = new WallClock(network.epoch, options.clock ?? {})
    this.name = name
    this.addresses = addresses
    this.ports = new PortTable(name, addresses)
    this.datagramPorts = new PortTable(name, addresses)
    this.#reactor = this.#boot(1)
  }

  /** The outside world as the program on this host sees it. A restart gives a new one. */
  get reactor(): SimReactor {
    return this.#reactor
  }

  /** The program's process, as the kernel sees it. */
  get process(): SimProcess {
    return this.#reactor.process
  }

  /* ---------------------------------------------------------------- the program */

  /**
   * Starts a program now, and again whenever the host is restarted. What it keeps outside of itself survives a crash,
   * which in the real world it would not.
   */
  run(program: Program): void {
    this.#program = program
    this.#start()
  }

  /** Whether a restart starts a program. */
  get restartable(): boolean {
    return this.#program !== undefined
  }

  /** The program computes for so many milliseconds: nothing of it runs until then, and the network goes on. */
  busy(ms: number): void {
    this.#reactor.busy(ms)
  }

  /** Stops the program where it is, as SIGSTOP does, until {@link resume}: its connections stay, and nobody reads them. */
  pause(): void {
    this.#note('pause')
    this.process.stop()
  }

  /** Lets the program go on after {@link pause}. */
  resume(): void {
    if (!this.paused) return
    this.#note('resume')
    this.process.resume()
  }

  /** Whether the program is stopped by {@link pause}. */
  get paused(): boolean {
    return this.process.stopped
  }

  /**
   * Sets the host's date, by so many milliseconds: `reactor.wallTime()` jumps, and no timer does.
   *
   * @returns a function that sets it back
   */
  setClock(ms: number): () => void {
    this.#note(`clock ${ms}`)
    return this.clock.step(ms)
  }

  /**
   * The program ends at once; nothing of it runs any more: no `connectionLost`, no timer, no errback. What is left of it
   * and goes on all the same (a promise) reaches nothing: what it asks of its reactor is never answered.
   */
  crash(kind: CrashKind = 'process'): void {
    if (this.process.dead) return
    this.#note(`crash ${kind}`)
    this.buries(this.process, kind)
    if (kind === 'process') return
    for (const child of this.#children) child.losesPower()
    this.#restores = this.#network.pathsOf(this).map((path) => path.partition())
  }

  /** Starts the host again after a {@link crash}: a new reactor, and the program from its beginning. */
  restart(): void {
    if (!this.process.dead) return
    this.#note('restart')
    for (const restore of this.#restores.splice(0)) restore()
    this.#reactor = this.#boot(this.#reactor.generation + 1)
    this.#start()
  }

  /** Whether it has crashed and was not restarted. */
  get crashed(): boolean {
    return this.process.dead
  }

  #boot(generation: number): SimReactor {
    const { name } = this
    const stream = generation === 1 ? `host:${name}` : `host:${name}:${generation}`
    return new SimReactor(this.#network, this, { name, stream, generation })
  }

  #start(): void {
    const { turn } = this.process
    turn.enter()
    try {
      this.#program?.(this.#reactor)
    } finally {
      turn.leave()
    }
  }

  /* ---------------------------------------------------------------- the kernel */

  /** How many sockets and pipes each of its processes may have open at once. */
  descriptorLimit = Infinity

  /** For a while fewer. @returns a function that ends it */
  limitDescriptors(limit: number): () => void {
    this.#limits.push(limit)
    return once(() => this.#limits.splice(this.#limits.indexOf(limit), 1))
  }

  /** What is open here, as `netstat` shows it. */
  netstat(): readonly SocketInfo[] {
    return socketsOf(this)
  }

  /** Whether a process may open something more. */
  hasDescriptor({ descriptors }: SimProcess): boolean {
    return descriptors.size < Math.min(this.descriptorLimit, ...this.#limits)
  }

  /** A process needs a descriptor. @returns false if there is none left */
  opened(process: SimProcess, descriptor: Descriptor): boolean {
    if (!this.hasDescriptor(process)) return false
    process.descriptors.add(descriptor)
    return true
  }

  /** A process ends, and what it had open is closed: the peers hear of it, or, without power, they do not. */
  buries(process: SimProcess, kind: CrashKind): void {
    for (const attempt of this.attempts) if (attempt.process === process) attempt.abandon()
    this.ports.abandon(process)
    this.datagramPorts.abandon(process)
    for (const end of this.ends) {
      if (end.process !== process) continue
      this.#network.connections.delete(end)
      if (kind === 'process') end.abandon()
      else end.vanish()
    }
    process.kill()
  }

  /* ---------------------------------------------------------------- child processes */

  /** The child processes that live, in the order in which they were started: by the program, or by one of themselves. */
  get children(): readonly ScriptedProcess[] {
    return [...this.#children]
  }

  /**
   * Starts a child process of the one that `parent` is the reactor of.
   *
   * @throws SpawnError
   */
  start(parent: SimReactor, address: ProcessAddress, options: SpawnOptions): ChildProcess {
    const script = findExecutable(this.#executables, address, options)
    if (!this.hasDescriptor(parent.process)) {
      throw new SpawnError(address, 'limits', 'too many open files (the host has a limit)')
    }
    const child = SimChild.start(this.#network, this, { parent, address, options, script, pid: ++this.#pid })
    this.#children.add(child.process)
    return child
  }

  /** A child process has ended. */
  ended(child: ScriptedProcess): void {
    this.#children.delete(child)
  }

  /** How often this was asked with this address, this time included. */
  count(address: Address): number {
    const text = String(address)
    const count = (this.#counts.get(text) ?? 0) + 1
    this.#counts.set(text, count)
    return count
  }

  #note(what: string): void {
    trace?.at('fault', this.#reactor, { what, host: this.name })
  }
}
