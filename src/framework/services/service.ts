/**
 * A service is a part of a program that is started and stopped: it listens, stays connected, or does something now and
 * then.
 *
 * Ancestor: `twisted.application.service.Service`. What is ours: both directions take as long as they need and say when
 * they are done, and calls that cross each other are sorted out here, once for all services. Grammar of calls:
 * `(starting stopping)*`, and none before the one before it has finished.
 */
import { Deferred } from '../deferred/deferred.ts'
import { cancellationIn } from '../deferred/errors.ts'
import { Failure } from '../deferred/failure.ts'
import { report } from '../deferred/reporter.ts'
import { execute, succeed } from '../deferred/wrapping.ts'
import { trace } from '../trace/hook.ts'
import { ServiceStopped } from './errors.ts'
import type { MultiService } from './multi-service.ts'

/** Where a service is in its life; see {@link Service} for what leads from one to the next. */
export type ServiceState = 'stopped' | 'starting' | 'running' | 'stopping'

/** What a service does to start or stop: nothing that takes time, or something that says when it is done. */
export type ServiceWork = void | PromiseLike<unknown>

/**
 * Subclass it, and override {@link Service.starting} and {@link Service.stopping}. The last call wins, whenever it comes:
 *
 * | state    | startService()             | stopService()                            |
 * | -------- | -------------------------- | ---------------------------------------- |
 * | stopped  | starts                     | nothing to do                            |
 * | starting | waits for the same start   | gives the start up, then stops           |
 * | running  | nothing to do              | stops                                    |
 * | stopping | starts when it has stopped | waits for the same end; no start follows |
 *
 * @example
 * class PoemFile extends Service {
 *   protected override async starting() { this.file = await open('poem.txt') }
 *   protected override async stopping() { await this.file?.close() }
 * }
 */
export abstract class Service {
  #state: ServiceState = 'stopped'
  #name: string | undefined
  #parent: MultiService | undefined
  /** The present start, if it can be given up. */
  #start: Deferred<unknown> | undefined
  /** Who waits until it runs; while it stops, these want it to start again. */
  #startsAwaited: Deferred<void>[] = []
  /** Who waits until it is stopped. */
  #stopsAwaited: Deferred<void>[] = []

  /** How far it is between start and stop. */
  get state(): ServiceState {
    return this.#state
  }

  /** Whether it has been started, and not been told to stop since. */
  get running(): boolean {
    return this.#state === 'running'
  }

  /** Its name among the services of its parent, if it has one. */
  get name(): string | undefined {
    return this.#name
  }

  /** The MultiService that starts and stops it. */
  get parent(): MultiService | undefined {
    return this.#parent
  }

