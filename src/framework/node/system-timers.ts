/**
 * The calls of a reactor that runs in real time: however many there are, one timer of Node's is armed for the next.
 *
 * Node's own timers would fire early, after delays of more than 24.8 days at once, and in an order of their own.
 * Ancestor: `twisted.internet.base.ReactorBase.runUntilCurrent`.
 */
import type { Clock, DelayedCall } from '../core/clock.ts'
import { runDelayedCall } from '../core/guard.ts'
import { TimerQueue } from '../core/timer-queue.ts'
import type { Turn } from '../core/turn.ts'

/** Node makes 1 ms of more. Milliseconds. */
export const longestTimeout = 2 ** 31 - 1

export class SystemTimers {
  readonly #clock: Clock
  readonly #turn: Turn
  readonly #queue: TimerQueue
  #timeout: NodeJS.Timeout | undefined
  /** When the timeout ends; the next call may be due later, because an alarm for nothing costs less than moving it. */
  #timeoutAt = Infinity
  #immediate: NodeJS.Immediate | undefined
  #running = false

  /**
   * @param clock whose time it is, in which the calls are due
   * @param turn in which the calls are made
   */
  constructor(clock: Clock, turn: Turn) {
    this.#clock = clock
    this.#turn = turn
    this.#queue = new TimerQueue(clock, () => this.#arm())
  }

  /** How many calls are to come. */
  get size(): number {
    return this.#queue.size
  }

  /** What `callLater` does. */
  add(ms: number, call: () => unknown): DelayedCall {
    return this.#queue.add(ms, call)
  }

  /** Sees to it that Node wakes us for the next call, and is not kept alive if there is none. */
  #arm(): void {
    if (this.#running) return
    const { next } = this.#queue
    if (next === undefined) this.#disarm()
    else if (this.#immediate === undefined && next < this.#timeoutAt) this.#armFor(next)
  }

  #armFor(next: number): void {
    const now = this.#clock.now()
    if (next <= now) {
      this.#immediate = setImmediate(this.#onImmediate)
      return
    }
    clearTimeout(this.#timeout)
    const ms = Math.min(Math.ceil(next - now), longestTimeout)
    this.#timeoutAt = Math.min(next, now + ms)
    this.#timeout = setTimeout(this.#onTimeout, ms)
  }

  #disarm(): void {
    clearTimeout(this.#timeout)
    clearImmediate(this.#immediate)
    this.#timeout = this.#immediate = undefined
    this.#timeoutAt = Infinity
  }

  readonly #onTimeout = (): void => {
    this.#timeout = undefined
    this.#timeoutAt = Infinity
    this.#run()
  }

  readonly #onImmediate = (): void => {
    this.#immediate = undefined
    this.#run()
  }

  /** Makes the calls that are due now; those that they ask for "at once" wait for the next turn. */
  #run(): void {
    const now = this.#clock.now()
    const asked = this.#queue.mark()
    this.#running = true
    try {
      for (let call = this.#queue.take(now, asked); call !== undefined; call = this.#queue.take(now, asked)) {
        runDelayedCall(this.#turn, call)
      }
    } finally {
      this.#running = false
      this.#arm()
    }
  }
}
