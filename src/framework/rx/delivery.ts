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

const calls = new Subject<() => void>()
calls.subscribe((call) => call())

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
  if (source === undefined) return noHold
  let held = true
  source.taken()
  return {
    release() {
      if (!held) return
      held = false
      source.released()
    },
    deliver: (call) => deliver(source, call),
  }
}

const noHold: Hold = {
  release() {},
  deliver: (call) => deliver(undefined, call),
}

/** Calls into subscribers for `source`; without one, what they throw is only reported. */
export function deliver(source: Source | undefined, call: () => void): void {
  const before = current
  current = source
  const thrown = attempt(call)
  current = before
  if (thrown === undefined) return
  if (source === undefined) report({ error: thrown.error, what: 'A subscriber threw', subject: undefined })
  else source.subscriberThrew(thrown.error)
}

/**
 * Makes `call`, and says what a subscriber threw in it, at whatever depth. Within another attempt the outer one gets
 * the error: RxJS keeps one for the whole stack.
 */
function attempt(call: () => void): { readonly error: unknown } | undefined {
  const before = isSynchronous()
  setSynchronous(true)
  try {
    calls.next(call)
  } catch (error) {
    return { error }
  } finally {
    setSynchronous(before)
  }
  return undefined
}

function isSynchronous(): boolean {
  // oxlint-disable-next-line typescript/no-deprecated -- RxJS 8 drops it, and with it the rethrowing in a timer
  return config.useDeprecatedSynchronousErrorHandling
}

function setSynchronous(value: boolean): void {
  // oxlint-disable-next-line typescript/no-deprecated -- as above
  config.useDeprecatedSynchronousErrorHandling = value
}
