/**
 * A child process as a reactor makes it: a connection to its stdin and stdout, perhaps another to its stderr, a way to
 * send it signals, and its end. Nobody listens to it yet.
 *
 * What user code sees of it is built on this once: `reactor.spawnProcess` with its ProcessProtocol, and the connection
 * that dialing a ProcessAddress makes. No ancestor.
 */
import { Deferred } from '../deferred/deferred.ts'
import type { ProcessAddress } from './address.ts'
import type { Clock } from './clock.ts'
import { UnsupportedAddress } from './errors.ts'
import { ProcessExitedAlready, type ProcessEnding, type Signal } from './process-errors.ts'
import type { DialOptions, Reactor } from './reactor.ts'
import type { ConnectionLimits } from './stream-connection.ts'
import type { Connection } from './transport.ts'

/** What a child process is started with. */
export interface ProcessOptions {
  /**
   * Its environment: this, and nothing of ours. Empty unless given; `{ PATH: process.env['PATH'] }` passes on the PATH,
   * in which an executable without a slash is looked up, too. What is undefined is left out.
   */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined
  /** The directory it starts in. Ours unless given. */
  readonly cwd?: string | undefined
}

/**
 * How {@link Reactor.spawn} starts a child process, and the limits of its connections: here `readWhileFull` is on unless
 * turned off, because programs write while they read; `linger` is what each step of an ending may take.
 */
export interface SpawnOptions extends ProcessOptions, ConnectionLimits {
  /** Where its stderr goes: to us (`pipe`), to where ours goes, or nowhere. To us unless given. */
  readonly stderr?: 'pipe' | 'inherit' | 'ignore' | undefined
}

/** What {@link DialOptions.process} says, where the process is one connection. */
export interface DialProcessOptions extends ProcessOptions {
  /** Where its stderr goes: to where ours goes (the default, as in a shell), or nowhere. */
  readonly stderr?: 'inherit' | 'ignore' | undefined
}

/** A child process that runs. */
export interface ChildProcess {
  readonly address: ProcessAddress
  /** The number that the operating system gave it. */
  readonly pid: number

  /**
   * What is written to it goes to stdin, what it receives comes from stdout. Its `connectionLost` comes after the process
   * has ended: ConnectionDone for exit code 0, otherwise ConnectionLost with ProcessTerminated as the cause.
   *
   * Losing it ends the process, in bounded time: stdin is closed when all is sent; a process that lives on gets SIGTERM
   * `linger` after its pipes are closed, and SIGKILL `linger` after that. Aborting it is SIGKILL. A process that does not
   * read its stdin any more is no error: what is still written goes nowhere. When it has ended and a process of its own
   * keeps its stdout or stderr open, that is closed once nothing has come for `linger`.
   */
  readonly stdio: Connection
  /** What it says on stderr, where that was to be piped. There is nothing to write to. */
  readonly stderr: Connection | undefined

  /** Reads no more of its stdout: it finds it closed when it writes. */
  closeStdout(): void

  /**
   * Sends it a signal.
   *
   * @throws ProcessExitedAlready if it has ended; TypeError for a signal that this system does not know; Node's error,
   *   EPERM, for a process with the rights of somebody else
   */
  signal(signal: Signal): void

  /** Fires when it has ended, which may be before all it wrote was delivered. A fresh Deferred each time. */
  whenExited(): Deferred<ProcessEnding>
}

/** How {@link terminate} ends a process. */
export interface TerminateOptions {
  /** What it is told first. SIGTERM unless given. */
  readonly signal?: Signal | undefined
  /** Milliseconds that it has after that, until it is SIGKILL. 5,000 unless given. */
  readonly killAfter?: number | undefined
}

/**
 * Ends a process: asks it with a signal that it can see, and if it does not obey in time, kills it.
 *
 * @returns fires when it has ended
 */
export function terminate(
  clock: Clock,
  child: ChildProcess,
  { signal = 'SIGTERM', killAfter = 5000 }: TerminateOptions = {},
): Deferred<ProcessEnding> {
  const exited = child.whenExited()
  if (exited.called) return exited
  signalIfAlive(child, signal)
  const kill = clock.callLater(killAfter, () => signalIfAlive(child, 'SIGKILL'))
  return exited.addBoth((ending) => {
    if (kill.active()) kill.cancel()
    return ending
  })
}

function signalIfAlive(child: ChildProcess, signal: Signal): void {
  try {
    child.signal(signal)
  } catch (error) {
    if (!(error instanceof ProcessExitedAlready)) throw error
  }
}

/**
 * What `reactor.dial` does for a ProcessAddress, in every reactor that can start processes.
 *
 * @returns fails as `reactor.spawn` does
 */
export function dialProcess(reactor: Reactor, address: ProcessAddress, options: DialOptions): Deferred<Connection> {
  if (options.tls !== undefined) {
    const failed = new Deferred<Connection>()
    reactor.turn.soon(() => failed.errback(new UnsupportedAddress(address, 'the pipes of a process know no TLS')))
    return failed
  }
  const { maxSendQueue, readWhileFull, linger, process } = options
  const limits = { maxSendQueue, readWhileFull, linger }
  const stderr = process?.stderr ?? 'inherit'
  return reactor.spawn(address, { ...process, ...limits, stderr }).addCallback(({ stdio }) => stdio)
}
