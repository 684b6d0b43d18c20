/**
 * A child process of a simulated host, as its program sees it: arguments, environment, three pipes, signals, an exit.
 *
 * What its kernel does with it is here, too. No ancestor: on an operating system these are globals of the program.
 */
import type { ProcessAddress } from '../../core/address.ts'
import { ConnectionDone } from '../../core/errors.ts'
import { guarded } from '../../core/guard.ts'
import { type ProcessEnding, processEnding, type Signal } from '../../core/process-errors.ts'
import { type Hook, Protocol } from '../../core/protocol.ts'
import type { Connection, Transport } from '../../core/transport.ts'
import { maybeDeferred } from '../../deferred/wrapping.ts'
import { scrambled } from '../random-stream.ts'
import type { SimHost } from '../sim-host.ts'
import type { SimReactor } from '../sim-reactor.ts'
import { SimEvent, type Timeline } from '../timeline.ts'
import type { Executable } from './executable.ts'
import { checkHandled, defaultActionOf } from './signals.ts'
import type { SimPipe } from './sim-pipe.ts'
import { type ChildPipes, StandardStreams } from './standard-streams.ts'

/** What a process is started with. */
export interface ScriptedProcessPlan extends ChildPipes {
  readonly timeline: Timeline
  readonly machine: SimHost
  readonly reactor: SimReactor
  readonly address: ProcessAddress
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
  readonly pid: number
  readonly script: Executable
  /** A number for it, the same in every world with this seed. */
  readonly key: number
}

/** A child process on a simulated host; its program is handed it, and a test finds it in `host.children`. */
export class ScriptedProcess {
  /** The outside world as it sees it: its own time, timers and network. */
  readonly reactor: SimReactor
  readonly address: ProcessAddress
  /** Its environment: what it was given, and nothing else. */
  readonly env: Readonly<Record<string, string>>
  /** The directory in which it runs. It decides nothing: there are no files here. */
  readonly cwd: string
  readonly pid: number
  readonly #plan: ScriptedProcessPlan
  readonly #streams: StandardStreams
  readonly #flushed: SimEvent
  readonly #handlers = new Map<Signal, () => Hook>()
  /** Signals that came while it was stopped. */
  readonly #pending = new Set<Signal>()
  #exiting: ProcessEnding | undefined
  #events = 0
  /** Told of its end, by the kernel. */
  #ended: (ending: ProcessEnding) => void = () => {}

