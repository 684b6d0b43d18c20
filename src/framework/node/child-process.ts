/**
 * Child processes of Node: starts one, without a shell and with nothing of our environment.
 *
 * Ancestor: `twisted.internet.process.Process`. Node reaps what has ended, so there are no zombies.
 */
import { spawn, type ChildProcess as NodeProcess } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import type { ProcessAddress } from '../core/address.ts'
import type { ChildProcess, SpawnOptions } from '../core/child-process.ts'
import { attemptCancelled } from '../core/errors.ts'
import { processEnding, ProcessExitedAlready, type Signal } from '../core/process-errors.ts'
import type { Reactor } from '../core/reactor.ts'
import { StartedProcess } from '../core/started-process.ts'
import type { ConnectionLimits } from '../core/stream-connection.ts'
import { Deferred } from '../deferred/deferred.ts'
import { trace } from '../trace/hook.ts'
import { spawnError } from './spawn-errors.ts'
import { ReadablePipe, WritablePipe } from './stream-pipes.ts'

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

class SystemProcess extends StartedProcess {
  readonly #process: Running
  /** Why the last signal could not be sent: the process runs with the rights of somebody else. */
  #refused: Error | undefined

  constructor(reactor: Reactor, address: ProcessAddress, process: Running, limits: ConnectionLimits) {
    const pipes = {
      stdin: new WritablePipe(process.stdin),
      stdout: new ReadablePipe(process.stdout),
      stderr: process.stderr === null ? undefined : new ReadablePipe(process.stderr),
    }
    super(reactor, address, process.pid, pipes, limits)
    this.#process = process
    process.on('exit', (exitCode, signal) => this.exited(processEnding(address, exitCode, signal)))
    // All that Node says here once a process runs, and it says so from inside of `kill`.
    process.on('error', (error) => (this.#refused = error))
  }

  protected override send(signal: Signal): Error | undefined {
    this.#refused = undefined
    const sent = this.#process.kill(signal as NodeJS.Signals)
    return sent ? undefined : (this.#refused ?? new ProcessExitedAlready(this.address))
  }
}
