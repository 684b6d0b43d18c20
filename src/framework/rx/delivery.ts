/**
 * The one place where the bridge calls into subscribers, and catches what they throw.
 *
 * RxJS 7 rethrows what a subscriber's `next` throws, and an `error` that nobody takes, in a timer: by then nobody knows
 * whose message it was, and Node ends the program. Its one switch that lets such an error come back to the caller is
 * turned on for the length of each call here, and nowhere else. No ancestor.
 *
 * No message of a connection is delivered inside of such a call: it comes right after. So all subscribers see one order,
 * and what one of them throws is known to be its own.
 */
import { config, Subject, type Subscriber } from 'rxjs'
import { report } from '../deferred/reporter.ts'

/** Whoever has messages delivered, and can be kept from delivering more. */
export interface Source {
  /** Somebody took a message in hand, and is not done with it. */
  taken(): void
  /** Somebody is done with one. */
  released(): void
  /** A subscriber threw. It is told, once, after the call that did it. */
  subscriberThrew(error: unknown): void
}

/** A message that somebody has taken in hand. */
export interface Hold {
  /** Done with it: whoever sent it may go on. The second call does nothing. */
  release(): void
  /**
   * Makes `call`, later than the delivery, on the message's behalf: what subscribers throw in it ends the connection
   * that the message came from, and what they take in hand keeps that same connection back.
   */
  deliver(call: () => void): void
}

/** Somebody who has messages to deliver as soon as the present delivery is over. */
export interface Waiting {
  flush(): void
}

/** Whose message is being delivered now. */
let current: Source | undefined
/** How many deliveries we are inside of. */
let depth = 0
const waiting = new Set<Waiting>()
let draining = false

/** Whether something is being delivered now. If so, `one` is flushed afterwards. */
export function mustWait(one: Waiting): boolean {
  if (depth > 0) waiting.add(one)
  return depth > 0
}

/**
 * Takes the message that is being delivered in hand. Called inside of `next`, it counts against the limit of the
 * connection that the message came from; too many in hand, and nothing more is read from that connection until some
 * are released. Operators that pass messages on at once (`map`, `filter`, `merge`…) may lie between; after one that
 * keeps them first (`delay`, `concatMap`…), or for a message of other origin, it holds nothing and harms nothing.
 */
export function hold(): Hold {
  const source = current
  let held = true
  source?.taken()
  return {
    release() {
      if (!held) return
      held = false
      source?.released()
    },
    deliver: (call) => deliver(source, call),
  }
}

/**
 * Calls into subscribers for `source`; without one, what they throw is only reported.
 *
 * Within another delivery, the outer one is told what they throw: RxJS keeps one error for the whole stack.
 */
export function deliver(source: Source | undefined, call: () => void): void {
  deliverTo(source, calls, call)
}

/** What {@link deliverTo} takes for `subscriber`: a way in for it alone. */
export function entryTo<T>(subscriber: Subscriber<T>): Subject<T> {
  const entry = new Subject<T>()
  // Not the subscriber itself: if one broke RxJS's rules and threw straight through, RxJS would be confused for good.
  subscriber.add(entry.subscribe((value) => subscriber.next(value)))
  return entry
}

/** The same for one value to one subscriber, by its entry. */
export function deliverTo<T>(source: Source | undefined, entry: Subject<T>, value: T): void {
  const outer = current
  const synchronous = isSynchronous()
  let thrown: { readonly error: unknown } | undefined
  current = source
  setSynchronous(true)
  depth++
  try {
    // A Subject, because it is what throws the error at us; a subscriber's own `next` would drop it.
    entry.next(value)
  } catch (error) {
    thrown = { error }
  }
  depth--
  setSynchronous(synchronous)
  current = outer
  if (thrown !== undefined) {
    if (source === undefined) report({ error: thrown.error, what: 'A subscriber threw', subject: undefined })
    else source.subscriberThrew(thrown.error)
  }
  drain()
}

/** Several deliveries that nothing is to come between: one message to all of its subscribers. */
export function together(deliveries: () => void): void {
  depth++
  try {
    deliveries()
  } finally {
    depth--
  }
  drain()
}

/** Lets those go on who had to wait. */
function drain(): void {
  if (waiting.size === 0 || depth > 0 || draining) return
  draining = true
  try {
    // The list grows while it is walked: who comes back stands at its end.
    for (const one of waiting) {
      waiting.delete(one)
      one.flush()
    }
  } finally {
    draining = false
  }
}

const calls = new Subject<() => void>()
calls.subscribe((call) => call())

function isSynchronous(): boolean {
  // oxlint-disable-next-line typescript/no-deprecated -- RxJS 8 drops it, and with it the rethrowing in a timer
  return config.useDeprecatedSynchronousErrorHandling
}

function setSynchronous(value: boolean): void {
  // oxlint-disable-next-line typescript/no-deprecated -- as above
  config.useDeprecatedSynchronousErrorHandling = value
}
