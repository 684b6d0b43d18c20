/**
 * The clock on the wall of a simulated machine: wrong by so much, and a little more every day.
 *
 * Only the date is wrong. `reactor.now()` and the timers go by the time of the world, as a monotonic clock does, so that
 * whoever measures with the date is found out. No ancestor.
 */
import { once } from './network/path.ts'

/** How wrong a host's date is. */
export interface ClockOptions {
  /** Milliseconds that it is ahead of the world's; behind, if negative. 0 unless given. */
  readonly offset?: number
  /** Milliseconds that it gains in a million; that it loses, if negative. 0 unless given; a bad quartz has 100. */
  readonly drift?: number
}

export class WallClock {
  readonly #epoch: number
  readonly #drift: number
  #offset: number

  /**
   * @param epoch when the world began, in milliseconds since 1970
   * @throws RangeError for an offset or a drift that is no number
   */
  constructor(epoch: number, { offset = 0, drift = 0 }: ClockOptions) {
    this.#epoch = epoch
    this.#offset = checked(offset)
    this.#drift = checked(drift)
  }

  /** What it says when the world is `now` milliseconds old: milliseconds since 1970. */
  read(now: number): number {
    return this.#epoch + now + this.#offset + (now * this.#drift) / 1e6
  }

  /** Somebody sets it, by so many milliseconds. @returns a function that sets it back by as many */
  step(ms: number): () => void {
    this.#offset += checked(ms)
    return once(() => {
      this.#offset -= ms
    })
  }
}

function checked(amount: number): number {
  if (Number.isFinite(amount)) return amount
  throw new RangeError(`a clock is wrong by a number of milliseconds, not ${amount}`)
}
