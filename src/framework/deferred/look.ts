/**
 * Looking at a Deferred's outcome without using it up: whoever looks is told, and the outcome travels on unchanged.
 *
 * No ancestor in Twisted, where `await` looks in this way too. `then` and `toPromise` are made from it; observables and
 * `yield*` look in the same way. A failure somebody looked at is handled: it is up to the one who looked.
 */

import type { Deferred } from './deferred.ts'
import { lookAt } from './failure.ts'

/** Adds one stage to `deferred` that tells `value` or `error` and passes the result on. Neither may throw. */
function look<T>(deferred: Deferred<T>, value: (value: T) => void, error: (error: unknown) => void): void {
  deferred.addCallbacks(
    function look(result) {
      value(result)
      return result
    },
    function look(failure) {
      lookAt(failure)
      error(failure.value)
      return failure
    },
  )
}

/** The outcome as a native Promise, which settles a microtask later as Promises do. */
export function promiseOf<T>(deferred: Deferred<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    look(deferred, resolve, reject)
  })
}
