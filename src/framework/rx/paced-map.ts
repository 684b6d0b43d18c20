/**
 * `mergeMap` with backpressure: while messages are being worked on, the connection that they came from waits.
 *
 * No ancestor: RxJS's own `mergeMap` and `concatMap` keep whatever comes too fast, without a limit.
 */
import {
  from,
  Observable,
  type ObservableInput,
  type ObservedValueOf,
  type OperatorFunction,
  type Subscription,
  Subject,
  takeUntil,
} from 'rxjs'
import { type Hold, hold } from './delivery.ts'

/**
 * For each value, subscribes to what `project` makes of it (an Observable, a promise, a Deferred), at most `concurrent`
 * at a time, in the order in which the values came; the results go on as they come. Every value is in hand (see
 * {@link hold}) from its arrival until its work completes, so the connection is paused when they are too many. A throw
 * or error of the work fails the whole, and what throws further down ends the connection that the value came from.
 *
 * @param concurrent 1 unless given: one after another, as `concatMap`
 * @throws RangeError if that is less than 1
 * @example lines.pipe(pacedMap((line) => database.insert(line)))
 */
export function pacedMap<T, O extends ObservableInput<unknown>>(
  project: (value: T, index: number) => O,
  concurrent = 1,
): OperatorFunction<T, ObservedValueOf<O>> {
  if (!(concurrent >= 1)) throw new RangeError(`at least 1 value is worked on at a time, not ${concurrent}`)
  return (source) =>
    new Observable((subscriber) => {
      const waiting: { readonly value: T; readonly inHand: Hold }[] = []
      const active = new Set<Hold>()
      let index = 0
      let complete = false
      let starting = false

      const work = (value: T, inHand: Hold): void => {
        active.add(inHand)
        let results: Observable<unknown>
        try {
          results = from(project(value, index++))
        } catch (error) {
          subscriber.error(error)
          return
        }
        let inner: Subscription | undefined
        inner = results.subscribe({
          next: (result) => inHand.deliver(() => subscriber.next(result as ObservedValueOf<O>)),
          error: (error: unknown) => inHand.deliver(() => subscriber.error(error)),
          complete() {
            if (inner !== undefined) subscriber.remove(inner)
            active.delete(inHand)
            inHand.deliver(start)
            inHand.release()
          },
        })
        if (!inner.closed) subscriber.add(inner)
      }

      /** A loop, so that work which is done at once costs no stack. */
      const start = (): void => {
        if (starting) return
        starting = true
        while (active.size < concurrent && !subscriber.closed) {
          const next = waiting.shift()
          if (next === undefined) break
          work(next.value, next.inHand)
        }
        starting = false
        if (complete && active.size === 0 && waiting.length === 0) subscriber.complete()
      }

      const left = new Subject<void>()
      subscriber.add(() => {
        // First of all: what is released below may make the next message come, and it is not for us.
        left.next()
        for (const inHand of active) inHand.release()
        for (const { inHand } of waiting.splice(0)) inHand.release()
      })
      // Not by its subscription, which is not there yet while a source emits inside of `subscribe`.
      source.pipe(takeUntil(left)).subscribe({
        next(value) {
          waiting.push({ value, inHand: hold() })
          start()
        },
        error: (error: unknown) => subscriber.error(error),
        complete() {
          complete = true
          start()
        },
      })
    })
}
