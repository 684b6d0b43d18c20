/**
 * A Deferred seen as an Observable of one value, so that `from(deferred)` of RxJS delivers it without a microtask.
 *
 * No ancestor in Twisted; the protocol is `Symbol.observable` of the TC39 Observable proposal, as RxJS 7 reads it.
 */

import type { Deferred } from './deferred.ts'
import { lookAt } from './failure.ts'
import { report } from './reporter.ts'

/** Who is told, as Observables tell it: one `next` and `complete`, or one `error`, synchronously. */
export interface DeferredObserver<T> {
  /** The value, if there is one; `complete` follows at once. */
  next?(value: T): void
  /** The error, if it failed; nothing follows. */
  error?(error: unknown): void
  /** It has had its value. */
  complete?(): void
}

/** The smallest thing that RxJS and its like can make an Observable of. */
export interface InteropObservable<T> {
  /** `unsubscribe` only detaches: it cancels nothing, and who detached does not count as handling a failure. */
  subscribe(observer: DeferredObserver<T>): { unsubscribe(): void }
}

/** Makes it; each subscriber gets the outcome, late ones at once, and the chain goes on unchanged. */
export function observableOf<T>(deferred: Deferred<T>): InteropObservable<T> {
  return {
    subscribe(observer) {
      let attached = true
      const tell = (what: () => void): void => {
        try {
          what()
        } catch (error) {
          report({ error, what: "An observer of a Deferred's outcome threw", subject: deferred })
        }
      }
      deferred.addCallbacks(
        function next(value) {
          if (attached) tell(() => observer.next?.(value))
          // The observer may have unsubscribed within `next`.
          if (attached) tell(() => observer.complete?.())
          attached = false
          return value
        },
        function error(failure) {
          if (attached && observer.error !== undefined) {
            lookAt(failure)
            tell(() => observer.error?.(failure.value))
          }
          attached = false
          return failure
        },
      )
      return {
        unsubscribe() {
          attached = false
        },
      }
    },
  }
}
