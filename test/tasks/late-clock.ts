/**
 * A clock that is as late as the test wants, as one on a busy machine is: time jumps, and what was due meanwhile is
 * called afterwards. It goes turn by turn: what a call sets for "at once" waits for the next turn.
 */
import { type Clock, type DelayedCall, TimerQueue } from 'couplet'

export class LateClock implements Clock {
  #now = 0
  readonly #queue = new TimerQueue(this)

  now(): number {
    return this.#now
  }

  callLater(ms: number, f: () => unknown): DelayedCall {
    return this.#queue.add(ms, f)
  }

  pending(): DelayedCall[] {
    return this.#queue.pending()
  }

  /** It is `time`, all at once: one turn. */
  jumpTo(time: number): void {
    this.#now = time
    this.turn()
  }

  /** Calls what is due now. */
  turn(): void {
    const set = this.#queue.mark()
    for (let call = this.#queue.take(this.#now, set); call !== undefined; call = this.#queue.take(this.#now, set)) {
      call.run()
    }
  }

  /** Turns until nothing is due any more. */
  settle(): void {
    for (let turns = 0; (this.#queue.next ?? Infinity) <= this.#now; turns++) {
      if (turns > 10_000) throw new Error('this never ends')
      this.turn()
    }
  }
}
