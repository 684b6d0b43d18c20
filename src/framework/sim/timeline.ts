/**
 * What is going to happen in a simulated world, in order of time: the one queue from which everything else follows.
 *
 * Time stands still while an event happens, and jumps to the next one after it. No ancestor: `twisted.internet.task.Clock`
 * knows timers only, and here bytes, connections and turns are events as well.
 */
import { scrambled } from './random-stream.ts'
import type { SimProcess } from './sim-process.ts'

/**
 * Something that can happen, again and again, but is due once at a time: "the head of this pipe arrives", "the next
 * timer of this host is due". Whoever owns it schedules it anew, so that an event costs no memory.
 */
export class SimEvent {
  /** To whom it happens; what is written meanwhile leaves when it is over. */
  readonly process: SimProcess
  /** Whether it is the program's, and waits until the process is ready; otherwise it is the kernel's, and waits for nobody. */
  readonly ofProgram: boolean
  /** Who it is, for ties and for the hash: the same number in every world with this seed. */
  readonly key: number
  readonly happen: () => void
  /** When it is due, in microseconds. The timeline's own bookkeeping, as the rest. */
  time = 0
  /** Breaks ties: the tie first, if the world shuffles them, then the order. */
  tie = 0
  order = 0
  /** How many events of this same instant led to it, one after the other. */
  depth = 0
  /** Its place in the heap; -1 while it is not due. */
  position = -1
  /** It was due, and waits for a process that is stopped. */
  waits = false

  constructor(process: SimProcess, of: 'program' | 'kernel', key: number, happen: () => void) {
    this.process = process
    this.ofProgram = of === 'program'
    this.key = key
    this.happen = happen
  }

  /** Whether it is going to happen. */
  get due(): boolean {
    return this.position >= 0 || this.waits
  }
}

/** How a {@link Timeline} is. */
export interface TimelineOptions {
  /** How many events may follow from each other at one instant before it is a livelock. */
  readonly mostDepth: number
  /** Events of one instant that are not of the same channel come in an order that this number decides. */
  readonly shuffle?: number | undefined
}

/** Virtual time, in whole microseconds, and the events to come. */
export class Timeline {
  readonly #heap: SimEvent[] = []
  readonly #mostDepth: number
  readonly #shuffle: number | undefined
  #now = 0
  #orders = 0
  #depth = 0
  #happening = false
  #endsOfTurn: (() => void)[] = []
  #happened = 0
  #hash = 0
  #hash2 = 0

  constructor({ mostDepth, shuffle }: TimelineOptions) {
    this.#mostDepth = mostDepth
    this.#shuffle = shuffle
  }

  /** How many events have happened. */
  get happened(): number {
    return this.#happened
  }

  /** 64 bits, in hexadecimal, that two worlds share only if the same events have happened to both in the same order. */
  get hash(): string {
    return hexadecimal(this.#hash) + hexadecimal(this.#hash2)
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
    if (this.#shuffle !== undefined) event.tie = scrambled(event.key ^ scrambled(this.#shuffle ^ folded(event.time)))
    this.#enqueue(event)
  }

  /** `event` was due, and its process is not ready: it is due at `time`, and keeps its place among others. */
  postpone(event: SimEvent, time: number): void {
    event.time = time
    event.depth = 0
    this.#enqueue(event)
  }

  /** `event` is not going to happen, if it was. */
  cancel(event: SimEvent): void {
    const { position } = event
    event.waits = false
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
    const { process } = event
    if (event.ofProgram && !process.ready) {
      process.defer(event)
      return true
    }
    if (event.depth > this.#mostDepth) throw this.#livelock()
    this.fold(event.key ^ folded(event.time))
    this.#happened++
    const { turn } = process
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

  /** Makes `bits` a part of the {@link hash}: something that has happened. */
  fold(bits: number): void {
    this.#hash = scrambled(this.#hash ^ bits)
    this.#hash2 = (Math.imul(this.#hash2, 31) + this.#hash) | 0
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

  #enqueue(event: SimEvent): void {
    event.waits = false
    if (event.position < 0) {
      event.position = this.#heap.length
      this.#heap.push(event)
    }
    this.#settle(event)
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
  if (one.time !== other.time) return one.time < other.time
  return one.tie === other.tie ? one.order < other.order : one.tie < other.tie
}

/** A moment in 32 bits. */
function folded(time: number): number {
  return (time | 0) ^ Math.trunc(time / 2 ** 32)
}

function hexadecimal(bits: number): string {
  return (bits >>> 0).toString(16).padStart(8, '0')
}
