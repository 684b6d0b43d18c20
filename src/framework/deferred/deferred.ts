/**
 * A Deferred is a value that is not here yet, with the list of what to do when it comes.
 *
 * Ancestor: `twisted.internet.defer.Deferred`. It is synchronous: callbacks run inside `callback()`, or inside
 * `addCallback()` when the result is there already, and never a microtask later. There is one chain, which every
 * `add…` makes longer: each stage gets the result of the one before. A stage that returns another Deferred, or a
 * promise, makes the chain wait for it. Grammar: `add…* (callback | errback | cancel) add…*`; it fires once.
 */

import { trace } from '../trace/hook.ts'
import { debugging, history } from './debugging.ts'
import { AlreadyCalledError, CancelledError, cancellationIn, TimeoutError } from './errors.ts'
import { Failure } from './failure.ts'
import { describe, type Inspect, inspectCustom, type State } from './inspect.ts'
import { promiseOf } from './look.ts'
import { type InteropObservable, observableOf } from './observable.ts'
import { report } from './reporter.ts'
import { Stage, type Step } from './stage.ts'
import { outcome, traceAdd, traceFire, tracePass, traceResume, traceRun } from './traced.ts'
import { excuse, forget, note } from './unhandled.ts'
import { addWhere } from './where.ts'

/**
 * Gives up whatever the Deferred waits for. Called at most once, synchronously inside `cancel()`, and never after the
 * Deferred has fired. It may fire the Deferred itself, with either outcome; if it does not, CancelledError follows.
 */
export type Canceller<T> = (deferred: Deferred<T>, reason: unknown) => void

/** What the trace should know about a Deferred at its making; nothing else depends on it. */
export interface About {
  /** The way it came about. */
  readonly how?: 'plain' | 'succeed' | 'gather' | 'inline' | 'timeout' | 'promise' | 'rx'
  /** A name for people, as in `poem from port 10000`. */
  readonly label?: string
  /** The Deferreds it is made of. */
  readonly of?: readonly object[]
}

/** As much of a clock as `addTimeout` needs. Every reactor is one. */
export interface TimeoutClock {
  /** Calls `f` once, `ms` milliseconds from now, unless it is cancelled. */
  callLater(ms: number, f: () => void): { cancel(): void; active(): boolean }
}

const CALLED = 1
const FAILED = 2
const RUNNING = 4
const CANCELLING = 8
/** The cancelling goes back to an explicit `cancel()`, not to a timeout. */
const ASKED = 16
/** It was cancelled without a canceller: whoever was to fire it does not know, and may do so once, in vain. */
const SWALLOW = 32
/** Its failure is on the list of unhandled ones. */
const NOTED = 64
/** Somebody waits, or waited, for it. */
const AWAITED = 128
/** `#waitingOn` is set. Here as well, so that one comparison tells whether the next stage may run. */
const WAITING = 256
/** One `pause()`. They are counted from here up. */
const PAUSED = 512

const byPromise: About = { how: 'promise' }

let settleIn: (deferred: Deferred<unknown>, result: unknown) => void
let waitIn: (deferred: Deferred<unknown>, on: Deferred<unknown> | undefined) => boolean

/** A value that is not here yet. */
export class Deferred<T> implements PromiseLike<T> {
  #flags = 0
  /** The value or the Failure; undefined before and while it waits. Unknown, so that T stays covariant. */
  #result: unknown = undefined
  #first: Stage<Deferred<unknown>> | undefined = undefined
  #last: Stage<Deferred<unknown>> | undefined = undefined
  #waitingOn: Deferred<unknown> | undefined = undefined
  #canceller: ((deferred: never, reason: unknown) => void) | undefined

