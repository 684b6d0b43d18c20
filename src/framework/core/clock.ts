/**
 * A clock tells the time and calls you back later; it is the only time that neutral code knows.
 *
 * A reactor is a Clock; so is the ManualClock of `couplet/testing`. Ancestor: `twisted.internet.interfaces.IReactorTime`.
 */
import { AlreadyCalled, AlreadyCancelled } from './errors.ts'
import type { TimerQueue } from './timer-queue.ts'

/** Time, in milliseconds, and calls to come. */
export interface Clock {
  /** Milliseconds since some fixed moment. Never goes back; says nothing about the date. */
  now(): number

  /**
   * Calls `f` once, `ms` milliseconds from now, and never before this method has returned. Calls that are due at
   * the same time happen in the order in which they were asked for.
   *
   * @param ms 0 or more; 0 means in the next turn. As long as you like: a year works.
   * @throws RangeError if `ms` is negative, infinite or not a number
   */
  callLater(ms: number, f: () => unknown): DelayedCall
}

/**
 * A call that will be made later, unless it is cancelled.
 *
 * Ancestor: `twisted.internet.base.DelayedCall`.
 */
export class DelayedCall {
  readonly #queue: TimerQueue
  readonly #call: () => unknown
  #state: 'waiting' | 'called' | 'cancelled' = 'waiting'
  #time: number
  /** Where the queue holds this call; -1 when it does not. The queue's own bookkeeping. */
  position = -1
  /** Breaks ties between calls that are due at the same time. The queue's own bookkeeping. */
  order = 0

  /** Made by `callLater`. */
  constructor(queue: TimerQueue, time: number, call: () => unknown) {
    this.#queue = queue
    this.#time = time
    this.#call = call
  }

  /** When the call is due, on the clock that made it, in milliseconds. */
  get time(): number {
    return this.#time
  }

  /** Whether the call is still to come. */
  active(): boolean {
    return this.#state === 'waiting'
  }

  /**
   * The call will not be made.
   *
   * @throws AlreadyCalled, AlreadyCancelled if it is not to come any more
   */
  cancel(): void {
    this.#mustBeWaiting()
    this.#state = 'cancelled'
    this.#queue.remove(this)
  }

  /** The call will be made `ms` milliseconds from now instead. Throws as {@link cancel} and `callLater` do. */
  reset(ms: number): void {
    this.#mustBeWaiting()
    this.#time = this.#queue.due(ms)
    this.#queue.moved(this)
  }

  /** The call will be made `ms` milliseconds later than planned (earlier if negative). Throws as {@link cancel} does. */
  delay(ms: number): void {
    this.#mustBeWaiting()
    if (!Number.isFinite(ms)) throw new RangeError(`a delay is a finite number of milliseconds, not ${ms}`)
    this.#time = this.#queue.after(this.#time, ms)
    this.#queue.moved(this)
  }

  /** For `using`: cancels the call if it is still to come. */
  [Symbol.dispose](): void {
    if (this.active()) this.cancel()
  }

  /** Makes the call. For the clock alone. */
  run(): unknown {
    this.#state = 'called'
    return this.#call()
  }

  #mustBeWaiting(): void {
    if (this.#state === 'called') throw new AlreadyCalled()
    if (this.#state === 'cancelled') throw new AlreadyCancelled()
  }
}
