/**
 * Those who wait for something that may fail several times before it comes, each with a patience of its own.
 *
 * Ancestor: `_awaitingConnected` of `twisted.application.internet.ClientService`.
 */
import { Deferred } from '../deferred/deferred.ts'
import { ServiceStopped } from './errors.ts'

interface Waiting<T> {
  readonly deferred: Deferred<T>
  /** How many more failures it takes. */
  patience: number
}

/** Every Deferred that it gives settles once; whoever is told may come back at once, stop it all, or give up for others. */
export class WaitingList<T> {
  #waiting: Waiting<T>[] = []

  /** @param patience fails with the last of so many failures */
  add(patience: number): Deferred<T> {
    const deferred = new Deferred<T>((_, reason) => {
      this.#waiting = this.#waiting.filter((one) => one.deferred !== deferred)
      if (reason instanceof ServiceStopped) deferred.errback(reason)
    })
    this.#waiting.push({ deferred, patience })
    return deferred
  }

  /**
   * It is there.
   *
   * @param lasts asked before each is told: one of those before may have ended it
   */
  succeed(value: T, lasts: () => boolean): void {
    while (this.#waiting.length > 0 && lasts()) this.#waiting.shift()?.deferred.callback(value)
  }

  /**
   * It failed once more.
   *
   * @returns whether that was once too often for somebody
   */
  fail(reason: unknown): boolean {
    for (const waiting of this.#waiting) waiting.patience--
    const told = this.#waiting.filter(({ patience }) => patience <= 0)
    this.#waiting = this.#waiting.filter(({ patience }) => patience > 0)
    for (const { deferred } of told) if (!deferred.called) deferred.errback(reason)
    return told.length > 0
  }

  /** It will not come. */
  stop(why: ServiceStopped): void {
    for (const { deferred } of this.#waiting.splice(0)) deferred.cancel(why)
  }
}
