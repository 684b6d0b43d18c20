/**
 * The transport of a process protocol: what it writes to its process, how it signals it and lets it end.
 *
 * It is written once, on what every reactor's `spawn` gives. Ancestors: `IProcessTransport` of
 * `twisted.internet.interfaces`, `twisted.internet.process.Process`.
 */
import { Deferred } from '../deferred/deferred.ts'
import { report } from '../deferred/reporter.ts'
import type { ProcessAddress } from './address.ts'
import type { Data } from './bytes.ts'
import { type ChildProcess, terminate, type TerminateOptions } from './child-process.ts'
import { ConnectionAborted, type ConnectionClosed } from './errors.ts'
import { asError, guarded, type HookOwner } from './guard.ts'
import { type ProcessEnding, ProcessDone, ProcessTerminated, type Signal } from './process-errors.ts'
import type { ProcessProtocol } from './process-protocol.ts'
import type { Consumer, PullProducer, PushProducer } from './producer.ts'
import { type Hook, Protocol } from './protocol.ts'
import type { Reactor } from './reactor.ts'
import type { LoseOptions } from './transport.ts'

/** One of its pipes is closed. */
type Closing = 'inConnectionLost' | 'outConnectionLost' | 'errConnectionLost'

/** What the connections of a process tell. */
interface Heard {
  chunk(what: 'outReceived' | 'errReceived', chunk: Uint8Array): void
  closed(what: Closing): void
  /** The process was killed. */
  aborted(): void
  /** A connection is over. */
  lost(reason: ConnectionClosed): void
}

export class ProcessTransport implements Consumer, PushProducer, HookOwner {
  readonly #reactor: Reactor
  readonly #child: ChildProcess
  readonly #protocol: ProcessProtocol
  readonly #told = new Set<Closing>()
  #exited: ProcessEnding | undefined
  #cause: Error | undefined
  #connections: number
  #ended: ProcessEnding | undefined
  #watchers: Deferred<ProcessEnding>[] = []

