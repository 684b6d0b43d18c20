/**
 * A call that is made later, with its result as a Deferred.
 *
 * Ancestor: `twisted.internet.task.deferLater`.
 */
import type { Clock } from '../core/clock.ts'
import { Deferred } from '../deferred/deferred.ts'

/**
 * Calls `f`, `ms` milliseconds from now.
 *
 * @returns the result of `f`, waited for if it is a Deferred or a promise; without `f`, nothing, only later. Cancelling
 *   it before the call cancels the timer
 * @throws RangeError as `callLater` does
 * @example await deferLater(reactor, 1000)
 */
export function deferLater(clock: Clock, ms: number): Deferred<void>
export function deferLater<U>(clock: Clock, ms: number, f: () => U | PromiseLike<U>): Deferred<U>
export function deferLater<U>(clock: Clock, ms: number, f: () => U): Deferred<Awaited<U>>
export function deferLater(clock: Clock, ms: number, f?: () => unknown): Deferred<unknown> {
  const due = new Deferred<void>(() => call.cancel())
  const call = clock.callLater(ms, () => due.callback())
  return f === undefined ? due : due.addCallback(() => f())
}
