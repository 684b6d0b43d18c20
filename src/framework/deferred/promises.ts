/**
 * The way over to promises and abort signals, and back.
 *
 * Ancestor: `Deferred.fromFuture` and `asFuture` of `twisted.internet.defer`.
 */

import { Deferred } from './deferred.ts'

/** {@link Deferred.fromPromise}, short enough for `yield* fromPromise(fetch(url))`. */
export function fromPromise<T>(
  source: PromiseLike<T> | ((signal: AbortSignal) => PromiseLike<T>),
): Deferred<Awaited<T>> {
  return Deferred.fromPromise(source)
}

/**
 * Fails with CancelledError, whose cause is the signal's reason, when `signal` is aborted; at once if it is already.
 * Cancel it when it is no longer needed: the signal then keeps no listener.
 */
export function deferredFromSignal(signal: AbortSignal): Deferred<never> {
  return new Deferred<never>().addSignal(signal)
}
