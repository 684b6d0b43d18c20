/**
 * Hands values from those who have them to those who wait for them, in order; either may come first.
 *
 * Ancestor: `twisted.internet.defer.DeferredQueue`. Both limits are off unless given.
 */

import { Deferred, isPromiseLike } from './deferred.ts'
import { QueueOverflow, QueueUnderflow } from './errors.ts'

/** The limits of a DeferredQueue. */
export interface DeferredQueueOptions {
  /** How many values may lie in it; 0 means that each must be handed over at once. */
  readonly size?: number
  /** How many may wait for one. */
  readonly backlog?: number
}

/** A queue of values that may not be here yet. */
export class DeferredQueue<T> {
  readonly #size: number
  readonly #backlog: number
  readonly #waiting = new Set<Deferred<T>>()
  #values: T[] = []
  /** Where the oldest value is; those before it are gone. */
  #head = 0

  constructor({ size = Infinity, backlog = Infinity }: DeferredQueueOptions = {}) {
    this.#size = size
    this.#backlog = backlog
  }

  /** How many values lie in it. */
  get length(): number {
    return this.#values.length - this.#head
  }

  /** How many wait for one. */
  get waiting(): number {
    return this.#waiting.size
  }

  /**
   * Gives a value to who has waited longest, now, or else keeps it.
   *
   * @throws QueueOverflow if as many as `size` are kept already, TypeError for a Deferred or a promise
   */
  put(value: T): void {
    if (isPromiseLike(value)) throw new TypeError('put() takes a value; put it when the Deferred or promise has it')
    for (const next of this.#waiting) {
      this.#waiting.delete(next)
      next.callback(value)
      return
    }
    if (this.length >= this.#size) throw new QueueOverflow(this.#size)
    this.#values.push(value)
  }

  /**
   * Takes the oldest value, or waits for the next one. Cancelling leaves the line.
   *
   * @throws QueueUnderflow if as many as `backlog` wait already
   */
  get(): Deferred<T> {
    const asked = new Deferred<T>((one) => this.#waiting.delete(one))
    if (this.length > 0) {
      asked.callback(this.#take())
      return asked
    }
    if (this.#waiting.size >= this.#backlog) throw new QueueUnderflow(this.#backlog)
    this.#waiting.add(asked)
    return asked
  }

  #take(): T {
    const value = this.#values[this.#head++] as T
    // Half of the array is gone: moving the rest now costs each value one move at most.
    if (this.#head * 2 >= this.#values.length) {
      this.#values = this.#values.slice(this.#head)
      this.#head = 0
    }
    return value
  }
}