  /** @throws Error if it has a parent: that one knows it by its name */
  setName(name: string): void {
    if (this.#parent !== undefined) throw new Error(`${this} is named before it is put into a MultiService`)
    this.#name = name
  }

  /** The same as `parent.addService(this)`. */
  setServiceParent(parent: MultiService): Deferred<void> {
    return parent.addService(this)
  }

  /**
   * The same as `parent.removeService(this)`.
   *
   * @throws Error if it has no parent
   */
  disownServiceParent(): Deferred<void> {
    if (this.#parent === undefined) throw new Error(`${this} has no parent`)
    return this.#parent.removeService(this)
  }

  /**
   * Starts it.
   *
   * @returns fires when it runs. Fails with what {@link starting} failed with, when everything is undone again; or with
   *   ServiceStopped, if it is stopped first. Cancelling it stops the service. A fresh Deferred each time
   */
  startService(): Deferred<void> {
    if (this.#state === 'running') return succeed()
    const started = new Deferred<void>((_, reason) => {
      if (reason instanceof ServiceStopped) started.errback(reason)
      else this.#beginStop()
    })
    this.#startsAwaited.push(started)
    if (this.#state === 'stopped') this.#beginStart()
    return started
  }

  /**
   * Stops it. Whatever else is going on, it does not run when this has fired, unless somebody starts it again.
   *
   * @returns fires when it is stopped. Fails with what {@link stopping} failed with; it is stopped nevertheless.
   *   Cancelling it ends the waiting, not the stopping. A fresh Deferred each time
   */
  stopService(): Deferred<void> {
    const stopped = new Deferred<void>(() => {
      this.#stopsAwaited = this.#stopsAwaited.filter((waiting) => waiting !== stopped)
    })
    if (this.#state === 'stopped') stopped.callback()
    else this.#stopsAwaited.push(stopped)
    this.#beginStop()
    return stopped
  }

  /**
   * Does what starting takes. A Deferred that it returns is cancelled when the start is given up; a promise cannot be,
   * and is waited for.
   */
  protected starting(): ServiceWork {}

  /**
   * Undoes it. Called once after every {@link starting}, also after one that failed or was given up: what is not there
   * yet needs no undoing.
   */
  protected stopping(): ServiceWork {}

  /** Whether {@link startService} was the last that it was told. */
  protected get wanted(): boolean {
    return this.#state === 'starting' || this.#state === 'running' || this.#startsAwaited.length > 0
  }

  /** For MultiService alone. */
  setParent(parent: MultiService | undefined): void {
    this.#parent = parent
  }

  /** Its name, or else what kind of service it is. */
  toString(): string {
    return this.#name ?? this.constructor.name
  }

  #beginStart(): void {
    this.#become('starting')
    const started = execute(() => {
      const work = this.starting()
      if (work instanceof Deferred) this.#start = work
      return work
    })
    // starting() itself may have called stopService().
    if (this.#state !== 'starting') this.#start?.cancel()
    started.addCallbacks(
      () => this.#hasStarted(),
      (failure) => this.#hasFailed(failure),
    )
  }

  #hasStarted(): void {
    this.#start = undefined
    if (this.#state === 'stopping') {
      this.#undo()
      return
    }
    this.#become('running')
    // One of them may stop it; the others hear that then.
    while (this.#state === 'running' && this.#startsAwaited.length > 0) this.#startsAwaited.shift()?.callback()
  }

  #hasFailed(failure: Failure): void {
    this.#start = undefined
    if (this.#state === 'stopping') {
      // Nobody waits for this start any more; that it was cancelled is no news, anything else is.
      if (cancellationIn(failure.value) === undefined)
        this.#report(failure, 'failed to start, and was stopped meanwhile')
      this.#undo()
      return
    }
    const waiting = this.#startsAwaited.splice(0)
    this.#become('stopping')
    this.#undo({ failure, waiting })
  }

  #beginStop(): void {
    const before = this.#state
    if (before !== 'stopped') this.#become('stopping')
    // Whoever hears of this may start it again; that start is not among these.
    const why = new ServiceStopped(String(this))
    for (const waiting of this.#startsAwaited.splice(0)) waiting.cancel(why)
    if (before === 'running') this.#undo()
    else if (before === 'starting') this.#start?.cancel()
  }

  /** @param failed what became of the start that is undone, and who is to be told when that is done */
  #undo(failed?: { readonly failure: Failure; readonly waiting: readonly Deferred<void>[] }): void {
    execute(() => this.stopping()).addBoth((result) => {
      const stopsAwaited = this.#stopsAwaited.splice(0)
      this.#become('stopped')
      const broken = result instanceof Failure ? result : undefined
      if (broken !== undefined && stopsAwaited.length === 0) this.#report(broken, 'failed to stop')
      tell(stopsAwaited, broken)
      if (failed !== undefined) tell(failed.waiting, failed.failure)
      if (this.#state === 'stopped' && this.#startsAwaited.length > 0) this.#beginStart()
    })
  }

  #become(state: ServiceState): void {
    if (state === this.#state) return
    this.#state = state
    trace?.at('service', this, { state, label: String(this) })
  }

  #report({ value }: Failure, what: string): void {
    report({ error: value, what: `${this} ${what}`, subject: this })
  }
}

/** Fires those that nobody has cancelled meanwhile. */
function tell(waiting: readonly Deferred<void>[], failure?: Failure): void {
  for (const one of waiting) {
    if (one.called) continue
    if (failure === undefined) one.callback()
    else one.errback(failure)
  }
}
