/**
 * The end of a connection, as far as it is known before it has come: why, how long it may take, and who waits for it.
 *
 * No ancestor: Twisted's connections wait for nothing, and may wait for ever.
 */
import type { Deferred } from '../deferred/deferred.ts'
import type { Address } from './address.ts'
import type { DelayedCall } from './clock.ts'
import { ConnectionAborted, type ConnectionClosed, ConnectionLost } from './errors.ts'

export class Ending {
  /** Why it ends, where that is settled before the medium has closed. */
  reason: ConnectionClosed | undefined
  /** What is wrong with the peer's FIN, if it is not an end that the peer can be held to. */
  cut: Error | undefined
  /** What arrived is not complete. */
  truncated: Error | undefined
  /** The medium has closed by itself, before the protocol, which is paused, could hear of the peer's FIN. */
  closedEarly = false
  /** Bytes of the peer's that were thrown away after our FIN. */
  discarded = 0
  /** The peer has its time. Set once it has begun. */
  linger: DelayedCall | undefined
  watchers: Deferred<ConnectionClosed>[] | undefined
  #deadline: DelayedCall | undefined

  /** Of two deadlines the later one said counts. */
  setDeadline(deadline: DelayedCall): void {
    cancel(this.#deadline)
    this.#deadline = deadline
  }

  /** The peer has moved: its time begins anew, for `ms` milliseconds. */
  restartLinger(ms: number): void {
    if (this.linger?.active() === true) this.linger.reset(ms)
  }

  stopLingering(): void {
    cancel(this.linger)
  }

  /** It has come. */
  stopWaiting(): void {
    this.stopLingering()
    cancel(this.#deadline)
  }
}

function cancel(call: DelayedCall | undefined): void {
  if (call?.active() === true) call.cancel()
}

/** We have ended the connection with `peer`, because of `cause` if there is one. */
export function abortedBy(peer: Address, cause: Error | undefined): ConnectionAborted {
  const why = `${peer}: connection aborted`
  return cause === undefined ? new ConnectionAborted(why) : new ConnectionAborted(`${why}: ${cause.message}`, { cause })
}

/** The connection with `peer` has broken, because of `cause`. */
export function lostBecause(peer: Address, cause: Error): ConnectionLost {
  return new ConnectionLost(`${peer}: connection lost: ${cause.message}`, { cause })
}
