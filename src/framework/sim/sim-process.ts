/**
 * The program that runs on a host, as its kernel sees it: ready, busy with something else, stopped, or dead.
 *
 * What the network does goes on meanwhile: bytes arrive in buffers, connections wait to be accepted. Only what would run
 * code of the program waits, in order, until it is ready again. No ancestor.
 */
import type { Turn } from '../core/turn.ts'
import type { SimEvent, Timeline } from './timeline.ts'

export class SimProcess {
  /** Set by the reactor that is this process's. */
  turn!: Turn
  readonly #timeline: Timeline
  #busyUntil = 0
  #stopped = false
  #dead = false
  /** What was due while it was stopped. */
  #waiting: SimEvent[] = []

  constructor(timeline: Timeline) {
    this.#timeline = timeline
  }

  /** Its own time, in microseconds: ahead of the world's while it is busy. */
  get now(): number {
    const { now } = this.#timeline
    return now > this.#busyUntil ? now : this.#busyUntil
  }

  /** Whether code of its can run now. */
  get ready(): boolean {
    return this.#busyUntil <= this.#timeline.now && !this.#stopped && !this.#dead
  }

  get stopped(): boolean {
    return this.#stopped
  }

  get dead(): boolean {
    return this.#dead
  }

  /** It computes for so many microseconds, from its own now on. */
  busy(us: number): void {
    this.#busyUntil = this.now + us
  }

  /** As by SIGSTOP: nothing of it runs until {@link resume}. */
  stop(): void {
    this.#stopped = true
  }

  /** As by SIGCONT: what was due meanwhile is due now, in its order. */
  resume(): void {
    this.#stopped = false
    const waiting = this.#waiting
    this.#waiting = []
    for (const event of waiting) if (event.waits) this.#timeline.postpone(event, this.#timeline.now)
  }

  /** It is gone; nothing of it ever runs again. */
  kill(): void {
    this.#dead = true
    this.#waiting = []
  }

  /** `event` is due, and it is not ready. For the timeline. */
  defer(event: SimEvent): void {
    if (this.#dead) return
    if (this.#stopped) {
      event.waits = true
      this.#waiting.push(event)
    } else {
      this.#timeline.postpone(event, this.#busyUntil)
    }
  }
}
