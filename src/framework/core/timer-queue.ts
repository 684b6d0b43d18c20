/**
 * The calls that a clock has to make, the next one first: the heap that every clock here keeps.
 *
 * Real, simulated and manual clocks differ in how time passes, not in what is due; so order, cancelling and
 * re-scheduling are solved once. Ancestor: the heap in `twisted.internet.base.ReactorBase`.
 */
import { trace } from '../trace/hook.ts'
import { DelayedCall, type Clock } from './clock.ts'

/** The calls that a clock has to make, for who writes a clock. */
export class TimerQueue {
  readonly #clock: Clock
  readonly #earliestChanged: () => void
  /** The moment so many milliseconds after another one. */
  readonly after: (time: number, ms: number) => number
  /** A binary heap ordered by time, then by order. A call knows its position, so that cancelling frees it at once. */
  readonly #heap: DelayedCall[] = []
  #orders = 0

  /**
   * @param clock whose time counts
   * @param earliestChanged is called when {@link next} may have changed, so that a real clock can arm its timer anew
   * @param after the moment so many milliseconds after another one, on a clock that does not know all moments: the first
   *   that it knows and that is not earlier. Their sum unless given
   */
  constructor(
    clock: Clock,
    earliestChanged: () => void = () => {},
    after: (time: number, ms: number) => number = (time, ms) => time + ms,
  ) {
    this.#clock = clock
    this.#earliestChanged = earliestChanged
    this.after = after
  }

  /** How many calls are to come. */
  get size(): number {
    return this.#heap.length
  }

  /** When the next call is due, in milliseconds, or `undefined` if none is. */
  get next(): number | undefined {
    return this.#heap[0]?.time
  }

  /** The calls to come, in the order in which they will be made. */
  pending(): DelayedCall[] {
    return this.#heap.toSorted(before)
  }

  /** What `callLater` does. */
  add(ms: number, call: () => unknown): DelayedCall {
    const delayed = new DelayedCall(this, this.due(ms), call)
    delayed.order = ++this.#orders
    const seq = trace?.at('timer.set', delayed, { at: delayed.time, ms, label: call.name, p: this.#clock })
    if (seq !== undefined) trace?.mark(delayed, seq)
    this.#heap.push(delayed)
    this.#rise(delayed, this.#heap.length - 1)
    if (delayed.position === 0) this.#earliestChanged()
    return delayed
  }

  /**
   * Takes out the next call that is due. Run it at once: until then it is in nobody's hands.
   *
   * @param time only calls due at or before this moment
   * @param lastOrder only calls that had been asked for before this one (see {@link mark}), so that a call that asks
   *   for another one "at once" does not starve the rest
   */
  take(time: number, lastOrder = Infinity): DelayedCall | undefined {
    const first = this.#heap[0]
    if (first === undefined || first.time > time || first.order > lastOrder) return undefined
    this.#detach(first)
    return first
  }

  /** Everything asked for so far; give it to {@link take}. */
  mark(): number {
    return this.#orders
  }

  /** The moment `ms` from now. @throws RangeError if `ms` is not a number of milliseconds that can pass */
  due(ms: number): number {
    if (Number.isFinite(ms) && ms >= 0) return this.after(this.#clock.now(), ms)
    throw new RangeError(`a delay is a number of milliseconds, 0 or more, not ${ms}`)
  }

  /** `call` was cancelled. */
  remove(call: DelayedCall): void {
    trace?.at('timer.cancel', call)
    this.#detach(call)
  }

  /** `call` is due at another time now; among calls of the same time it comes last. */
  moved(call: DelayedCall): void {
    const seq = trace?.at('timer.reset', call, { at: call.time, ms: call.time - this.#clock.now() })
    if (seq !== undefined) trace?.mark(call, seq)
    call.order = ++this.#orders
    const wasFirst = call.position === 0
    this.#settle(call, call.position)
    if (wasFirst || call.position === 0) this.#earliestChanged()
  }

  #detach(call: DelayedCall): void {
    const position = call.position
    const last = this.#heap.pop()
    call.position = -1
    if (last !== undefined && last !== call) this.#settle(last, position)
    if (position === 0) this.#earliestChanged()
  }

  #settle(call: DelayedCall, position: number): void {
    const parent = this.#heap[(position - 1) >> 1]
    if (position > 0 && parent !== undefined && before(call, parent) < 0) this.#rise(call, position)
    else this.#sink(call, position)
  }

  #rise(call: DelayedCall, position: number): void {
    while (position > 0) {
      const above = (position - 1) >> 1
      const parent = this.#heap[above]
      if (parent === undefined || before(parent, call) < 0) break
      this.#place(parent, position)
      position = above
    }
    this.#place(call, position)
  }

  #sink(call: DelayedCall, position: number): void {
    for (;;) {
      const left = 2 * position + 1
      const right = left + 1
      let child = this.#heap[left]
      let below = left
      if (child === undefined) break
      const other = this.#heap[right]
      if (other !== undefined && before(other, child) < 0) {
        child = other
        below = right
      }
      if (before(call, child) < 0) break
      this.#place(child, position)
      position = below
    }
    this.#place(call, position)
  }

  #place(call: DelayedCall, position: number): void {
    this.#heap[position] = call
    call.position = position
  }
}

function before(one: DelayedCall, other: DelayedCall): number {
  return one.time - other.time || one.order - other.order
}
