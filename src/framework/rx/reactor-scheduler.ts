/**
 * RxJS's time on a reactor's clock: `timeout`, `delay`, `debounceTime`, `interval` and the like run in virtual time
 * when the reactor does.
 *
 * Ancestor: `AsyncScheduler` and `AsyncAction` of RxJS.
 */
import { type SchedulerAction, type SchedulerLike, Subscription } from 'rxjs'
import type { Clock, DelayedCall } from '../core/clock.ts'
import { deliver } from './delivery.ts'

type Work<T> = (this: SchedulerAction<T>, state?: T) => void

/**
 * A scheduler for RxJS that takes its time from `clock`. Its `now()` is the clock's: it measures, but is no date, so
 * that operators given a `Date` do not work with it. What a subscriber throws in a call of its own time is reported,
 * and nothing else happens: a timer has no connection that could end.
 *
 * @example poems.pipe(timeout({ each: 2000, scheduler: reactorScheduler(reactor) }))
 */
export function reactorScheduler(clock: Clock): SchedulerLike {
  return {
    now: () => clock.now(),
    schedule<T>(work: Work<T>, delay = 0, state?: T): Subscription {
      return new ReactorAction(clock, work).schedule(state, delay)
    },
  }
}

/** Work that is done later, and may ask to be done again. */
class ReactorAction<T> extends Subscription implements SchedulerAction<T> {
  readonly #clock: Clock
  readonly #work: Work<T>
  #call: DelayedCall | undefined

  constructor(clock: Clock, work: Work<T>) {
    super(() => this.#cancel())
    this.#clock = clock
    this.#work = work
  }

  /** Does the work `delay` milliseconds from now instead of when it was to be done; at once if that is past. */
  schedule(state?: T, delay = 0): Subscription {
    if (this.closed) return this
    this.#cancel()
    this.#call = this.#clock.callLater(Math.max(0, delay), () => {
      this.#call = undefined
      deliver(undefined, () => this.#work(state))
    })
    return this
  }

  #cancel(): void {
    if (this.#call?.active() === true) this.#call.cancel()
    this.#call = undefined
  }
}
