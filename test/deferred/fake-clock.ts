/** A clock that moves when it is told to: as much of one as `addTimeout` needs. */
import type { TimeoutClock } from '../../src/framework/deferred/deferred.ts'

interface Call {
  readonly at: number
  readonly f: () => void
  done: boolean
}

export class FakeClock implements TimeoutClock {
  #now = 0
  #calls: Call[] = []

  callLater(ms: number, f: () => void): { cancel(): void; active(): boolean } {
    const call: Call = { at: this.#now + ms, f, done: false }
    this.#calls.push(call)
    return {
      cancel: () => {
        call.done = true
      },
      active: () => !call.done,
    }
  }

  /** How many calls are still to come. */
  get pending(): number {
    return this.#calls.filter((call) => !call.done).length
  }

  advance(ms: number): void {
    this.#now += ms
    const due = this.#calls.filter((call) => !call.done && call.at <= this.#now).sort((a, b) => a.at - b.at)
    for (const call of due) {
      if (call.done) continue
      call.done = true
      call.f()
    }
    this.#calls = this.#calls.filter((call) => !call.done)
  }
}
