/**
 * An Observable's first or last value as a Deferred.
 *
 * Ancestor: `firstValueFrom` and `lastValueFrom` of RxJS, which give a promise, and so a microtask too late.
 */
import {
  defaultIfEmpty,
  from,
  type ObservableInput,
  type Subscription,
  take as takeFirst,
  takeLast,
  throwIfEmpty,
} from 'rxjs'
import { Deferred } from '../deferred/deferred.ts'

/** What {@link toDeferred} takes. */
export interface ToDeferredOptions<D> {
  /** Which value: the `first` one, which unsubscribes (unless given), or the `last` one before `complete`. */
  readonly take?: 'first' | 'last'
  /** The value if there is none. Without it, that is a failure. */
  readonly defaultValue?: D
}

/**
 * Subscribes now. The Deferred fires inside of the `next` or `complete` that decides, which may be now. Cancelling it
 * unsubscribes.
 *
 * @returns fails with the Observable's error, or with EmptyError of RxJS if it completes without a value. A value that
 *   is a promise or a Deferred itself is waited for
 */
export function toDeferred<T, D = never>(
  source: ObservableInput<T>,
  options: ToDeferredOptions<D> = {},
): Deferred<Awaited<T> | D> {
  let latest: unknown
  let subscription: Subscription | undefined
  // It fires without a value, which its first callback adds: a callback may return a promise, and then it is awaited.
  const fired = new Deferred<void>(() => subscription?.unsubscribe(), { how: 'rx' })
  const deferred = fired.addCallback(() => latest)
  subscription = from(source)
    .pipe(
      options.take === 'last' ? takeLast(1) : takeFirst(1),
      'defaultValue' in options ? defaultIfEmpty<T, D | undefined>(options.defaultValue) : throwIfEmpty(),
    )
    .subscribe({
      next(value) {
        latest = value
      },
      error: (error: unknown) => fired.errback(error),
      complete: () => fired.callback(),
    })
  return deferred as Deferred<Awaited<T> | D>
}