  static {
    waitIn = (deferred, on) => {
      if (on !== undefined && deferred.#closesCircle(on)) return false
      if (on !== undefined) on.#flags |= AWAITED
      deferred.#waitOn(on)
      if (on === undefined && (deferred.#flags & (CALLED | RUNNING)) === CALLED) deferred.#run()
      return true
    }
    settleIn = (deferred, result) => deferred.#settle(result)
  }

  /**
   * @param canceller - gives up the work, when somebody calls `cancel`
   * @param about - for the trace only
   */
  constructor(canceller?: Canceller<T>, about?: About) {
    this.#canceller = canceller
    debugging?.made(this)
    trace?.at('d.new', this, { how: about?.how ?? 'plain', label: about?.label, of: about?.of })
  }

  /**
   * A Deferred that fires with the outcome of a promise, a microtask after it is there. Cancelling it does not stop the
   * promise; its late outcome is dropped. To stop the work too, give a function: it gets a signal that is aborted, with
   * the reason, when the Deferred is cancelled.
   */
  static fromPromise<T>(source: PromiseLike<T> | ((signal: AbortSignal) => PromiseLike<T>)): Deferred<Awaited<T>> {
    if (isPromiseLike(source)) return new Deferred<Awaited<T>>(undefined, byPromise).#adopt(source)
    const controller = new AbortController()
    const deferred = new Deferred<Awaited<T>>((_, reason) => controller.abort(reason), byPromise)
    try {
      return deferred.#adopt(source(controller.signal))
    } catch (error) {
      deferred.#settle(asFailure(error))
      return deferred
    }
  }

  /** Has it been fired? True too while its chain waits or is paused. */
  get called(): boolean {
    return (this.#flags & CALLED) !== 0
  }

  /**
   * Fires with a value: the first callback gets it, now.
   *
   * @param value - anything but a promise or a Deferred; a Failure takes the error rail
   * @throws AlreadyCalledError if it has fired before, TypeError for a promise or a Deferred
   */
  callback(value: T | Failure): void {
    if (isPromiseLike(value))
      throw new TypeError('callback() takes a value; a callback may return a Deferred or promise')
    this.#fire(value)
  }

  /**
   * Fires with a failure: the first errback gets it, now.
   *
   * @param reason - an Error, a Failure, or anything else that went wrong
   * @throws AlreadyCalledError if it has fired before, TypeError for a Deferred
   */
  errback(reason: unknown): void {
    if (reason instanceof Deferred) throw new TypeError('errback() takes an error; an errback may return a Deferred')
    this.#fire(asFailure(reason))
  }

  /**
   * Adds a callback: it gets the value, and what it returns is the next stage's. It is skipped by a failure. What it
   * throws, and a Failure that it returns, takes the error rail; for a Deferred or a promise the chain waits.
   *
   * @returns this same Deferred, with its new type: fire through the first reference, listen through the last
   */
  addCallback<U>(f: (value: T) => U | PromiseLike<U>): Deferred<U>
  addCallback<U>(f: (value: T) => U): Deferred<Awaited<U>>
  addCallback(f: (value: T) => unknown): Deferred<unknown> {
    return this.#add(f as Step, undefined)
  }

  /**
   * Adds an errback: it gets the failure, and what it returns, nothing included, is a success for the next stage. To
   * hand the failure on, return or throw it; to handle some errors only, begin with `failure.trap(…)`.
   */
  addErrback<U>(f: (failure: Failure) => U): Deferred<T | Exclude<Awaited<U>, Failure>> {
    return this.#add(undefined, f as Step)
  }

  /** Adds both as a fork: one of them runs, and the errback never sees what its sibling throws. */
  addCallbacks<U, V>(
    callback: (value: T) => U | PromiseLike<U>,
    errback: (failure: Failure) => V,
  ): Deferred<U | Exclude<Awaited<V>, Failure>>
  addCallbacks<U, V>(
    callback: (value: T) => U,
    errback: (failure: Failure) => V,
  ): Deferred<Awaited<U> | Exclude<Awaited<V>, Failure>>
  addCallbacks(callback: (value: T) => unknown, errback: (failure: Failure) => unknown): Deferred<unknown> {
    return this.#add(callback as Step, errback as Step)
  }

  /** Adds one function for both: it gets the value or the Failure. What it returns goes on, a Failure as a failure. */
  addBoth<U>(f: (result: T | Failure) => U): Deferred<Exclude<Awaited<U>, Failure>> {
    return this.#add(f as Step, f as Step)
  }

  /**
   * Hands the result over to `other`, which fires with it. This Deferred goes on with undefined. Cancelling `other` does
   * not reach this one.
   */
  chainDeferred(other: Deferred<T>): Deferred<void> {
    return this.addCallbacks(
      (value) => other.callback(value),
      (failure) => other.errback(failure),
    )
  }

  /**
   * Gives up: the Deferred fails with CancelledError, unless its canceller fires it otherwise. If its chain waits for
   * another Deferred, that one is cancelled. Once it has its result, nothing happens. Without a canceller, whoever was
   * to fire it may still do so once, without effect.
   *
   * @param reason - becomes the CancelledError's `cause`
   */
  cancel(reason?: unknown): void {
    this.#cancel(reason, ASKED)
  }

  /**
   * Cancels this Deferred unless its result is there within `ms` milliseconds, and turns the CancelledError that comes
   * of it into TimeoutError. It covers the stages added before it, and what they wait for.
   */
  addTimeout(ms: number, clock: TimeoutClock): Deferred<T>
  /**
   * The same, with a result of your own in place of TimeoutError.
   *
   * @param onTimeoutCancel - called once time is over, with whatever the cancelling led to
   */
  addTimeout<U>(
    ms: number,
    clock: TimeoutClock,
    onTimeoutCancel: (result: T | Failure, ms: number) => U,
  ): Deferred<T | Exclude<Awaited<U>, Failure>>
  addTimeout(
    ms: number,
    clock: TimeoutClock,
    onTimeoutCancel: (result: T | Failure, ms: number) => unknown = timeoutFor,
  ): Deferred<unknown> {
    let timedOut = false
    const call = clock.callLater(ms, () => {
      timedOut = true
      this.#cancel(undefined, 0)
    })
    return this.addBoth(function timeout(result): unknown {
      if (call.active()) call.cancel()
      return timedOut ? onTimeoutCancel(result, ms) : result
    })
  }

  /**
   * Cancels this Deferred, with the signal's reason, if the signal is aborted before the stages added so far have their
   * result. The signal keeps no listener after that.
   */
  addSignal(signal: AbortSignal): Deferred<T> {
    const abort = (): void => this.cancel(signal.reason)
    if (signal.aborted) abort()
    else signal.addEventListener('abort', abort)
    return this.addBoth(function unlisten(result) {
      signal.removeEventListener('abort', abort)
      return result
    })
  }

  /** Holds the chain before its next stage, until `unpause()` was called as many times as this. */
  pause(): void {
    this.#flags += PAUSED
    // A failure is nobody's only when the chain has come to its end; paused, it has not.
    if ((this.#flags & NOTED) !== 0) forget(this)
    this.#flags &= ~NOTED
  }

  /**
   * Takes one `pause()` back; the last one lets the chain go on, now.
   *
   * @throws Error without a `pause()` before it
   */
  unpause(): void {
    if (this.#flags < PAUSED) throw new Error('unpause() without a pause() before it')
    this.#flags -= PAUSED
    if ((this.#flags & (CALLED | RUNNING)) === CALLED) this.#run()
  }

  /**
   * Looks at the outcome, as `await` does, and passes it on unchanged; the functions are called in a microtask, never
   * now. Looking counts as handling: the promise has the failure then. Mind that a promise cannot hold a Deferred: an
   * `async` function that returns one returns its outcome.
   */
  // oxlint-disable-next-line unicorn/no-thenable -- it is meant to be awaited
  then<R = T, S = never>(
    onFulfilled?: ((value: T) => R | PromiseLike<R>) | null,
    onRejected?: ((error: unknown) => S | PromiseLike<S>) | null,
  ): Promise<R | S> {
    return promiseOf(this).then(onFulfilled, onRejected)
  }

  /** The outcome as a native Promise. An abort of `signal` cancels this Deferred. */
  toPromise(signal?: AbortSignal): Promise<T> {
    return promiseOf(signal === undefined ? this : this.addSignal(signal))
  }

  /** `yield* deferred`, inside `inlineCallbacks`: its value, or its error thrown. */
  *[Symbol.iterator](): Generator<never, T, unknown> {
    try {
      return (yield this as never) as T
    } catch (error) {
      addWhere(error)
      throw error
    }
  }

  /** For RxJS and its like: one value and complete, or one error, synchronously. */
  ['@@observable'](): InteropObservable<T> {
    return observableOf(this)
  }

  /** What `console.log(deferred)` shows: its state, its value or error, what it waits for. */
  [inspectCustom](depth: number, options: object, inspect: Inspect): string {
    return describe(this.#state(), (value) => inspect(value, options), depth)
  }

  /** The same in one line, as in `Deferred { pending, 2 callbacks }`. */
  toString(): string {
    return describe(this.#state())
  }

  #add(callback: Step | undefined, errback: Step | undefined): Deferred<never> {
    const stage = new Stage<Deferred<unknown>>(callback, errback, undefined)
    this.#append(stage)
    if (trace) traceAdd(trace, this, stage)
    if ((this.#flags & (CALLED | RUNNING)) === CALLED) this.#run()
    return this as unknown as Deferred<never>
  }

  #append(stage: Stage<Deferred<unknown>>): void {
    if (this.#last === undefined) this.#first = stage
    else this.#last.next = stage
    this.#last = stage
  }

  #fire(result: unknown, inner?: Deferred<unknown>): void {
    if ((this.#flags & CALLED) !== 0) {
      if ((this.#flags & SWALLOW) === 0)
        throw new AlreadyCalledError(`This Deferred has fired before; ${history(this)}`)
      this.#flags &= ~SWALLOW
      return
    }
    debugging?.fired(this)
    this.#flags |= CALLED
    this.#canceller = undefined
    this.#result = result
    if (isObject(result) && result instanceof Failure) {
      this.#flags |= FAILED
      if ((this.#flags & ASKED) !== 0) excuse(result.value)
    }
    const span = trace && traceFire(trace, this, result)
    if (inner !== undefined) this.#waitFor(inner)
    this.#run()
    if (span) trace?.end(span)
  }

  /**
   * Runs the stages that can run, of this Deferred and of everybody who waits for it. Deferreds that wait for each
   * other are a list here, not a recursion, so that nesting costs no stack.
   */
  #run(): void {
    let current = this.#runOwn()
    if (current === undefined) return
    const unfinished: Deferred<unknown>[] = [this]
    while (current !== undefined) {
      const outer: Deferred<unknown> | undefined = current.#runOwn()
      // Who handed its result over may have stages left; they come after those of the one who got it.
      if (outer !== undefined && current.#first !== undefined) unfinished.push(current)
      current = outer ?? unfinished.pop()
    }
  }

  /**
   * Runs its own stages until there is none, it has to wait, or somebody who waited gets its result.
   *
   * @returns the one who got it
   */
  #runOwn(): Deferred<unknown> | undefined {
    this.#flags |= RUNNING
    while (this.#flags < WAITING) {
      const stage = this.#first
      if (stage === undefined) {
        if ((this.#flags & (FAILED | NOTED)) === FAILED && note(this, this.#result as Failure)) this.#flags |= NOTED
        break
      }
      this.#first = stage.next
      if (stage.next === undefined) this.#last = undefined
      const { outer } = stage
      if (outer !== undefined) {
        this.#flags &= ~RUNNING
        outer.#waitOn(undefined)
        outer.#take(this)
        if (trace) traceResume(trace, outer, this, outer.#result)
        return outer
      }
      this.#runStage(stage)
    }
    this.#flags &= ~RUNNING
    return undefined
  }

  #runStage(stage: Stage<Deferred<unknown>>): void {
    const failed = (this.#flags & FAILED) !== 0
    const f = failed ? stage.errback : stage.callback
    if (f === undefined) {
      if (trace) tracePass(trace, this, stage, failed)
      return
    }
    const given = this.#result
    if (failed) this.#handled()
    const span = trace && traceRun(trace, this, stage, given)
    let inner: Deferred<unknown> | undefined
    try {
      const result = f(given)
      this.#result = result
      // Most results are no objects at all, and asking that first is what makes them cheap.
      if (isObject(result)) {
        if (result instanceof Failure) this.#flags |= FAILED
        else if (isPromiseLike(result)) inner = deferredOf(result)
      }
    } catch (error) {
      // The same error thrown again is the same failure: who looked at it before has still seen it.
      this.#result = failed && (given as Failure).value === error ? given : asFailure(error)
      this.#flags |= FAILED
    }
    if (span) trace?.end(span, inner === undefined ? outcome(this.#result) : { chain: inner })
    if (inner !== undefined) this.#waitFor(inner)
  }

  /** The present failure is taken by somebody, and the chain is on the callback rail until there is another. */
  #handled(): void {
    if ((this.#flags & NOTED) !== 0) forget(this)
    this.#flags &= ~(FAILED | NOTED)
  }

  #waitFor(inner: Deferred<unknown>): void {
    this.#result = undefined
    if (this.#closesCircle(inner)) {
      this.#result = new Failure(new TypeError('A callback returned a Deferred that waits for this very chain'))
      this.#flags |= FAILED
    } else if (inner.#isFinished()) {
      trace?.at('d.wait', this, { inner })
      this.#take(inner)
      if (trace) traceResume(trace, this, inner, this.#result)
    } else {
      inner.#flags |= AWAITED
      this.#waitOn(inner)
      inner.#append(new Stage<Deferred<unknown>>(undefined, undefined, this))
      trace?.at('d.wait', this, { inner })
    }
  }

  #waitOn(inner: Deferred<unknown> | undefined): void {
    this.#waitingOn = inner
    if (inner === undefined) this.#flags &= ~WAITING
    else this.#flags |= WAITING
  }

  #isFinished(): boolean {
    const called = (this.#flags & (CALLED | RUNNING)) === CALLED
    return called && this.#first === undefined && this.#flags < WAITING
  }

  /** Would it wait for itself? Only one that others wait for can close a circle, so the walk is rare. */
  #closesCircle(inner: Deferred<unknown>): boolean {
    if (inner === this) return true
    if ((this.#flags & AWAITED) === 0) return false
    let link = inner.#waitingOn
    while (link !== undefined && link !== this) link = link.#waitingOn
    return link === this
  }

  /** Moves the result of `from`, which keeps undefined, to this one. */
  #take(from: Deferred<unknown>): void {
    this.#result = from.#result
    from.#result = undefined
    if ((from.#flags & FAILED) === 0) return
    this.#flags |= FAILED
    from.#handled()
  }

  #cancel(reason: unknown, asked: number): void {
    const target = this.#innermost()
    trace?.at('d.cancel', this, { inner: target === this ? undefined : target })
    if ((target.#flags & (CALLED | CANCELLING)) === 0) target.#giveUp(reason, asked)
  }

  #innermost(): Deferred<unknown> {
    let link = this.#waitingOn
    if (link === undefined) return this
    while (link.#waitingOn !== undefined) link = link.#waitingOn
    return link
  }

  #giveUp(reason: unknown, asked: number): void {
    this.#flags |= CANCELLING | asked
    const canceller = this.#canceller
    if (canceller === undefined) this.#flags |= SWALLOW
    try {
      canceller?.(this as never, reason)
    } catch (error) {
      report({ error, what: 'A canceller threw', subject: this })
    }
    if (!this.called)
      this.#fire(new Failure(new CancelledError(undefined, reason === undefined ? {} : { cause: reason })))
    this.#flags &= ~CANCELLING
  }

  /** Fires it with the outcome of `promise`; `Promise.resolve` tames thenables that settle twice. */
  #adopt(promise: PromiseLike<unknown>): this {
    Promise.resolve(promise).then(
      (value) => this.#settle(value),
      (error: unknown) => this.#settle(asFailure(error)),
    )
    return this
  }

  /** Fires it, unless somebody was faster, with a result of any kind. */
  #settle(result: unknown): void {
    if (this.called) return
    if (isPromiseLike(result)) this.#fire(undefined, deferredOf(result))
    else this.#fire(result)
  }

  #state(): State {
    const inner = this.#waitingOn
    let stages = 0
    for (let stage = this.#first; stage !== undefined; stage = stage.next) stages++
    return {
      name: this.constructor.name,
      called: this.called,
      paused: this.#flags >= PAUSED,
      result: this.#result,
      stages,
      waitingOn: inner && (() => inner.#state()),
    }
  }
}

// RxJS asks for Symbol.observable where something defined it before, and for '@@observable' otherwise.
const observable: unknown = Reflect.get(Symbol, 'observable')
if (typeof observable === 'symbol') {
  Object.defineProperty(Deferred.prototype, observable, {
    value: Deferred.prototype['@@observable'],
    writable: true,
    configurable: true,
  })
}

/** Is it a Deferred, a promise, or anything else with a `then` method? */
export function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  return isObject(value) && 'then' in value && typeof value.then === 'function'
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' ? value !== null : typeof value === 'function'
}

/** The Failure that `error` is, or a new one around it. */
export function asFailure(error: unknown): Failure {
  return error instanceof Failure ? error : new Failure(error)
}

/**
 * For this room: fires `deferred`, unless it has fired, with a result of any kind: a value, a Failure, or a Deferred or
 * a promise, which it then waits for.
 */
export function settle(deferred: Deferred<unknown>, result: unknown): void {
  settleIn(deferred, result)
}

/**
 * For inlineCallbacks: `deferred`, which has not fired, waits for `on` (until it is told undefined), and cancelling it
 * cancels that.
 *
 * @returns false if that would be a circle
 */
export function setWaitingOn(deferred: Deferred<unknown>, on: Deferred<unknown> | undefined): boolean {
  return waitIn(deferred, on)
}

function deferredOf(promise: PromiseLike<unknown>): Deferred<unknown> {
  return promise instanceof Deferred ? promise : Deferred.fromPromise(promise)
}

function timeoutFor(result: unknown, ms: number): unknown {
  if (!(result instanceof Failure) || cancellationIn(result.value) === undefined) return result
  throw new TimeoutError(ms, { cause: result.value })
}
