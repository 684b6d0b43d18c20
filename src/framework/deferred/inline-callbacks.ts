/**
 * Lets a generator function wait for Deferreds as an `async` function waits for promises, but synchronously.
 *
 * Ancestor: `twisted.internet.defer.inlineCallbacks`. `const poem = yield* d` goes on inside the call that fires `d`, or
 * at once if it has fired. Cancelling the outer Deferred cancels what the generator waits for; the generator may catch
 * the CancelledError, clean up, wait for more and return what it likes.
 */

import { trace } from '../trace/hook.ts'
import { asFailure, Deferred, settle, setWaitingOn } from './deferred.ts'
import { cancellationIn } from './errors.ts'
import { Failure, lookAt } from './failure.ts'
import { report } from './reporter.ts'

/** What a generator function for inlineCallbacks returns; `R` is what it ends with. */
export type InlineGenerator<R> = Generator<never, R, unknown>

/**
 * Makes a function that returns a Deferred out of a generator function that says `yield*` to Deferreds. It runs now, up
 * to the first Deferred that has not fired. What it returns, another Deferred or a promise included, and what it
 * throws, is the outcome.
 *
 * @throws TypeError, when called, if `f` is no generator function
 * @example
 * const download = inlineCallbacks(function* (endpoint: ClientEndpoint) {
 *   const poem = yield* getPoetry(endpoint)
 *   return poem.toUpperCase()
 * })
 */
export function inlineCallbacks<This, A extends unknown[], R>(
  f: (this: This, ...args: A) => InlineGenerator<R>,
): (this: This, ...args: A) => Deferred<Awaited<R>> {
  return function (this: This, ...args: A) {
    const generator: unknown = f.apply(this, args)
    if (!isGenerator(generator)) throw new TypeError('inlineCallbacks takes a generator function: function* (…) {…}')
    return new Course<Awaited<R>>(generator, f.name).start()
  }
}

/** One run of a generator, from Deferred to Deferred. */
class Course<R> {
  readonly #generator: Generator<unknown, unknown, unknown>
  readonly #outer: Deferred<R>
  /** While it asks the awaited Deferred, which may answer at once. */
  #asking = false
  #answered = false
  #registered = false
  #failed = false
  #value: unknown = undefined
  /** The reason of a cancel that came while the generator itself was running. */
  #cancel: { readonly reason: unknown } | undefined

  constructor(generator: Generator<unknown, unknown, unknown>, label: string) {
    this.#generator = generator
    // Called only while the generator itself runs: otherwise the cancelling goes to what it waits for.
    const canceller = (_: unknown, reason: unknown): void => {
      this.#cancel = { reason }
    }
    this.#outer = new Deferred<R>(canceller, trace && { how: 'inline', label })
  }

  start(): Deferred<R> {
    this.resumeGenerator()
    return this.#outer
  }

  /** Goes on as far as it can. A loop, so that results which are there already cost no stack. */
  resumeGenerator(): void {
    do {
      let turn: IteratorResult<unknown, unknown>
      try {
        turn = this.#failed ? this.#generator.throw(this.#value) : this.#generator.next(this.#value)
      } catch (error) {
        this.#finish(asFailure(error))
        return
      }
      if (turn.done === true) {
        this.#finish(turn.value)
        return
      }
      this.#ask(turn.value)
    } while (this.#answered)
  }

  #ask(awaited: unknown): void {
    this.#answered = false
    this.#asking = true
    if (!(awaited instanceof Deferred)) {
      this.#answer(true, new TypeError('yield* takes a Deferred; a promise goes in as Deferred.fromPromise(promise)'))
    } else if (!this.#register(awaited)) {
      this.#answer(true, new TypeError('The generator waits for a Deferred that waits for this very generator'))
    } else {
      const cancel = this.#cancel
      this.#cancel = undefined
      if (cancel !== undefined) awaited.cancel(cancel.reason)
      awaited.addCallbacks(this.#onValue, this.#onFailure)
    }
    this.#asking = false
  }

  /** Lets the outer Deferred wait for `awaited`, unless it was fired over the generator's head. */
  #register(awaited: Deferred<unknown>): boolean {
    this.#registered = !this.#outer.called
    return !this.#registered || setWaitingOn(this.#outer, awaited)
  }

  readonly #onValue = (value: unknown): unknown => {
    this.#answer(false, value)
    return value
  }

  readonly #onFailure = (failure: Failure): Failure => {
    lookAt(failure)
    this.#answer(true, failure.value)
    return failure
  }

  #answer(failed: boolean, value: unknown): void {
    if (this.#registered) setWaitingOn(this.#outer, undefined)
    this.#failed = failed
    this.#value = value
    if (this.#asking) this.#answered = true
    else this.resumeGenerator()
  }

  #finish(result: unknown): void {
    if (!this.#outer.called) settle(this.#outer, result)
    else if (result instanceof Failure && cancellationIn(result.value) === undefined) {
      report({ error: result.value, what: 'A generator failed after it was cancelled', subject: this.#outer })
    }
  }
}

function isGenerator(value: unknown): value is Generator<unknown, unknown, unknown> {
  const generator = value as Partial<Generator> | null | undefined
  return typeof generator?.next === 'function' && typeof generator.throw === 'function'
}
