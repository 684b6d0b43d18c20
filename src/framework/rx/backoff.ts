/**
 * Trying again, later and later, on a reactor's clock and with a reactor's chance.
 *
 * Ancestor: `retry` and `repeat` of RxJS, with the waits of `backoff` in tasks/.
 */
import { defer, EMPTY, type MonoTypeOperatorFunction, type Observable, repeat, retry, tap, timer } from 'rxjs'
import type { Clock } from '../core/clock.ts'
import type { Reactor } from '../core/reactor.ts'
import { type Backoff, backoff, type BackoffOptions } from '../tasks/backoff.ts'
import { reactorScheduler } from './reactor-scheduler.ts'

/** How {@link retryWithBackoff} and {@link repeatWithBackoff} wait, and how often they try. */
export interface TryAgainOptions extends BackoffOptions {
  /** So many times in a row at most, without a value in between. As often as it takes unless given. */
  readonly count?: number
}

/** A reactor, or as much of one as waiting needs. */
export type ClockWithChance = Clock & Pick<Reactor, 'random'>

/**
 * Subscribes again after an error, later and later (see `backoff`); a value brings the wait back to its beginning. The
 * error that is one too many goes on.
 *
 * @example connect(endpoint, lines()).pipe(retryWithBackoff(reactor, { maxDelay: 30_000 }))
 */
export function retryWithBackoff<T>(
  reactor: ClockWithChance,
  options: TryAgainOptions = {},
): MonoTypeOperatorFunction<T> {
  const wait = waits(reactor, options)
  const { count } = options
  const delay = (_error: unknown, failures: number) => wait(failures)
  return retry<T>({ delay, resetOnSuccess: true, ...(count === undefined ? {} : { count }) })
}

/**
 * Subscribes again after it has completed; otherwise as {@link retryWithBackoff}. For servers that close cleanly and are
 * to be asked again.
 */
export function repeatWithBackoff<T>(
  reactor: ClockWithChance,
  options: TryAgainOptions = {},
): MonoTypeOperatorFunction<T> {
  const wait = waits(reactor, options)
  const { count = Infinity } = options
  return (source) =>
    defer(() => {
      let ends = 0
      return source.pipe(
        tap(() => {
          ends = 0
        }),
        // RxJS ends a `repeat` whose delay completes without a value.
        repeat({ delay: () => (++ends > count ? EMPTY : wait(ends)) }),
      )
    })
}

function waits(reactor: ClockWithChance, options: BackoffOptions): (ends: number) => Observable<unknown> {
  const delay: Backoff = backoff(reactor, options)
  const scheduler = reactorScheduler(reactor)
  return (ends) => timer(delay(ends), scheduler)
}
