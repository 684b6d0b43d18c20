/**
 * How long to wait before trying again: twice as long after each failure, up to a limit, and by chance less, so that a
 * thousand clients do not come back at the same moment.
 *
 * Ancestor: `twisted.application.internet.backoffPolicy`, with other numbers: doubling with full jitter, as measured in
 * "Exponential Backoff And Jitter" (Marc Brooker, AWS, 2015). Full jitter is what spreads clients that have lost a server
 * together. Once they are spread over the longest wait, a tenth keeps them so; all of it would leave many a short wait
 * at any moment, and a server that is back would have twice the mean rate in its first second, by arithmetic.
 */

/** Milliseconds to wait after so many failures in a row: 1 or more. */
export type Backoff = (failures: number) => number

/** How {@link backoff} grows. */
export interface BackoffOptions {
  /** The longest wait after the first failure, in milliseconds. 500 unless given. */
  readonly initialDelay?: number
  /** No wait is longer, in milliseconds. 60,000 unless given. */
  readonly maxDelay?: number
  /** By how much each further failure makes the wait longer. 2 unless given. */
  readonly factor?: number
  /**
   * The part of the wait that is left to chance, from 0 to 1. Unless given: all of it, 1, up to the first wait of
   * `maxDelay`, and then a tenth.
   */
  readonly jitter?: number
}

/** For those who have waited so long before that they are spread. */
const jitterOfTheSpread = 0.1

/**
 * @param chance - a reactor, or anything else with a `random()` from 0 up to 1. From a seed it repeats itself
 * @throws RangeError for numbers that make no sense
 * @example const delay = backoff(reactor); reactor.callLater(delay(failures), connect)
 */
export function backoff(chance: { random(): number }, options: BackoffOptions = {}): Backoff {
  const { initialDelay = 500, maxDelay = 60_000, factor = 2, jitter } = options
  if (!(initialDelay > 0 && initialDelay <= maxDelay && maxDelay < Infinity))
    throw new RangeError(`initialDelay is more than 0 and at most maxDelay, not ${initialDelay} of ${maxDelay} ms`)
  if (!(factor >= 1 && factor < Infinity)) throw new RangeError(`factor is 1 or more, not ${factor}`)
  if (jitter !== undefined && !(jitter >= 0 && jitter <= 1))
    throw new RangeError(`jitter is from 0 to 1, not ${jitter}`)
  return (failures) => {
    if (!(failures >= 1)) throw new RangeError(`waiting comes after 1 failure or more, not ${failures}`)
    const before = failures > 1 ? initialDelay * factor ** (failures - 2) : 0
    const part = jitter ?? (before < maxDelay ? 1 : jitterOfTheSpread)
    return Math.min(maxDelay, initialDelay * factor ** (failures - 1)) * (1 - part * chance.random())
  }
}
