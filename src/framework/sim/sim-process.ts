/**
 * The program that runs on a host, as its kernel sees it: ready, busy with something else, stopped, or dead.
 *
 * What the network does goes on meanwhile: bytes arrive in buffers, connections wait to be accepted. Only what would run
 * code of the program waits, in order, until it is ready again. No ancestor.
 */
import type { Turn } from '../core/turn.ts'
import type { SimEvent, Timeline } from './timeline.ts'

/** Something that a process has open. */
export interface Descriptor {
  readonly process: SimProcess
  /** The process is gone, and its kernel closes what it had open. What the network keeps, the network closes. */
  abandon?(): void
}

export class SimProcess {
  /** Set by the reactor that is this process's. */
  turn!: Turn
  /** What it has open. */
  readonly descriptors = new Set<Descriptor>()
  readonly #timeline: Timeline
  #busyUntil = 0
  #stopped = false
  #dead = false
  #leaving = false
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
    return this.#busyUntil <= this.#timeline.now && !this.#stopped && !this.#leaving && !this.#dead
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

  /** It is about to end: its code runs no more, and what it has written leaves. */
  leave(): void {
    this.#leaving = true
    this.#waiting = []
  }

  /** It is gone; nothing of it ever runs again. */
  kill(): void {
    this.#dead = true
    this.#waiting = []
    for (const descriptor of this.descriptors) descriptor.abandon?.()
    this.descriptors.clear()
  }

  /** `event` is due, and it is not ready. For the timeline. */
  defer(event: SimEvent): void {
    if (this.#dead || this.#leaving) return
    if (this.#stopped) {
      event.waits = true
      this.#waiting.push(event)
    } else {
      this.#timeline.postpone(event, this.#busyUntil)
    }
  }
}
