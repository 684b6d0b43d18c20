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
    const course = new Course<Awaited<R>>(generator, f.name)
    goOn(course)
    return course.outer
  }
}

/** Whose outer Deferred is being fired, and who was found to wait for it and goes on right after. */
let handing: { readonly outer: Deferred<unknown>; readonly ready: Course<unknown>[] } | undefined

/**
 * Lets a generator go on, and then those who wait for its end, and so forth: a list, not a recursion, so that generators
 * that wait for generators unwind on the default stack however many there are.
 */
function goOn(first: Course<unknown>): void {
  const ready = [first]
  for (let course = ready.pop(); course !== undefined; course = ready.pop()) {
    if (!course.resumeGenerator()) continue
    const before = handing
    handing = { outer: course.outer, ready: [] }
    course.finish()
    // The first to wait is the first to go on.
    ready.push(...handing.ready.reverse())
    handing = before
  }
}

/** One run of a generator, from Deferred to Deferred. */
class Course<R> {
  readonly outer: Deferred<R>
  readonly #generator: Generator<unknown, unknown, unknown>
  /** What it waits for now. */
  #awaited: unknown
  /** While it asks the awaited Deferred, which may answer at once. */
  #asking = false
  #answered = false
  #registered = false
  #failed = false
  /** What the generator gets next; in the end, its result. */
  #value: unknown = undefined
  /** The reason of a cancel that came while the generator itself was running. */
  #cancel: { readonly reason: unknown } | undefined

  constructor(generator: Generator<unknown, unknown, unknown>, label: string) {
    this.#generator = generator
    // Called only while the generator itself runs: otherwise the cancelling goes to what it waits for.
    const canceller = (_: unknown, reason: unknown): void => {
      this.#cancel = { reason }
    }
    this.outer = new Deferred<R>(canceller, trace && { how: 'inline', label })
  }

  /**
   * Goes on as far as it can. A loop, so that results which are there already cost no stack.
   *
   * @returns whether the generator has ended
   */
  resumeGenerator(): boolean {
    do {
      try {
        const turn = this.#failed ? this.#generator.throw(this.#value) : this.#generator.next(this.#value)
        if (turn.done !== true) this.#ask(turn.value)
        else {
          this.#value = turn.value
          return true
        }
      } catch (error) {
        this.#value = asFailure(error)
        return true
      }
    } while (this.#answered)
    return false
  }

  #ask(awaited: unknown): void {
    this.#awaited = awaited
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
    this.#registered = !this.outer.called
    return !this.#registered || setWaitingOn(this.outer, awaited)
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
    if (this.#registered) setWaitingOn(this.outer, undefined)
    this.#failed = failed
    this.#value = value
    if (this.#asking) this.#answered = true
    else if (handing !== undefined && handing.outer === this.#awaited) handing.ready.push(this)
    else goOn(this)
  }

  /** Fires the outer Deferred with the generator's result. */
  finish(): void {
    const result = this.#value
    if (!this.outer.called) settle(this.outer, result)
    else if (result instanceof Failure && cancellationIn(result.value) === undefined) {
      report({ error: result.value, what: 'A generator failed after it was cancelled', subject: this.outer })
    }
  }
}

function isGenerator(value: unknown): value is Generator<unknown, unknown, unknown> {
  const generator = value as Partial<Generator> | null | undefined
  return typeof generator?.next === 'function' && typeof generator.throw === 'function'
}
