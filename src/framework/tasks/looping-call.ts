/**
 * Calls a function again and again, at a steady pace, until it is told to stop or the function fails.
 *
 * Ancestor: `twisted.internet.task.LoopingCall`. Calls stand on a grid, start + k · interval: whatever a call costs, and
 * however late a timer is, the pace does not drift. Calls never overlap; grid points that have passed meanwhile are
 * left out.
 */
import type { Clock, DelayedCall } from '../core/clock.ts'
import { Deferred } from '../deferred/deferred.ts'
import type { Failure } from '../deferred/failure.ts'
import { execute } from '../deferred/wrapping.ts'

/** Calls a function again and again, at a steady pace. */
export class LoopingCall {
  readonly #clock: Clock
  #f: (count: number) => unknown
  #interval = 0
  #running = false
  /** When grid point 0 is or was. */
  #origin = 0
  /** The grid point of the latest call; what comes is counted from here. */
  #latest = 0
  /** The grid point that {@link #next} is for. A clock that rounds may call a hair before it. */
  #aimed = 0
  #next: DelayedCall | undefined
  #calling = false
  /** What the present call returned, if that is still to come. */
  #result: Deferred<unknown> | undefined
  #done: Deferred<LoopingCall> | undefined

  /**
   * @param f - called with nothing; the next call waits for a Deferred or promise that it returns
   */
  constructor(clock: Clock, f: () => unknown) {
    this.#clock = clock
    this.#f = () => f()
  }

  /**
   * One whose function is told how many grid points have come since its previous call: 1 when all is well, more when
   * calls were left out. With interval 0 it is always 1.
   */
  static withCount(clock: Clock, f: (count: number) => unknown): LoopingCall {
    const loop = new LoopingCall(clock, () => undefined)
    loop.#f = f
    return loop
  }

  /** Has it been started, and neither stopped nor failed since? */
  get running(): boolean {
    return this.#running
  }

  /** Milliseconds from one grid point to the next, as last given to {@link start}. */
  get interval(): number {
    return this.#interval
  }

  /**
   * Begins. After it has ended, in whatever way, it can be started again.
   *
   * @param ms - the interval, in milliseconds; 0 means once every turn
   * @param now - whether the first call is made before this returns, or one interval later
   * @returns fires with this LoopingCall when it is stopped and its last call has finished; fails with what a call
   *   failed with, which ends it too. Cancelling it stops the loop, and cancels what the present call waits for
   * @throws Error if it runs, or its last call has not finished; RangeError if `ms` is negative, infinite, not a number
   */
  start(ms: number, now = true): Deferred<LoopingCall> {
    if (this.#running) throw new Error('the LoopingCall is running already (stop() it first)')
    if (this.#calling) throw new Error('the last call has not finished yet (wait for the Deferred that start() gave)')
    if (!(Number.isFinite(ms) && ms >= 0))
      throw new RangeError(`an interval is a number of milliseconds, 0 or more, not ${ms}`)
    this.#running = true
    this.#interval = ms
    this.#origin = this.#clock.now()
    this.#latest = now ? -1 : 0
    const done = new Deferred<LoopingCall>((_, reason) => this.#giveUp(reason))
    this.#done = done
    if (now) {
      this.#aimed = 0
      this.#call()
    } else {
      this.#schedule()
    }
    return done
  }

  /**
   * Makes no more calls. The Deferred of {@link start} fires now or, if a call is going on, when that has finished.
   *
   * @throws Error if it does not run
   */
  stop(): void {
    this.#mustRun('stop')
    this.#running = false
    this.#unschedule()
    if (!this.#calling) this.#finish()
  }

  /**
   * Begins a new grid here and now: the next call is one interval away.
   *
   * @throws Error if it does not run
   */
  reset(): void {
    this.#mustRun('reset')
    this.#origin = this.#clock.now()
    this.#latest = 0
    this.#unschedule()
    if (!this.#calling) this.#schedule()
  }

  #call(): void {
    this.#next = undefined
    const point = this.#interval === 0 ? this.#aimed : Math.max(this.#aimed, this.#pointBefore(this.#clock.now()))
    const count = point - this.#latest
    this.#latest = point
    this.#calling = true
    const result = execute(() => this.#f(count))
    this.#result = result
    result.addCallbacks(
      () => this.#called(),
      (failure) => this.#failed(failure),
    )
  }

  #called(): void {
    this.#calling = false
    this.#result = undefined
    if (this.#running) this.#schedule()
    else this.#finish()
  }

  #failed(failure: Failure): unknown {
    this.#calling = false
    this.#result = undefined
    this.#running = false
    const done = this.#done
    this.#done = undefined
    // Whoever cancelled the loop has gone; its last failure is nobody's.
    if (done === undefined) return failure
    done.errback(failure)
    return undefined
  }

  #finish(): void {
    const done = this.#done
    this.#done = undefined
    done?.callback(this)
  }

  #giveUp(reason: unknown): void {
    this.#done = undefined
    this.#running = false
    this.#unschedule()
    this.#result?.cancel(reason)
  }

  #schedule(): void {
    const now = this.#clock.now()
    let delay = 0
    if (this.#interval === 0) {
      this.#aimed = this.#latest + 1
    } else {
      this.#aimed = Math.max(this.#latest, this.#pointBefore(now)) + 1
      delay = Math.max(0, this.#timeOf(this.#aimed) - now)
    }
    const loopingCall = (): void => this.#call()
    this.#next = this.#clock.callLater(delay, loopingCall)
  }

  #unschedule(): void {
    this.#next?.cancel()
    this.#next = undefined
  }

  #timeOf(point: number): number {
    return this.#origin + point * this.#interval
  }

  /** The last grid point at or before `time`. */
  #pointBefore(time: number): number {
    const point = Math.floor((time - this.#origin) / this.#interval)
    // The division rounds, by one point at most; the grid itself decides.
    if (this.#timeOf(point + 1) <= time) return point + 1
    return this.#timeOf(point) > time ? point - 1 : point
  }

  #mustRun(what: string): void {
    if (!this.#running) throw new Error(`${what}() of a LoopingCall that is not running (start() it first)`)
  }
}
