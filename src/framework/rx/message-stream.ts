/**
 * What one connection delivers, to whoever has subscribed: in order, one message at a time, and no faster than it is
 * taken. No ancestor.
 */
import type { Subject, Subscriber } from 'rxjs'
import { trace } from '../trace/hook.ts'
import { deliver, deliverTo, entryTo, mustWait, type Source, together, type Waiting } from './delivery.ts'

/** The connection behind a stream. */
export interface Upstream {
  /** Nobody wants more for now. */
  pauseProducing(): void
  resumeProducing(): void
  /** The last subscriber has left, before the end. */
  unsubscribed(): void
  subscriberThrew(error: unknown): void
}

/** One subscriber, and the door through which messages come to it. */
interface Subscribed<T> {
  readonly subscriber: Subscriber<T>
  readonly entry: Subject<unknown>
}

export class MessageStream<T> implements Source, Waiting {
  readonly #upstream: Upstream
  readonly #limit: number
  readonly #label: string
  /** Replaced, never changed, so that a delivery goes on through the list that it began with. */
  #subscribers: readonly Subscribed<T>[] = []
  #pending: T[] = []
  #end: { readonly error?: unknown } | undefined
  /** How many messages somebody has in hand, and whether that has been too many since they were half as many. */
  #held = 0
  #full = false
  #paused = false
  #dropping = false
  #flowing = true

  /**
   * @param limit so many messages may be in hand, or wait here, before the connection is paused
   * @param label what the trace calls a subscription
   * @throws RangeError unless the limit is a whole number from 1
   */
  constructor(upstream: Upstream, limit: number, label: string) {
    if (!(limit >= 1) || (limit !== Infinity && !Number.isInteger(limit)))
      throw new RangeError(`a limit is a whole number of messages, 1 or more, not ${limit}`)
    this.#upstream = upstream
    this.#limit = limit
    this.#label = label
  }

  /** Whether it has ended, and everything was delivered before. */
  get over(): boolean {
    return this.#end !== undefined && this.#pending.length === 0
  }

  /** Messages that have arrived and were not delivered, and messages in hand. */
  get outstanding(): number {
    return this.#pending.length + this.#held
  }

  /** Delivers to `subscriber` from now on. */
  add(subscriber: Subscriber<T>): void {
    trace?.at('rx.sub', subscriber, { label: this.#label, parent: this })
    subscriber.add(() => this.#remove(subscriber))
    const entry = entryTo(subscriber as Subscriber<unknown>)
    this.#subscribers = [...this.#subscribers, { subscriber, entry }]
    this.flush()
  }

  /** A message has arrived. */
  next(message: T): void {
    if (this.#end !== undefined || this.#dropping) return
    if (this.#pending.length === 0 && this.#deliverable && !mustWait(this)) {
      this.#deliver(message)
      return
    }
    this.#pending.push(message)
    this.flush()
  }

  /** Nothing more will come. */
  end(end: { readonly error?: unknown }): void {
    if (this.#end !== undefined) return
    this.#end = end
    this.flush()
  }

  /** The connection is there, and reads. */
  connected(): void {
    this.#flowing = true
    this.#adjust()
  }

  /** From now on nothing is delivered but the end. */
  drop(): void {
    this.#pending = []
    this.#dropping = true
  }

  /** Delivers nothing until {@link resume}. */
  pause(): void {
    this.#paused = true
    this.#adjust()
  }

  resume(): void {
    this.#paused = false
    this.flush()
  }

  /** Delivers what can be delivered, and lets the connection know whether more is wanted. */
  flush(): void {
    if (!mustWait(this)) {
      // Each is taken from the queue before it is delivered: whoever comes in between goes on where we are.
      while (this.#deliverable && this.#pending.length > 0) this.#deliver(this.#pending.shift()!)
      if (this.over && this.#subscribers.length > 0) this.#deliverEnd()
    }
    this.#adjust()
  }

  /* ---------------------------------------------------------------- Source */

  taken(): void {
    this.#held++
    if (this.#held >= this.#limit) this.#full = true
    this.#adjust()
  }

  released(): void {
    this.#held--
    if (!this.#full || this.#held > this.#limit / 2) return
    this.#full = false
    this.flush()
  }

  subscriberThrew(error: unknown): void {
    this.#upstream.subscriberThrew(error)
  }

  /* ---------------------------------------------------------------- */

  get #deliverable(): boolean {
    return this.#subscribers.length > 0 && !this.#paused && !this.#full
  }

  #deliver(message: T): void {
    const subscribers = this.#subscribers
    if (subscribers.length === 1) this.#deliverTo(subscribers[0]!, message)
    else together(() => subscribers.forEach((each) => this.#deliverTo(each, message)))
  }

  #deliverTo({ subscriber, entry }: Subscribed<T>, message: T): void {
    const span = trace?.begin('rx.next', subscriber, { parent: this, v: message })
    deliverTo(this, entry, message)
    if (span !== undefined) trace?.end(span)
  }

  #deliverEnd(): void {
    const subscribers = this.#subscribers
    this.#subscribers = []
    const end = this.#end
    for (const { subscriber } of subscribers) {
      if (end !== undefined && 'error' in end) trace?.at('rx.error', subscriber, { parent: this, v: end.error })
      else trace?.at('rx.complete', subscriber, { parent: this })
      deliver(this, () => {
        if (end !== undefined && 'error' in end) subscriber.error(end.error)
        else subscriber.complete()
      })
    }
  }

  #remove(subscriber: Subscriber<T>): void {
    const left = this.#subscribers.filter((one) => one.subscriber !== subscriber)
    if (left.length === this.#subscribers.length) return
    trace?.at('rx.unsub', subscriber, { parent: this })
    this.#subscribers = left
    if (this.#subscribers.length === 0 && this.#end === undefined) this.#upstream.unsubscribed()
    this.#adjust()
  }

  /** Pauses or resumes the connection, where that is not its state already. */
  #adjust(): void {
    const wanted = this.#deliverable && this.outstanding < this.#limit
    if (wanted === this.#flowing || this.#end !== undefined) return
    this.#flowing = wanted
    if (wanted) this.#upstream.resumeProducing()
    else this.#upstream.pauseProducing()
  }
}
