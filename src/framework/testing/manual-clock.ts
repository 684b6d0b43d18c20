/**
 * A clock that stands still until the test moves it: an hour passes in no time, and always in the same way.
 *
 * Ancestor: `twisted.internet.task.Clock`, which jumps to the end first, so that a call made on the way is set from
 * there. This one goes from call to call, as time does; so it needs no `pump`.
 */
import type { Clock, DelayedCall } from '../core/clock.ts'
import { adopt } from '../core/guard.ts'
import { TimerQueue } from '../core/timer-queue.ts'
import { report } from '../deferred/reporter.ts'
import { trace } from '../trace/hook.ts'

/** So many calls one after the other, each set by the one before and due at once, are not going to end. */
const mostRounds = 10_000

export class ManualClock implements Clock {
  readonly #queue = new TimerQueue(this)
  #now: number
  /** How often calls were made at this instant that had been set at this same instant. */
  #rounds = 0

  /** @param now the time at the beginning, in milliseconds */
  constructor(now = 0) {
    this.#now = now
  }

  now(): number {
    return this.#now
  }

  callLater(ms: number, f: () => unknown): DelayedCall {
    return this.#queue.add(ms, f)
  }

  /** The calls to come, in the order in which they will be made. Twisted's `getDelayedCalls`. */
  pending(): readonly DelayedCall[] {
    return this.#queue.pending()
  }

  /**
   * Lets time pass, and makes the calls that are due meanwhile. During each call it is the time that the call was set
   * for; calls of the same time are made in the order in which they were set; a call set on the way is made too, if it
   * is due by the end. `advance(0)` makes the calls that are due now.
   *
   * @param ms 0 or more
   * @throws RangeError if `ms` is not; what a call threw, after all the others were made and the time is over (if
   *   several did, the first); Error if calls set each other at one instant 10,000 times, since time would stand still
   */
  advance(ms: number): void {
    const end = this.#queue.due(ms)
    const thrown: unknown[] = []
    for (let next = this.#queue.next; next !== undefined && next <= end; next = this.#queue.next) {
      this.#moveTo(next)
      if (++this.#rounds > mostRounds) throw this.#livelock(thrown)
      const set = this.#queue.mark()
      for (let call = this.#queue.take(next, set); call !== undefined; call = this.#queue.take(next, set)) {
        run(call, thrown)
      }
    }
    this.#moveTo(end)
    if (thrown.length > 0) throw thrown[0]
  }

  /** Never back: a call that was moved into the past by `delay(-ms)` is made now. */
  #moveTo(time: number): void {
    if (time <= this.#now) return
    this.#now = time
    this.#rounds = 0
  }

  #livelock(thrown: unknown[]): Error {
    return new Error(
      `At ${this.#now} ms, calls set new ones at once (callLater(0) and the like) ${mostRounds} times in a row: time` +
        ' stands still. Let whatever repeats wait a while, or stop it when its work is done.',
      thrown.length > 0 ? { cause: thrown[0] } : undefined,
    )
  }
}

function run(call: DelayedCall, thrown: unknown[]): void {
  const span = trace?.begin('call', call, { what: 'timer' }, trace.marked(call))
  try {
    adopt(call.run(), 'timer', {
      hookFailed: (error) => report({ error, what: 'A delayed call failed', subject: call }),
    })
  } catch (error) {
    thrown.push(error)
  } finally {
    if (span !== undefined) trace?.end(span)
  }
}
