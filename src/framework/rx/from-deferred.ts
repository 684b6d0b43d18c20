/**
 * A Deferred seen as an Observable: its value and `complete`, or its error.
 *
 * No ancestor. `from(deferred)` of RxJS does nearly the same; this one remembers the outcome, may cancel, and never
 * lets what a subscriber throws end the program.
 */
import { Observable, type Subscriber } from 'rxjs'
import type { Deferred } from '../deferred/deferred.ts'
import { type Failure, lookAt } from '../deferred/failure.ts'
import { trace } from '../trace/hook.ts'
import { deliver } from './delivery.ts'

/** How {@link fromDeferred} sees. */
export interface FromDeferredOptions {
  /** Cancel the Deferred when the last subscriber leaves before it has fired. Unsubscribing only detaches unless given. */
  readonly cancelOnUnsubscribe?: boolean
}

/**
 * The outcome that `deferred` has at this place in its chain: looked at, not used up; callbacks added later get it
 * unchanged. Subscribers get it synchronously, inside the call that fires the Deferred, and late ones inside
 * `subscribe`, as often as you like. A failure that nobody has subscribed to remains unhandled; one that a subscriber
 * got is that subscriber's.
 */
export function fromDeferred<T>(
  deferred: Deferred<T>,
  { cancelOnUnsubscribe = false }: FromDeferredOptions = {},
): Observable<T> {
  let outcome: { readonly value: T } | { readonly failure: Failure } | undefined
  let subscribers: readonly Subscriber<T>[] = []

  const tell = (subscriber: Subscriber<T>): void => {
    if (outcome === undefined) return
    if ('failure' in outcome) {
      const { failure } = outcome
      lookAt(failure)
      trace?.at('rx.error', subscriber, { parent: deferred, v: failure.value })
      deliver(undefined, () => subscriber.error(failure.value))
      return
    }
    const { value } = outcome
    const span = trace?.begin('rx.next', subscriber, { parent: deferred, v: value })
    deliver(undefined, () => subscriber.next(value))
    if (span !== undefined) trace?.end(span)
    // It may have left within `next`.
    if (subscriber.closed) return
    trace?.at('rx.complete', subscriber, { parent: deferred })
    deliver(undefined, () => subscriber.complete())
  }

  const tellAll = (): void => {
    const all = subscribers
    subscribers = []
    // One that left while another was told is closed, and RxJS tells it nothing.
    for (const subscriber of all) if (!subscriber.closed) tell(subscriber)
  }

  deferred.addCallbacks(
    function fromDeferred(value) {
      outcome = { value }
      tellAll()
      return value
    },
    function fromDeferred(failure) {
      outcome = { failure }
      tellAll()
      return failure
    },
  )

  return new Observable<T>((subscriber) => {
    trace?.at('rx.sub', subscriber, { label: 'deferred', parent: deferred })
    if (outcome !== undefined) {
      tell(subscriber)
      return undefined
    }
    subscribers = [...subscribers, subscriber]
    return () => {
      if (!subscribers.includes(subscriber)) return
      trace?.at('rx.unsub', subscriber, { parent: deferred })
      subscribers = subscribers.filter((one) => one !== subscriber)
      if (cancelOnUnsubscribe && subscribers.length === 0) deferred.cancel()
    }
  })
}