  /** Made by `host.start`. */
  constructor(plan: ScriptedProcessPlan) {
    const { timeline, reactor } = plan
    this.#plan = plan
    this.reactor = reactor
    this.address = plan.address
    this.env = plan.env
    this.cwd = plan.cwd
    this.pid = plan.pid
    this.#flushed = this.#event('kernel', () => this.#leave())
    const streams = (this.#streams = new StandardStreams(reactor, plan))
    reactor.openStandardIO = (limits) => streams.open(limits)
    timeline.schedule(this.#event('program', () => this.#begin()))
  }

  /** What it was started with, without the name of the program. */
  get args(): readonly string[] {
    return this.address.args
  }

  /**
   * Stdin and stdout, for a protocol: what arrives comes from stdin, what is written goes to stdout. An endpoint `stdio:`
   * is another way to it.
   */
  get stdio(): Connection {
    return this.#streams.io
  }

  /** Stdout, to write to. A program whose stdio has no protocol by now does not read, from then on. */
  get stdout(): Transport {
    return this.#streams.stdout
  }

  /** Stderr, to write to, wherever that goes. */
  get stderr(): Transport {
    return this.#streams.stderr
  }

  /** Where its stderr goes, for those who inherit it. */
  get stderrPipe(): SimPipe | undefined {
    return this.#plan.stderr?.pipe
  }

  /** Whether it is stopped by a signal. */
  get stopped(): boolean {
    return this.reactor.process.stopped
  }

  /** Whether it has said `exit`, and waits for whoever reads what it wrote. */
  get exiting(): boolean {
    return this.#exiting !== undefined
  }

  /** Bytes that were written to its stdin, or by it, and have not been read. */
  get unread(): { readonly stdin: number; readonly output: number } {
    const { stdin, stdout, stderr } = this.#plan
    return { stdin: stdin.unread, output: stdout.pipe.held + (stderr?.pipe.held ?? 0) }
  }

  /** Reads no more of stdin: whoever writes there finds it closed. */
  closeStdin(): void {
    this.#streams.io.closeInput()
  }

  /**
   * It ends by itself. What it has written leaves first, however long its reader takes; nothing else of it runs any more.
   *
   * @param code of which the operating system keeps eight bits. 0 unless given
   */
  exit(code = 0): void {
    const { process } = this.reactor
    if (this.#exiting !== undefined || process.dead) return
    this.#exiting = processEnding(this.address, code & 255, null)
    this.#plan.timeline.schedule(this.#flushed, process.now - this.#plan.timeline.now)
    process.leave()
  }

  /**
   * Does something about a signal, instead of what it would do: `() => {}` ignores it.
   *
   * @returns a function that takes it back
   * @throws TypeError for SIGKILL and SIGSTOP, and for a signal that does not exist
   */
  onSignal(signal: Signal, f: () => Hook): () => void {
    checkHandled(signal)
    this.#handlers.set(signal, f)
    return () => {
      if (this.#handlers.get(signal) === f) this.#handlers.delete(signal)
    }
  }

  /**
   * Sends it a signal: SIGKILL ends it at once, SIGSTOP stops it until SIGCONT, and what else comes while it is stopped
   * waits. If it has a handler, that runs as soon as it is ready.
   *
   * @returns false if it has ended already
   * @throws TypeError for a signal that does not exist
   */
  signal(signal: Signal): boolean {
    const action = defaultActionOf(signal)
    const { process } = this.reactor
    if (process.dead) return false
    if (signal === 'SIGKILL') this.#endedBy(signal)
    else if (process.stopped && action !== 'goes on') this.#pending.add(signal)
    else this.#deliver(signal)
    return true
  }

  /** Calls `f` when it has ended, unless by a loss of power. For who started it. */
  whenEnded(f: (ending: ProcessEnding) => void): void {
    this.#ended = f
  }

  /** The machine has lost its power. */
  losesPower(): void {
    this.#plan.machine.buries(this.reactor.process, 'power')
    this.#plan.machine.ended(this)
  }

  /* ---------------------------------------------------------------- its program */

  #begin(): void {
    try {
      const returned = this.#plan.script(this)
      if (returned instanceof Protocol) {
        const { stdio } = this
        stdio.whenLost().addCallback((reason) => this.exit(reason instanceof ConnectionDone ? 0 : 1))
        stdio.deliverTo(returned)
      } else if (returned !== undefined) {
        maybeDeferred(() => returned).addCallbacks(
          () => this.exit(),
          ({ value }) => this.#fails(value),
        )
      }
    } catch (error) {
      this.#fails(error)
    }
  }

  #fails(error: unknown): void {
    const code: unknown = error instanceof Error ? Reflect.get(error, 'exitCode') : undefined
    this.stderr.write(`${String(error)}\n`)
    this.exit(typeof code === 'number' ? code : 1)
  }

  /* ---------------------------------------------------------------- its kernel */

  #deliver(signal: Signal): void {
    const { process } = this.reactor
    const action = defaultActionOf(signal)
    if (action === 'goes on') {
      process.resume()
      for (const waiting of this.#pending) this.#deliver(waiting)
      this.#pending.clear()
    }
    if (this.#handlers.has(signal)) this.#plan.timeline.schedule(this.#event('program', () => this.#handle(signal)))
    else if (action === 'ends') this.#endedBy(signal)
    else if (action === 'stops') process.stop()
  }

  #handle(signal: Signal): void {
    const handler = this.#handlers.get(signal)
    const owner = { hookFailed: (error: unknown): void => this.#fails(error) }
    if (handler !== undefined) guarded(this.reactor.turn, this, signal, handler, owner)
  }

  /** It is to exit, and the turn in which it said so is over. */
  #leave(): void {
    this.#streams.flush(() => {
      if (this.#exiting !== undefined) this.#ends(this.#exiting)
    })
  }

  #endedBy(signal: Signal): void {
    this.#ends(processEnding(this.address, null, signal))
  }

  #ends(ending: ProcessEnding): void {
    const { machine, timeline } = this.#plan
    // What it waits for before it exits is over as well once it is dead.
    if (this.reactor.process.dead) return
    timeline.cancel(this.#flushed)
    machine.buries(this.reactor.process, 'process')
    machine.ended(this)
    this.#ended(ending)
  }

  #event(of: 'program' | 'kernel', happen: () => void): SimEvent {
    return new SimEvent(this.reactor.process, of, scrambled(this.#plan.key + this.#events++), happen)
  }
}
