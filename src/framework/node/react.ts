/**
 * `react` runs a program: it calls your `main`, ends gently on Ctrl-C, says briefly what failed, and sets the exit
 * code.
 *
 * Ancestor: `twisted.internet.task.react`; draining and the exit codes are ours.
 */
import { basename, extname } from 'node:path'
import { inspect } from 'node:util'
import type { DelayedCall } from '../core/clock.ts'
import { isPromiseLike } from '../deferred/deferred.ts'
import { leaveCluster, whenPrimaryIsLost } from './cluster-worker.ts'
import type { NodeReactor } from './node-reactor.ts'
import { longestTimeout } from './system-timers.ts'

/** Your program. What it returns, or what that settles to, is its outcome. */
export type Main = (reactor: NodeReactor, ...argv: string[]) => unknown

/** What a program touches of Node's `process`. */
export type ProcessLike = Pick<NodeJS.Process, 'on' | 'off' | 'argv' | 'env'> & {
  readonly stdout: Output
  readonly stderr: Output
  exit(code: number): void
}

type Output = Pick<NodeJS.WritableStream, 'write' | 'on' | 'off'>

const signals = { SIGINT: 130, SIGTERM: 143 } as const
type Signal = keyof typeof signals

/** Exit codes as in sysexits.h and in every shell. */
const success = 0
const failure = 1
const neverFinishes = 70
const outputClosed = 141

/** One run of a program, from the call of `main` to the exit. */
export class Run {
  readonly #reactor: NodeReactor
  readonly #process: ProcessLike
  readonly #drain: number
  #outcome: number | undefined
  #signal: Signal | undefined
  /** Somebody other than us does something when the reactor stops. */
  #stopIsAwaited = false
  #deadline: DelayedCall | undefined
  #draining = false
  #exiting = false
  #stay: NodeJS.Timeout | undefined

  /**
   * @param drain milliseconds that connections, and `main`, get to finish after a signal
   */
  constructor(reactor: NodeReactor, process: ProcessLike, drain: number) {
    this.#reactor = reactor
    this.#process = process
    this.#drain = drain
  }

  /** Calls `main`. Everything else follows from that. */
  start(main: Main, argv: readonly string[]): void {
    const { stdout } = this.#process
    this.#process.on('SIGINT', this.#onSignal)
    this.#process.on('SIGTERM', this.#onSignal)
    this.#process.on('beforeExit', this.#onNothingLeft)
    stdout.on('error', this.#onOutputError)
    whenPrimaryIsLost(() => this.#reactor.abortConnections())
    this.#reactor.whenStopped().addCallback(() => this.#stopPorts())
    try {
      const returned = main(this.#reactor, ...argv)
      if (isPromiseLike(returned)) {
        returned.then(
          () => this.#ended(success),
          (error: unknown) => this.#failed(error),
        )
      } else {
        this.#ended(success)
      }
    } catch (error) {
      this.#failed(error)
    }
  }

  #failed(error: unknown): void {
    const { argv, env } = this.#process
    const debugging = /\bcouplet\b/.test(env['NODE_DEBUG'] ?? '')
    // A program that has said it all already may fail with an exit code and no words.
    if (isForPeople(error) && error.message === '' && !debugging) {
      this.#ended(exitCodeOf(error))
      return
    }
    this.#say(`${programName(argv)}: ${debugging || !isForPeople(error) ? inspect(error) : harmless(error.message)}`)
    this.#ended(exitCodeOf(error))
  }

  #ended(outcome: number): void {
    this.#outcome = outcome
    if (!this.#draining) this.#exit(outcome)
  }

  readonly #onSignal = (signal: Signal): void => {
    if (this.#signal !== undefined || this.#exiting) {
      this.#reactor.abortConnections()
      this.#exitNow(signals[signal])
      return
    }
    this.#signal = signal
    // One of those who wait is this Run itself.
    this.#stopIsAwaited = this.#reactor.waitingForStop > 1
    this.#deadline = this.#reactor.callLater(this.#drain, () => this.#overtime(signal))
    this.#reactor.stop(signal)
    // The reactor may have been stopped, and its ports been closed, before.
    if (!this.#draining) this.#drained()
  }

  #stopPorts(): void {
    this.#draining = true
    this.#reactor.stopPorts({ drain: this.#drain }).addCallback(() => {
      this.#draining = false
      // In a later turn: the last connection may have been what main waited for.
      setImmediate(() => this.#drained())
    })
  }

