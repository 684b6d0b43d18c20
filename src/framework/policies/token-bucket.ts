/**
 * A token bucket: it fills at a steady rate up to its size, and whoever sends a byte takes a token out. So the average is
 * limited, and a short burst is not.
 *
 * Ancestor: `twisted.protocols.htb.Bucket`.
 */
import type { Clock } from '../core/clock.ts'

/** What rounding may make of nothing. */
const hair = 1e-6

export class TokenBucket {
  readonly #clock: Clock
  readonly #perMs: number
  readonly #burst: number
  #tokens: number
  #time: number

  /**
   * @param rate tokens that come in a second
   * @param burst how many fit; the bucket begins full
   */
  constructor(clock: Clock, rate: number, burst: number) {
    this.#clock = clock
    this.#perMs = rate / 1000
    this.#burst = burst
    this.#tokens = burst
    this.#time = clock.now()
  }

  /** Tokens there are; below 0 after somebody took more than that. */
  get tokens(): number {
    const now = this.#clock.now()
    this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#time) * this.#perMs)
    this.#time = now
    return this.#tokens
  }

  /** How many tokens come in `ms` milliseconds: a whole number, 1 at least, and no more than fit. */
  in(ms: number): number {
    return Math.max(1, Math.floor(Math.min(this.#burst, ms * this.#perMs)))
  }

  /** Takes `count` tokens, even if there are not so many: what has arrived has arrived. */
  take(count: number): void {
    this.#tokens = this.tokens - count
  }

  /** Milliseconds until there are `count` tokens, if nobody takes any meanwhile; no more than the bucket holds. */
  wait(count: number): number {
    // Rounded up, or the timer would come a hair too early and be set again.
    const missing = Math.min(count, this.#burst) - this.tokens
    return missing <= hair ? 0 : Math.ceil(missing / this.#perMs)
  }
}
