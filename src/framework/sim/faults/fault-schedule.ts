/**
 * Which faults are to come and which are on, and how everything is made well again.
 *
 * No ancestor; the two phases (first anything may happen, then everything must come right) are TigerBeetle's.
 */
import { trace } from '../../trace/hook.ts'
import { once } from '../network/path.ts'
import { type Fault, hostsOf } from './fault.ts'
import { type Afflicted, begin } from './troubles.ts'

export class FaultSchedule {
  readonly #world: Afflicted
  readonly #now: () => number
  /** What ends each of those that are on or to come. */
  readonly #ends = new Set<() => void>()

  /** @param now the world's time in milliseconds */
  constructor(world: Afflicted, now: () => number) {
    this.#world = world
    this.#now = now
  }

  /** @throws Error if one of them is about a host that is not there; RangeError if its time cannot be */
  add(faults: readonly Fault[]): void {
    for (const fault of faults) check(this.#world, fault)
    for (const fault of faults) {
      const starts = this.#world.later(Math.max(0, fault.at - this.#now()), () => {
        this.#ends.delete(starts)
        this.#begin(fault)
      })
      this.#ends.add(starts)
    }
  }

  /** Something went wrong that was not in the schedule; `end` makes it well. @returns what ends it */
  begun(end: () => void): () => void {
    const ends = once(() => {
      this.#ends.delete(ends)
      end()
    })
    this.#ends.add(ends)
    return ends
  }

  /** Ends everything that is on, and lets nothing more begin. */
  end(): void {
    const ends = [...this.#ends]
    this.#ends.clear()
    for (const end of ends) end()
  }

  #begin(fault: Fault): void {
    trace?.at('fault', this, { what: fault.kind, ...fault })
    const end = this.begun(begin(this.#world, fault))
    if (!('for' in fault)) {
      end()
      return
    }
    const over = this.#world.later(fault.for, () => {
      this.#ends.delete(over)
      end()
    })
    this.#ends.add(over)
  }
}

function check(world: Afflicted, fault: Fault): void {
  for (const name of hostsOf(fault)) world.host(name)
  const times = 'for' in fault ? [fault.at, fault.for] : [fault.at]
  for (const ms of times) {
    if (!(ms >= 0 && ms < Infinity)) {
      throw new RangeError(`a fault begins at, and lasts for, 0 or more milliseconds, not ${ms} (${fault.kind})`)
    }
  }
}
