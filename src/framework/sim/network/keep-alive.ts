/**
 * TCP's question whether the other end is still there: the only way in which one that only listens learns of a crash.
 *
 * As NodeReactor sets it on Linux: after a minute of silence, then every 75 seconds, nine times. It begins when something
 * has happened that could make it matter, so that a world in which nothing does ends. No ancestor.
 */
import { SimEvent, type Timeline } from '../timeline.ts'
import type { Path } from './path.ts'
import type { SimConnection } from './sim-connection.ts'

const firstAfter = 60_000_000
const every = 75_000_000
const times = 9

export class KeepAlive {
  readonly #timeline: Timeline
  readonly #end: SimConnection
  readonly #there: Path
  readonly #back: Path
  readonly #asks: SimEvent
  #unanswered = 0

  constructor(timeline: Timeline, end: SimConnection, there: Path, back: Path, key: number) {
    this.#timeline = timeline
    this.#end = end
    this.#there = there
    this.#back = back
    this.#asks = new SimEvent(end.process, 'kernel', key, () => this.#ask())
  }

  /** Something has happened. */
  begin(): void {
    if (!this.#asks.due && !this.#end.gone) this.#timeline.schedule(this.#asks, firstAfter)
  }

  end(): void {
    this.#timeline.cancel(this.#asks)
  }

  #ask(): void {
    if (this.#end.resends) {
      // Whoever waits for an answer does not ask besides.
      this.#timeline.schedule(this.#asks, every)
    } else if (this.#there.partitioned || this.#back.partitioned) {
      if (++this.#unanswered > times) this.#end.timesOut()
      else this.#timeline.schedule(this.#asks, every)
    } else if (this.#end.isUnknownThere()) {
      this.#end.resets()
    } else {
      this.#unanswered = 0
    }
  }
}