  /**
   * Tells `protocol` of `child`. For `reactor.spawnProcess`.
   *
   * @throws what `connectionMade` threw, after killing the process
   */
  constructor(reactor: Reactor, child: ChildProcess, protocol: ProcessProtocol) {
    this.#reactor = reactor
    this.#child = child
    this.#protocol = protocol
    this.#connections = child.stderr === undefined ? 1 : 2
    const heard: Heard = {
      chunk: (what, chunk) => this.#call(what, () => protocol[what](chunk)),
      closed: (what) => this.#closed(what),
      // Others may hold it open, and nobody wants to hear them.
      aborted: () => this.closeStderr(),
      lost: (reason) => this.#lost(reason),
    }
    try {
      child.stderr?.deliverTo(new StandardError(heard))
      child.stdio.deliverTo(new StandardStreams(heard, () => protocol.makeConnection(this)))
    } catch (error) {
      this.abortConnection(asError(error))
      throw error
    } finally {
      // Not before: it may have ended already, and connectionMade comes first.
      child.whenExited().addCallback((ending) => this.#hasExited(ending))
    }
  }

  /** What runs. */
  get peer(): ProcessAddress {
    return this.#child.address
  }

  /** The number that the operating system gave it; `undefined` once it has ended. */
  get pid(): number | undefined {
    return this.#exited === undefined ? this.#child.pid : undefined
  }

  /** Bytes written to its stdin that the operating system has not taken yet. */
  get queued(): number {
    return this.#child.stdio.queued
  }

  /** Whether {@link pauseProducing} holds back what it says. */
  get paused(): boolean {
    return this.#child.stdio.paused
  }

  /** Writes to its stdin. After that is closed, by either side, it does nothing. */
  write(data: Data): void {
    this.#child.stdio.write(data)
  }

  /** Writes the pieces one after the other. */
  writeSequence(pieces: Iterable<Data>): void {
    this.#child.stdio.writeSequence(pieces)
  }

  /** Closes its stdin when all is written (and the registered producer has finished); what it says is still heard. */
  closeStdin(): void {
    this.#child.stdio.loseWriteConnection()
  }

  /** Reads no more of its stdout: it finds it closed when it writes. */
  closeStdout(): void {
    this.#child.closeStdout()
  }

  /** The same, of stderr. */
  closeStderr(): void {
    this.#child.stderr?.abortConnection()
  }

  /**
   * Closes stdin when all is written, listens no more, and lets the process end, in bounded time: one that lives on gets
   * SIGTERM `linger` (5 s) after its pipes are closed, and SIGKILL as long after that. Twisted closes the pipes only.
   */
  loseConnection(options?: LoseOptions): void {
    this.#child.stdio.loseConnection(options)
    this.#child.stderr?.loseConnection()
  }

  /** Kills the process, and drops what is on its way. `processEnded` follows later, never inside this call. */
  abortConnection(cause?: Error): void {
    this.#child.stdio.abortConnection(cause)
    this.#child.stderr?.abortConnection()
  }

  /**
   * Sends it a signal.
   *
   * @throws ProcessExitedAlready if it has ended; TypeError for a signal that this system does not know; Node's error,
   *   EPERM, for a process with the rights of somebody else
   */
  signalProcess(signal: Signal): void {
    this.#child.signal(signal)
  }

  /**
   * Ends it: a signal that it can see, SIGTERM unless given, and SIGKILL if it has not ended `killAfter` milliseconds
   * later, 5,000 unless given. What it says until then is heard.
   *
   * @returns fires when it has ended, with how
   */
  terminate(options?: TerminateOptions): Deferred<ProcessEnding> {
    return terminate(this.#reactor, this.#child, options)
  }

  /** Fires after `processEnded` has returned, with its reason. A fresh Deferred each time. */
  whenEnded(): Deferred<ProcessEnding> {
    const watcher = new Deferred<ProcessEnding>()
    if (this.#ended === undefined) this.#watchers.push(watcher)
    else watcher.callback(this.#ended)
    return watcher
  }

  registerProducer(producer: PushProducer, streaming: true): void
  registerProducer(producer: PullProducer, streaming: false): void
  registerProducer(producer: PushProducer | PullProducer, streaming: boolean): void {
    if (streaming) this.#child.stdio.registerProducer(producer as PushProducer, true)
    else this.#child.stdio.registerProducer(producer, false)
  }

  unregisterProducer(): void {
    this.#child.stdio.unregisterProducer()
  }

  /** Delivers nothing of stdout and stderr until {@link resumeProducing}; a process that says much has to wait. */
  pauseProducing(): void {
    this.#child.stdio.pauseProducing()
    this.#child.stderr?.pauseProducing()
  }

  resumeProducing(): void {
    this.#child.stdio.resumeProducing()
    this.#child.stderr?.resumeProducing()
  }

  /** The same as `loseConnection()`. */
  stopProducing(): void {
    this.loseConnection()
  }

  /* ---------------------------------------------------------------- what its connections say */

  #hasExited(ending: ProcessEnding): void {
    this.#exited = ending
    this.#call('processExited', () => this.#protocol.processExited(ending))
    this.#settle()
  }

  #closed(what: Closing): void {
    if (this.#told.has(what)) return
    this.#told.add(what)
    this.#call(what, () => this.#protocol[what]())
  }

  #lost({ cause }: ConnectionClosed): void {
    if (cause instanceof Error && !(cause instanceof ProcessTerminated)) this.#cause ??= cause
    this.#connections--
    this.#settle()
  }

  #settle(): void {
    if (this.#exited === undefined || this.#connections > 0 || this.#ended !== undefined) return
    const ending = (this.#ended = withCause(this.peer, this.#exited, this.#cause))
    this.#call('processEnded', () => this.#protocol.processEnded(ending))
    for (const watcher of this.#watchers.splice(0)) watcher.callback(ending)
  }

  #call(what: string, hook: () => Hook): void {
    guarded(this.#reactor.turn, this, what, hook, this)
  }

  /** A hook of the process protocol failed: it is reported, and the process ends. */
  hookFailed(error: unknown, what: string): void {
    const fate = this.#exited === undefined ? `, so ${this.peer} is killed` : ''
    report({ error, what: `${what} of ${this.#protocol.constructor.name} failed${fate}`, subject: this.#protocol })
    this.abortConnection(asError(error))
  }
}

/** A clean end stays one, whatever we did about it. */
function withCause(address: ProcessAddress, ending: ProcessEnding, cause: Error | undefined): ProcessEnding {
  return ending instanceof ProcessDone || cause === undefined
    ? ending
    : new ProcessTerminated(address, ending, { cause })
}

/** Stdin and stdout of a process. */
class StandardStreams extends Protocol {
  readonly #heard: Heard
  readonly #made: () => Hook

  constructor(heard: Heard, made: () => Hook) {
    super()
    this.#heard = heard
    this.#made = made
  }

  override connectionMade(): Hook {
    return this.#made()
  }

  override dataReceived(chunk: Uint8Array): void {
    this.#heard.chunk('outReceived', chunk)
  }

  override readConnectionLost(): void {
    this.#heard.closed('outConnectionLost')
  }

  override writeConnectionLost(): void {
    this.#heard.closed('inConnectionLost')
  }

  override connectionLost(reason: ConnectionClosed): void {
    this.#heard.closed('inConnectionLost')
    this.#heard.closed('outConnectionLost')
    if (reason instanceof ConnectionAborted) this.#heard.aborted()
    this.#heard.lost(reason)
  }
}

class StandardError extends Protocol {
  readonly #heard: Heard

  constructor(heard: Heard) {
    super()
    this.#heard = heard
  }

  override dataReceived(chunk: Uint8Array): void {
    this.#heard.chunk('errReceived', chunk)
  }

  override connectionLost(reason: ConnectionClosed): void {
    this.#heard.closed('errConnectionLost')
    this.#heard.lost(reason)
  }
}
