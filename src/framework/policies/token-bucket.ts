/**
 * A token bucket: it fills at a steady rate up to its size, and whoever sends a byte takes a token out. So the average is
 * limited, and a short burst is not. Those who wait are served in their order.
 *
 * Ancestor: `twisted.protocols.htb.Bucket`.
 */
import type { Clock, DelayedCall } from '../core/clock.ts'

/** Somebody who waits for tokens. */
interface Waiting {
  readonly count: number
  readonly call: () => void
}

/** What rounding may make of a token. */
const hair = 1e-6

export class TokenBucket {
  readonly #clock: Clock
  readonly #perMs: number
  readonly #burst: number
  #tokens: number
  #time: number
  /** In the order in which they came. */
  readonly #waiting = new Set<Waiting>()
  /** Set for the first one who waits. */
  #timer: DelayedCall | undefined

  /**
   * @param rate tokens that come in a second
   * @param burst how many fit, 1 or more; the bucket begins full
   */
  constructor(clock: Clock, rate: number, burst: number) {
    this.#clock = clock
    this.#perMs = rate / 1000
    this.#burst = burst
    this.#tokens = burst
    this.#time = clock.now()
  }

  /** Whole tokens there are; below 0 after somebody took more than that. */
  get tokens(): number {
    const now = this.#clock.now()
    this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#time) * this.#perMs)
    this.#time = now
    return Math.floor(this.#tokens + hair)
  }

  /** Whether somebody waits: whoever does not must not be served first. */
  get awaited(): boolean {
    return this.#waiting.size > 0
  }

  /** How many tokens come in `ms` milliseconds: 1 at least, and no more than fit. */
  within(ms: number): number {
    return Math.max(1, Math.floor(Math.min(this.#burst, ms * this.#perMs)))
  }

  /** Takes `count` tokens, even if there are not so many: what has arrived has arrived. */
  take(count: number): void {
    this.#tokens -= count
  }

  /**
   * Calls `call` once, from a timer, when there are `count` tokens and all who came before are served; it takes them
   * itself.
   *
   * @param count no more than fit
   * @returns a function that gives up waiting
   */
  wait(count: number, call: () => void): () => void {
    const waiting: Waiting = { count, call }
    this.#waiting.add(waiting)
    this.#setTimer()
    return () => {
      this.#waiting.delete(waiting)
      this.#setTimer()
    }
  }

  readonly #serve = (): void => {
    for (const waiting of this.#waiting) {
      if (waiting.count > this.tokens) break
      this.#waiting.delete(waiting)
      waiting.call()
    }
    this.#setTimer()
  }

  #setTimer(): void {
    const [first] = this.#waiting
    if (first === undefined) {
      if (this.#timer?.active() === true) this.#timer.cancel()
      return
    }
    const ms = Math.max(0, Math.ceil((first.count - this.tokens) / this.#perMs))
    if (this.#timer?.active() === true) this.#timer.reset(ms)
    else this.#timer = this.#clock.callLater(ms, this.#serve)
  }
}
