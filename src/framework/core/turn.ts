/**
 * A turn: one trip through the reactor, in which user code runs, and at whose end all that it wrote leaves together.
 *
 * A reactor has one Turn. Whoever calls into user code enters it and leaves it; calls nest, and the outermost leaving
 * flushes the connections that were written to. Many small writes so become one system call. No ancestor: Twisted
 * flushes when the socket next becomes writable, which costs a trip through the poller.
 */

import { SendQueue } from './send-queue.ts'

/** A stretch of memory that small writes are gathered in; it belongs to the reactor, not to a connection. */
export interface Scratch {
  readonly bytes: Uint8Array
  /** How much of it is filled, in bytes. */
  used: number
  /** How many connections have bytes in it that have not left yet. */
  holders: number
}

const scratchSize = 32 * 1024
/** More than one is only needed while kernels are full; that many are kept for the next time. */
const sparesKept = 4
/** Queues that are kept for the next ones who write. A turn in which more than these write makes new ones. */
const queuesKept = 64

/** Something that has gathered writes and sends them at the end of the turn. */
export interface Flushable {
  flush(): void
}

/** How a reactor lets things happen soon. */
export interface Schedule {
  /** Calls `f` at the end of what runs now, before anything else arrives (a microtask or its like). */
  atEndOfTurn(f: () => void): void
  /** Calls `f` in the next turn, after whatever has arrived by then had its chance. */
  inNextTurn(f: () => void): void
  /** Memory of so many bytes, of the kind that this world's transports send best. A Uint8Array unless given. */
  memory?(size: number): Uint8Array
}

/** The turns of one reactor, for who writes a reactor or a transport. */
export class Turn {
  readonly #schedule: Schedule
  #depth = 0
  /** Who has something to flush; of the list, so many count. (To shorten an array costs more than to count.) */
  readonly #dirty: (Flushable | undefined)[] = []
  #dirtyCount = 0
  #flushing = false
  #awaitsEnd = false
  #scratch: Scratch | undefined
  readonly #spares: Scratch[] = []
  readonly #queues: SendQueue[] = []
  #soon: (() => void)[] = []

  constructor(schedule: Schedule) {
    this.#schedule = schedule
  }

  /** User code is about to run. Every call needs its {@link leave}, in a `finally`. */
  enter(): void {
    this.#depth++
  }

  /** User code has run; if it was the outermost, what it wrote leaves now. */
  leave(): void {
    try {
      if (this.#depth === 1 && this.#dirtyCount > 0) this.#flush()
    } finally {
      this.#depth--
    }
  }

  /** `connection` has something to flush. Outside of any guarded call it waits for the end of the current turn. */
  touch(connection: Flushable): void {
    this.#dirty[this.#dirtyCount++] = connection
    if (this.#depth > 0 || this.#awaitsEnd) return
    this.#awaitsEnd = true
    this.#schedule.atEndOfTurn(this.#atEnd)
  }

  /** Calls `f` in the next turn, so that whoever makes data as fast as it leaves does not keep out everybody else. */
  soon(f: () => void): void {
    this.#soon.push(f)
    if (this.#soon.length === 1) this.#schedule.inNextTurn(this.#runSoon)
  }

  /** Lends a queue to a connection that begins to write; most connections wait, and then they need none. */
  lendQueue(): SendQueue {
    return this.#queues.pop() ?? new SendQueue(this)
  }

  /** The queue is empty, and its borrower has forgotten it. */
  returnQueue(queue: SendQueue): void {
    if (this.#queues.length < queuesKept) this.#queues.push(queue)
  }

  /** Room for a small write of `length` bytes. */
  scratch(length: number): Scratch {
    const current = this.#scratch
    if (current !== undefined && current.used + length <= scratchSize) return current
    return (this.#scratch = this.#spares.pop() ?? this.#newScratch())
  }

  /** One holder's bytes have left. */
  release(scratch: Scratch): void {
    if (--scratch.holders > 0) return
    scratch.used = 0
    if (scratch !== this.#scratch && this.#spares.length < sparesKept) this.#spares.push(scratch)
  }

  #newScratch(): Scratch {
    const bytes = this.#schedule.memory?.(scratchSize) ?? new Uint8Array(scratchSize)
    return { bytes, used: 0, holders: 0 }
  }

  readonly #atEnd = (): void => {
    this.#awaitsEnd = false
    this.enter()
    this.leave()
  }

  readonly #runSoon = (): void => {
    const calls = this.#soon
    this.#soon = []
    this.enter()
    try {
      for (const call of calls) call()
    } finally {
      this.leave()
    }
  }

  #flush(): void {
    if (this.#flushing) return
    this.#flushing = true
    try {
      // Flushing may let user code run that writes again; the list grows under our feet until all is quiet.
      for (let index = 0; index < this.#dirtyCount; index++) {
        const connection = this.#dirty[index]
        this.#dirty[index] = undefined
        connection?.flush()
      }
    } finally {
      this.#dirtyCount = 0
      this.#flushing = false
    }
  }
}
