/**
 * Keeps answers in the order of their questions, whichever is ready first, and keeps them back while the peer is slow.
 *
 * It is the producer of its connection. Ancestor: none; HTTP pipelining (RFC 9112, section 9.3.2) has the same duty.
 */
import type { Deferred, PushProducer } from 'couplet'

/** What is behind each question: the work on its answer, and the answer once it is there. */
interface Slot<A> {
  readonly work: Deferred<unknown>
  answer?: A
}

/** A line of answers, each of which may be there or not. */
export class InOrder<A> implements PushProducer {
  readonly #send: (answer: A) => void
  readonly #slots: Slot<A>[] = []
  #paused = false
  #sending = false

  /** @param send is called with each answer when it is its turn; what it does may pause this, or {@link clear} it */
  constructor(send: (answer: A) => void) {
    this.#send = send
  }

  /** How many questions have no answer yet, or one that has not been sent. */
  get length(): number {
    return this.#slots.length
  }

  /**
   * Puts an answer at the end of the line; if it is there, and nothing is before it, it is sent now.
   *
   * @param answer never fails: a refusal is an answer too
   */
  add(answer: Deferred<A>): void {
    const slot: Slot<A> = { work: answer }
    this.#slots.push(slot)
    answer.addCallback((value) => {
      slot.answer = value
      this.#sendOn()
    })
  }

  /** Forgets everything in line, and cancels the work on it. */
  clear(): void {
    for (const { work } of this.#slots.splice(0)) work.cancel()
  }

  pauseProducing(): void {
    this.#paused = true
  }

  resumeProducing(): void {
    this.#paused = false
    this.#sendOn()
  }

  stopProducing(): void {
    this.#paused = true
    this.clear()
  }

  #sendOn(): void {
    // What sending causes may bring us here again; the loop goes on with that anyway.
    if (this.#sending) return
    this.#sending = true
    try {
      while (!this.#paused) {
        const [slot] = this.#slots
        if (slot === undefined || !('answer' in slot)) break
        this.#slots.shift()
        this.#send(slot.answer)
      }
    } finally {
      this.#sending = false
    }
  }
}
