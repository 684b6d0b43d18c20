/**
 * The one place where the bridge calls into subscribers, and catches what they throw.
 *
 * RxJS 7 rethrows what a subscriber's `next` throws, and an `error` that nobody takes, in a timer: by then nobody knows
 * whose message it was, and Node ends the program. Its one switch that lets such an error come back to the caller is
 * turned on for the length of each call here, and nowhere else. No ancestor.
 */
import { config, Subject } from 'rxjs'
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

/** Whose message is being delivered now. */
let current: Source | undefined

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

/** The same for one value to one subscriber: `entry` is a Subject that it alone has subscribed to. */
export function deliverTo<T>(source: Source | undefined, entry: Subject<T>, value: T): void {
  const outer = current
  const synchronous = isSynchronous()
  current = source
  setSynchronous(true)
  let thrown: { readonly error: unknown } | undefined
  try {
    // A Subject, because it is what throws the error at us; a subscriber's own `next` would drop it.
    entry.next(value)
  } catch (error) {
    thrown = { error }
  }
  setSynchronous(synchronous)
  current = outer
  if (thrown === undefined) return
  if (source === undefined) report({ error: thrown.error, what: 'A subscriber threw', subject: undefined })
  else source.subscriberThrew(thrown.error)
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
