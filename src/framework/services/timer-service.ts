/**
 * Something that is done again and again while the service runs.
 *
 * Ancestor: `twisted.application.internet.TimerService`.
 */
import type { Clock } from '../core/clock.ts'
import type { Deferred } from '../deferred/deferred.ts'
import { report } from '../deferred/reporter.ts'
import { LoopingCall } from '../tasks/looping-call.ts'
import { Service } from './service.ts'

/**
 * A LoopingCall from start to stop; a stop waits for the call that is going on. A call that fails is reported and is the
 * last one until the next start: what is not to end the calls, your function catches.
 */
export class TimerService extends Service {
  readonly #loop: LoopingCall
  readonly #ms: number
  #ended: Deferred<unknown> | undefined

  /**
   * @param ms from one call to the next, in milliseconds; the first is made by the start
   * @param f as for {@link LoopingCall}: the next call waits for a Deferred or promise that it returns
   */
  constructor(clock: Clock, ms: number, f: () => unknown) {
    super()
    this.#loop = new LoopingCall(clock, f)
    this.#ms = ms
  }

  protected override starting(): void {
    this.#ended = this.#loop.start(this.#ms).addErrback(({ value }) => {
      report({ error: value, what: `A call of ${this} failed, so there will be no more`, subject: this })
    })
  }

  protected override stopping(): Deferred<unknown> | undefined {
    if (this.#loop.running) this.#loop.stop()
    return this.#ended
  }
}
