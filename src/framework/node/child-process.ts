/**
 * Child processes of Node: starts one, without a shell and with nothing of our environment, and makes connections of its
 * pipes.
 *
 * Ancestor: `twisted.internet.process.Process`. Node reaps what has ended, so there are no zombies.
 */
import { spawn, type ChildProcess as NodeProcess } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import type { ProcessAddress } from '../core/address.ts'
import { type ChildProcess, type SpawnOptions, terminate } from '../core/child-process.ts'
import { attemptCancelled } from '../core/errors.ts'
import {
  processEnding,
  type ProcessEnding,
  ProcessExitedAlready,
  ProcessTerminated,
  type Signal,
} from '../core/process-errors.ts'
import type { Reactor } from '../core/reactor.ts'
import type { ConnectionLimits } from '../core/stream-connection.ts'
import type { LoseOptions } from '../core/transport.ts'
import { Deferred } from '../deferred/deferred.ts'
import { report } from '../deferred/reporter.ts'
import { trace } from '../trace/hook.ts'
import { PipeConnection } from './pipe-connection.ts'
import { spawnError } from './spawn-errors.ts'

/** Node's own process, once it is known to run. */
interface Running extends NodeProcess {
  readonly pid: number
  readonly stdin: Writable
  readonly stdout: Readable
}

/**
 * What `reactor.spawn` does.
 *
 * @param children those that run
 */
export function startProcess(
  reactor: Reactor,
  address: ProcessAddress,
  options: SpawnOptions,
  children: Set<ChildProcess>,
): Deferred<ChildProcess> {
  let child: SystemProcess | undefined
  const started = new Deferred<ChildProcess>((_, reason) => {
    child?.stdio.abortConnection()
    child?.stderr?.abortConnection()
    started.errback(attemptCancelled(address, reason))
  })
  const fail = (error: Error): void => {
    reactor.turn.soon(() => {
      if (started.called) return
      const failure = spawnError(address, options, error)
      trace?.at('conn.fail', started, { addr: String(address), reason: failure.name, p: reactor })
      started.errback(failure)
    })
  }
  const process = tryToSpawn(address, options)
  if (process instanceof Error) {
    fail(process)
  } else if (runs(process)) {
    const running = (child = new SystemProcess(reactor, address, process, options))
    children.add(running)
    running.whenExited().addCallback(() => children.delete(running))
    reactor.turn.soon(() => {
      if (!started.called) started.callback(running)
    })
  } else {
    process.once('error', fail)
    for (const pipe of process.stdio ?? []) pipe?.destroy()
  }
  return started
}

/** Node throws some of what can go wrong, and tells the rest later. */
function tryToSpawn(
  { executable, args }: ProcessAddress,
  { env = {}, cwd, stderr = 'pipe' }: SpawnOptions,
): NodeProcess | Error {
  try {
    // Node adds one variable to any environment, NODE_V8_COVERAGE, if we ourselves are being measured.
    return spawn(executable, args, { env, cwd, stdio: ['pipe', 'pipe', stderr], windowsHide: true })
  } catch (error) {
    return error as Error
  }
}

function runs(process: NodeProcess): process is Running {
  return process.pid !== undefined
}

class SystemProcess implements ChildProcess {
  readonly address: ProcessAddress
  readonly pid: number
  readonly stdio: ProcessConnection
  readonly stderr: PipeConnection | undefined
  readonly #reactor: Reactor
  readonly #process: Running
  readonly #linger: number
  #ending: ProcessEnding | undefined
  #watchers: Deferred<ProcessEnding>[] = []
  #endingBegun = false
  /** Why the last signal could not be sent: the process runs with the rights of somebody else. */
  #refused: Error | undefined

  constructor(reactor: Reactor, address: ProcessAddress, process: Running, limits: ConnectionLimits) {
    this.#reactor = reactor
    this.address = address
    this.pid = process.pid
    this.#process = process
    this.#linger = limits.linger ?? 5000
    this.stdio = new ProcessConnection(reactor, this, process, limits)
    if (process.stderr !== null) this.stderr = new PipeConnection(reactor, address, address, limits, process.stderr)
    process.on('exit', (exitCode, signal) => this.#exited(processEnding(address, exitCode, signal)))
    // All that Node says here once a process runs, and it says so from inside of `kill`.
    process.on('error', (error) => (this.#refused = error))
  }

  /** How it ended, if it has. */
  get ending(): ProcessEnding | undefined {
    return this.#ending
  }

  closeStdout(): void {
    this.stdio.closeInput()
  }

  signal(signal: Signal): void {
    this.#refused = undefined
    const sent = this.#ending === undefined && this.#process.kill(signal as NodeJS.Signals)
    if (!sent) throw this.#refused ?? new ProcessExitedAlready(this.address)
  }

  whenExited(): Deferred<ProcessEnding> {
    const watcher = new Deferred<ProcessEnding>()
    if (this.#ending === undefined) this.#watchers.push(watcher)
    else watcher.callback(this.#ending)
    return watcher
  }

  kill(): void {
    this.#refused = undefined
    if (this.#ending === undefined) this.#process.kill('SIGKILL')
    const error: Error | undefined = this.#refused
    if (error !== undefined) report({ error, what: `${this.address} could not be killed`, subject: this })
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

  #exited(ending: ProcessEnding): void {
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
  readonly #child: SystemProcess

  constructor(reactor: Reactor, child: SystemProcess, process: Running, limits: ConnectionLimits) {
    // A filter writes while it reads: if we stopped reading because it is slow to read, both would wait for ever.
    const readWhileFull = limits.readWhileFull ?? true
    const { address } = child
    super(reactor, address, address, { ...limits, readWhileFull }, process.stdout, process.stdin)
    this.#child = child
  }

  override loseConnection(options?: LoseOptions): void {
    super.loseConnection(options)
    if (this.closing) this.#child.endSoon()
  }

  /** The process has ended. */
  exited(): void {
    this.settle()
  }

  protected override close(): void {
    super.close()
    // It may have closed its pipes by itself, with things left to do; then it has as long as it likes.
    if (this.disconnecting) this.#child.endSoon()
  }

  protected override reset(): void {
    // First: it must not take closed pipes for an end that was meant, and act upon it.
    this.#child.kill()
    super.reset()
  }

  protected override settle(): void {
    if (this.#child.ending !== undefined) super.settle()
  }

  protected override closed(): void {
    const { ending, address } = this.#child
    if (ending instanceof ProcessTerminated) this.failed(ending, ending.message.replace(`${address}: `, ''))
    super.closed()
  }
}