  /** No port is open, no connection that came in either. */
  #drained(): void {
    if (this.#outcome !== undefined) this.#exit(this.#outcome)
    else if (this.#signal !== undefined && !this.#stopIsAwaited) this.#exit(signals[this.#signal])
  }

  #overtime(signal: Signal): void {
    if (this.#outcome !== undefined) return
    this.#reactor.abortConnections()
    this.#exit(signals[signal])
  }

  readonly #onNothingLeft = (): void => {
    if (this.#outcome !== undefined) return
    if (this.#signal === undefined && this.#reactor.waitingForStop > 1) {
      // Somebody waits for the signal; waiting for one does not keep Node up.
      this.#stay ??= setInterval(() => {}, longestTimeout)
      return
    }
    if (this.#signal === undefined) {
      const why = 'nothing is left to wait for, but main has not finished (does it wait for a Deferred nobody fires?)'
      this.#say(`${programName(this.#process.argv)}: ${why}`)
    }
    this.#exit(this.#signal === undefined ? neverFinishes : signals[this.#signal])
  }

  /** Whoever read our output has left, as `head` does; there is nobody to tell, unless the output is a connection. */
  readonly #onOutputError = (error: NodeJS.ErrnoException): void => {
    if (this.#reactor.usesStandardIO) return
    if (error.code !== 'EPIPE') this.#say(`${programName(this.#process.argv)}: cannot write output: ${error.message}`)
    this.#exitNow(error.code === 'EPIPE' ? outputClosed : failure)
  }

  #say(line: string): void {
    this.#process.stderr.write(`${line}\n`)
  }

  /**
   * Ends the program when its child processes have ended, all that it wrote has left, and, of a worker, the primary
   * knows; open ports, connections and timers do not hold it up.
   */
  #exit(code: number): void {
    if (this.#exiting) return
    this.#exiting = true
    if (this.#deadline?.active() === true) this.#deadline.cancel()
    clearInterval(this.#stay)
    this.#reactor
      .endChildren({ killAfter: this.#drain })
      .addCallback(() => leaveCluster(this.#reactor, this.#drain))
      .addCallback(() => this.#leave(code))
  }

  #leave(code: number): void {
    this.#process.off('SIGINT', this.#onSignal)
    this.#process.off('SIGTERM', this.#onSignal)
    this.#process.off('beforeExit', this.#onNothingLeft)
    const { stdout, stderr } = this.#process
    // In a later turn: what went wrong in this one without anybody to handle it is about to be reported.
    setImmediate(() => {
      this.#reactor.endStandardOutput().addCallback(() => {
        stdout.write('', () => stderr.write('', () => this.#exitNow(code)))
      })
    })
  }

  #exitNow(code: number): void {
    this.#process.stdout.off('error', this.#onOutputError)
    this.#process.exit(code)
  }
}

function programName(argv: readonly string[]): string {
  const path = argv[1] ?? 'program'
  return basename(path, extname(path))
}

/** An error with a code was foreseen by somebody, so its message says enough; any other is a bug and needs its stack. */
function isForPeople(error: unknown): error is Error {
  if (!(error instanceof Error)) return false
  const code: unknown = Reflect.get(error, 'code')
  return typeof code === 'string' || exitCodeIn(error) !== undefined
}

/**
 * A message may quote what a peer has sent. So control characters are shown, not sent, and lines after the first are
 * indented: none of them can be taken for one of ours.
 */
function harmless(text: string): string {
  return text
    .replace(/[^\P{Cc}\n]/gu, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`)
    .replace(/\n(?! {2})/g, '\n  ')
}

function exitCodeOf(error: unknown): number {
  return exitCodeIn(error) ?? failure
}

function exitCodeIn(error: unknown): number | undefined {
  const code: unknown = error instanceof Error ? Reflect.get(error, 'exitCode') : undefined
  return typeof code === 'number' && Number.isInteger(code) && code >= 0 && code <= 255 ? code : undefined
}
