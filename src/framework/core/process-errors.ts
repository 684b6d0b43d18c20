/**
 * How a child process ends, and why one cannot be started.
 *
 * Ancestor: the same names in `twisted.internet.error`; there a process that cannot be started is an OSError.
 */
import type { ProcessAddress } from './address.ts'
import { ConnectError, ConnectionDone, ConnectionLost, withoutStack } from './errors.ts'

/** A signal, as POSIX spells it: `SIGTERM`. */
export type Signal = `SIG${string}`

/** What a process was ended by. */
export type ProcessEnding = ProcessDone | ProcessTerminated

/** The process ended with exit code 0. */
export class ProcessDone extends ConnectionDone {
  static {
    this.prototype.name = 'ProcessDone'
  }
  override readonly code: string = 'ERR_PROCESS_DONE'
  readonly exitCode = 0
  readonly signal = undefined

  constructor(address: ProcessAddress) {
    super(`${address}: the process ended with exit code 0`)
  }
}

/** The process ended with another exit code, or by a signal. If it was we who ended it, `cause` says why. */
export class ProcessTerminated extends ConnectionLost {
  static {
    this.prototype.name = 'ProcessTerminated'
  }
  override readonly code: string = 'ERR_PROCESS_TERMINATED'
  /** 1 to 255, if it ended by itself. */
  readonly exitCode: number | undefined
  /** What killed it, if something did. */
  readonly signal: Signal | undefined

  constructor(
    address: ProcessAddress,
    how: { readonly exitCode?: number | undefined; readonly signal?: Signal | undefined },
    options?: ErrorOptions,
  ) {
    const what = how.signal === undefined ? `ended with exit code ${how.exitCode}` : `was ended by ${how.signal}`
    super(`${address}: the process ${what}`, options)
    this.exitCode = how.exitCode
    this.signal = how.signal
  }
}

/** The process has ended already: there is nobody to send a signal to. Thrown. */
export class ProcessExitedAlready extends Error {
  static {
    this.prototype.name = 'ProcessExitedAlready'
  }
  readonly code: string = 'ERR_PROCESS_EXITED_ALREADY'

  constructor(address: ProcessAddress) {
    super(`${address}: the process has ended already`)
  }
}

/** A process could not be started. Nothing of it is left; no hook was called. */
export class SpawnError extends ConnectError {
  static {
    this.prototype.name = 'SpawnError'
  }
  override readonly code: string = 'ERR_SPAWN'
  /**
   * What to look at: the program (missing, not executable), the directory to start it in, the arguments and the
   * environment (too large, not allowed), or the limits of this machine.
   */
  readonly fault: 'executable' | 'directory' | 'arguments' | 'limits'

  constructor(address: ProcessAddress, fault: SpawnError['fault'], why: string, options?: ErrorOptions) {
    super(address, `cannot start the process: ${why}`, options)
    this.fault = fault
  }
}

/**
 * Why there is nothing to start, in words.
 *
 * @param path the PATH in which a name without a slash was looked up
 */
export function noSuchProgram(executable: string, path: string | undefined): string {
  if (executable.includes('/')) return 'there is no such file'
  const where = path === undefined ? 'no PATH was given (pass it in env)' : `none in its PATH, ${JSON.stringify(path)}`
  return `there is no such program that can be executed: ${where}`
}

/**
 * What the operating system says of the end, as one of ours.
 *
 * @param exitCode of a process that ended by itself
 * @param signal of one that something killed
 */
export function processEnding(address: ProcessAddress, exitCode: number | null, signal: Signal | null): ProcessEnding {
  return withoutStack(() =>
    exitCode === 0 && signal === null
      ? new ProcessDone(address)
      : new ProcessTerminated(address, { exitCode: exitCode ?? undefined, signal: signal ?? undefined }),
  )
}
