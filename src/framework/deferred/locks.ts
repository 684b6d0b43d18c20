/**
 * Lets a limited number in at a time, in the order in which they asked.
 *
 * Ancestor: `DeferredLock` and `DeferredSemaphore` of `twisted.internet.defer`. Grammar: `acquire release` in pairs,
 * which `run(f)` and `using` write for you: `using held = yield* lock.acquire()`.
 */

import { Deferred } from './deferred.ts'
import { maybeDeferred } from './wrapping.ts'

/** So many tokens; whoever finds none waits for one. */
export class DeferredSemaphore implements Disposable {
  /** How many may hold a token at once. */
  readonly limit: number
  #tokens: number
  #handing = false
  readonly #waiting = new Set<Deferred<this>>()

  /** @throws RangeError unless `limit` is a whole number, 1 or more */
  constructor(limit: number) {
    if (!Number.isInteger(limit) || limit < 1) throw new RangeError(`A semaphore needs 1 token or more, not ${limit}`)
    this.limit = limit
    this.#tokens = limit
  }

  /** How many tokens are free. */
  get tokens(): number {
    return this.#tokens
  }

  /** How many wait for one. */
  get waiting(): number {
    return this.#waiting.size
  }

  /**
   * Asks for a token: fires with this semaphore when it is there, which may be now. Cancelling leaves the line; once the
   * token is granted, cancelling does nothing.
   */
  acquire(): Deferred<this> {
    const asked = new Deferred<this>((one) => this.#waiting.delete(one))
    if (this.#tokens > 0 && this.#waiting.size === 0) {
      this.#tokens--
      asked.callback(this)
    } else {
      this.#waiting.add(asked)
    }
    return asked
  }

  /**
   * Gives one token back; the next in line gets it now.
   *
   * @throws Error if nobody holds one
   */
  release(): void {
    if (this.#tokens === this.limit) throw new Error('release() without an acquire() before it')
    this.#tokens++
    this.#handOut()
  }

  /** Calls `f` while it holds a token, which goes back on every path: return, throw, failure, cancel. */
  run<U>(f: () => U): Deferred<Awaited<U>> {
    return this.acquire().addCallback(() =>
      maybeDeferred(f).addBoth((result) => {
        this.release()
        return result
      }),
    )
  }

  /** `release()`, for `using`. */
  [Symbol.dispose](): void {
    this.release()
  }

  /** A loop: whoever releases within gets no recursion, however many wait. */
  #handOut(): void {
    if (this.#handing) return
    this.#handing = true
    try {
      for (const next of this.#waiting) {
        if (this.#tokens === 0) break
        this.#waiting.delete(next)
        this.#tokens--
        next.callback(this)
      }
    } finally {
      this.#handing = false
    }
  }
}

/** One at a time. */
export class DeferredLock extends DeferredSemaphore {
  constructor() {
    super(1)
  }

  /** Does somebody hold it? */
  get locked(): boolean {
    return this.tokens === 0
  }
}
