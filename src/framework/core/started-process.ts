/**
 * A child process that was started: its pipes as connections, and how it is made to end, in every reactor alike.
 *
 * Ancestor: `twisted.internet.process.Process`.
 */
import { Deferred } from '../deferred/deferred.ts'
import { report } from '../deferred/reporter.ts'
import type { ProcessAddress } from './address.ts'
import { type ChildProcess, terminate } from './child-process.ts'
import { PipeConnection, type PipeInput, type PipeOutput } from './pipe-connection.ts'
import { type ProcessEnding, ProcessExitedAlready, ProcessTerminated, type Signal } from './process-errors.ts'
import type { Reactor } from './reactor.ts'
import type { ConnectionLimits } from './stream-connection.ts'
import type { LoseOptions } from './transport.ts'

/** Our ends of the pipes of a process. */
export interface ProcessPipes {
  readonly stdin: PipeOutput
  readonly stdout: PipeInput
  readonly stderr: PipeInput | undefined
}

export abstract class StartedProcess implements ChildProcess {
  readonly address: ProcessAddress
  readonly pid: number
  readonly stdio: ProcessConnection
  readonly stderr: PipeConnection | undefined
  readonly #reactor: Reactor
  readonly #linger: number
  #ending: ProcessEnding | undefined
  #watchers: Deferred<ProcessEnding>[] = []
  #endingBegun = false

  constructor(reactor: Reactor, address: ProcessAddress, pid: number, pipes: ProcessPipes, limits: ConnectionLimits) {
    this.#reactor = reactor
    this.address = address
    this.pid = pid
    this.#linger = limits.linger ?? 5000
    this.stdio = new ProcessConnection(reactor, this, pipes, limits)
    if (pipes.stderr !== undefined) {
      this.stderr = new PipeConnection(reactor, address, address, limits, pipes.stderr)
    }
  }

  /**
   * Sends it a signal.
   *
   * @returns why that could not be done, if so: ProcessExitedAlready, or it runs with the rights of somebody else
   * @throws TypeError for a signal that this system does not know
   */
  protected abstract send(signal: Signal): Error | undefined

  /** How it ended, if it has. */
  get ending(): ProcessEnding | undefined {
    return this.#ending
  }

  closeStdout(): void {
    this.stdio.closeInput()
  }

  signal(signal: Signal): void {
    const refused = this.#ending === undefined ? this.send(signal) : new ProcessExitedAlready(this.address)
    if (refused !== undefined) throw refused
  }

  whenExited(): Deferred<ProcessEnding> {
    const watcher = new Deferred<ProcessEnding>()
    if (this.#ending === undefined) this.#watchers.push(watcher)
    else watcher.callback(this.#ending)
    return watcher
  }

  kill(): void {
    const error = this.#ending === undefined ? this.send('SIGKILL') : undefined
    // The news that it has ended may be on its way.
    if (error === undefined || error instanceof ProcessExitedAlready) return
    report({ error, what: `${this.address} could not be killed`, subject: this })
  }

  /** Its pipes are closed. It has a while to notice, another one to obey, and is killed then. */
  endSoon(): void {
    if (this.#ending !== undefined || this.#endingBegun) return
    this.#endingBegun = true
    const killAfter = this.#linger
    const notice = this.#reactor.callLater(this.#linger, () => terminate(this.#reactor, this, { killAfter }))
    this.whenExited().addCallback(() => {
      if (notice.active()) notice.cancel()
    })
  }

  /** It has ended; some of what it wrote may still be in its pipes. Called once. */
  protected exited(ending: ProcessEnding): void {
    this.#ending = ending
    const { turn } = this.#reactor
    turn.enter()
    for (const watcher of this.#watchers.splice(0)) watcher.callback(ending)
    turn.leave()
    // A process of its own may hold them open.
    this.stdio.closeInputAfterSilence(this.#linger)
    this.stderr?.closeInputAfterSilence(this.#linger)
    this.stdio.exited()
  }
}

/** Stdin and stdout of a process: over when the process has ended as well. */
class ProcessConnection extends PipeConnection {
  readonly #process: StartedProcess

  constructor(reactor: Reactor, process: StartedProcess, { stdin, stdout }: ProcessPipes, limits: ConnectionLimits) {
    // A filter writes while it reads: if we stopped reading because it is slow to read, both would wait for ever.
    const readWhileFull = limits.readWhileFull ?? true
    const { address } = process
    super(reactor, address, address, { ...limits, readWhileFull }, stdout, stdin)
    this.#process = process
  }

  override loseConnection(options?: LoseOptions): void {
    super.loseConnection(options)
    if (this.closing) this.#process.endSoon()
  }

  /** The process has ended. */
  exited(): void {
    this.settle()
  }

  protected override close(): void {
    super.close()
    // It may have closed its pipes by itself, with things left to do; then it has as long as it likes.
    if (this.disconnecting) this.#process.endSoon()
  }

  protected override reset(): void {
    // First: it must not take closed pipes for an end that was meant, and act upon it.
    this.#process.kill()
    super.reset()
  }

  protected override settle(): void {
    if (this.#process.ending !== undefined) super.settle()
  }

  protected override closed(): void {
    const { ending, address } = this.#process
    if (ending instanceof ProcessTerminated) this.failed(ending, ending.message.replace(`${address}: `, ''))
    super.closed()
  }
}
