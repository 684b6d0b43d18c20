/**
 * What is going to happen in a simulated world, in order of time: the one queue from which everything else follows.
 *
 * Time stands still while an event happens, and jumps to the next one after it. No ancestor: `twisted.internet.task.Clock`
 * knows timers only, and here bytes, connections and turns are events as well.
 */
import type { Turn } from '../core/turn.ts'

/**
 * Something that can happen, again and again, but is due once at a time: "the head of this pipe arrives", "the next
 * timer of this host is due". Whoever owns it schedules it anew, so that an event costs no memory.
 */
export class SimEvent {
  /** The turn of the process to which it happens; what is written meanwhile leaves when it is over. */
  readonly turn: Turn
  readonly happen: () => void
  /** When it is due, in microseconds. The timeline's own bookkeeping, as the rest. */
  time = 0
  /** Breaks ties. */
  order = 0
  /** How many events of this same instant led to it, one after the other. */
  depth = 0
  /** Its place in the heap; -1 while it is not due. */
  position = -1

  constructor(turn: Turn, happen: () => void) {
    this.turn = turn
    this.happen = happen
  }

  /** Whether it is going to happen. */
  get due(): boolean {
    return this.position >= 0
  }
}

/** Virtual time, in whole microseconds, and the events to come. */
export class Timeline {
  readonly #heap: SimEvent[] = []
  readonly #mostDepth: number
  #now = 0
  #orders = 0
  #depth = 0
  #happening = false
  #endsOfTurn: (() => void)[] = []

  /** @param mostDepth how many events may follow from each other at one instant before it is a livelock */
  constructor(mostDepth: number) {
    this.#mostDepth = mostDepth
  }

  /** Microseconds since the world began. */
  get now(): number {
    return this.#now
  }

  /** Whether an event is happening right now. */
  get happening(): boolean {
    return this.#happening
  }

  /** How many events of this instant led to the one that happens now, one after the other. */
  get depth(): number {
    return this.#depth
  }

  /** How many events are to come. */
  get size(): number {
    return this.#heap.length
  }

  /** When the next event is due, or `undefined` if none is. */
  get next(): number | undefined {
    return this.#heap[0]?.time
  }

  /**
   * `event` is due in `delay` microseconds, after everything that was scheduled for the same time before. If it was due
   * at some other time, it is not any more.
   *
   * @param depth how deep it is if it is due at this very instant: one deeper than what happens now, unless given
   */
  schedule(event: SimEvent, delay = 0, depth = this.#depth + 1): void {
    event.time = this.#now + delay
    event.order = ++this.#orders
    event.depth = delay === 0 ? depth : 0
    if (event.position < 0) {
      event.position = this.#heap.length
      this.#heap.push(event)
    }
    this.#settle(event)
  }

  /** `event` is not going to happen, if it was. */
  cancel(event: SimEvent): void {
    const { position } = event
    if (position < 0) return
    event.position = -1
    const last = this.#heap.pop()
    if (last === undefined || last === event) return
    last.position = position
    this.#heap[position] = last
    this.#settle(last)
  }

  /** Calls `f` before the next event: what was written outside of every event leaves then. */
  atEndOfTurn(f: () => void): void {
    this.#endsOfTurn.push(f)
  }

  /**
   * Lets the next event happen.
   *
   * @param limit only if it is due at or before this moment, in microseconds
   * @returns false if there was none
   * @throws Error if too many events follow from each other at one instant
   */
  step(limit: number): boolean {
    this.#endTurns()
    const event = this.#heap[0]
    if (event === undefined || event.time > limit) {
      this.#depth = 0
      return false
    }
    this.cancel(event)
    this.#now = event.time
    this.#depth = event.depth
    if (event.depth > this.#mostDepth) throw this.#livelock()
    const { turn } = event
    this.#happening = true
    turn.enter()
    try {
      event.happen()
    } finally {
      turn.leave()
      this.#happening = false
    }
    return true
  }

  /** What happens now goes on as if it were the next event of this instant. @throws Error as {@link step} does */
  deepen(): void {
    if (++this.#depth > this.#mostDepth) throw this.#livelock()
  }

  /** Nothing is due until then: time passes. */
  passUntil(time: number): void {
    this.#now = Math.max(this.#now, time)
  }

  #endTurns(): void {
    // What ends a turn may write again.
    for (let calls = this.#endsOfTurn; calls.length > 0; calls = this.#endsOfTurn) {
      this.#endsOfTurn = []
      for (const call of calls) call()
    }
  }

  #livelock(): Error {
    const depth = this.#depth
    this.#depth = 0
    return new Error(
      `at ${this.#now / 1000} ms, ${depth} events followed from each other and no time passed: does something call` +
        ' callLater(0) for ever, or do two protocols answer each other without end? (Give the world a latency, or raise' +
        ' maxEventsAtOnce, if it is meant to be so.)',
    )
  }

  #settle(event: SimEvent): void {
    const heap = this.#heap
    let { position } = event
    while (position > 0) {
      const above = (position - 1) >> 1
      const parent = heap[above]!
      if (isBefore(parent, event)) break
      heap[position] = parent
      parent.position = position
      position = above
    }
    for (;;) {
      let below = 2 * position + 1
      let child = heap[below]
      if (child === undefined) break
      const other = heap[below + 1]
      if (other !== undefined && isBefore(other, child)) {
        child = other
        below++
      }
      if (isBefore(event, child)) break
      heap[position] = child
      child.position = position
      position = below
    }
    heap[position] = event
    event.position = position
  }
}

function isBefore(one: SimEvent, other: SimEvent): boolean {
  return one.time < other.time || (one.time === other.time && one.order < other.order)
}
