/**
 * Policies that end a connection when its time is over: because nothing happens on it, or in any case.
 *
 * Ancestors: `TimeoutFactory` and `TimeoutMixin` of `twisted.protocols.policies`. Time runs from `connectionMade` on, not
 * from the making of the protocol.
 */
import type { Data } from '../core/bytes.ts'
import type { Clock, DelayedCall } from '../core/clock.ts'
import type { ConnectionClosed } from '../core/errors.ts'
import type { Hook } from '../core/protocol.ts'
import type { Connection } from '../core/transport.ts'
import { IdleTimeout, TotalTimeout } from './errors.ts'
import { Layer } from './layer.ts'
import type { Policy } from './with-policies.ts'

/** A peer that has not said goodbye by then will not. Milliseconds. */
const patience = 5000

/** What rounding may make of a moment. Milliseconds. */
const hair = 0.001

/**
 * Closes a connection on which nothing was sent or received for `ms` milliseconds; the cause is IdleTimeout. What is
 * still queued then gets the usual chance to leave, 5 s at most.
 *
 * @param clock a reactor, or any other clock
 * @throws RangeError if `ms` is not a number above 0
 */
export function idleTimeout(clock: Clock, ms: number): Policy {
  checkedTime(ms)
  return (connection) => new IdleLayer(connection, clock, ms)
}

/**
 * Aborts a connection that is still open `ms` milliseconds after it was made, whatever happens on it; the cause is
 * TotalTimeout.
 *
 * @param clock a reactor, or any other clock
 * @throws RangeError if `ms` is not a number above 0
 */
export function totalTimeout(clock: Clock, ms: number): Policy {
  checkedTime(ms)
  return (connection) => new TotalLayer(connection, clock, ms)
}

class IdleLayer extends Layer {
  readonly #clock: Clock
  readonly #ms: number
  #lastActivity = 0
  /** Whether the last look found that time is over, and left a turn for what may be waiting to be read. */
  #overdue = false
  /** What was queued at the last look: as long as that changes, bytes leave. */
  #queued = 0
  #timer: DelayedCall | undefined

  constructor(connection: Connection, clock: Clock, ms: number) {
    super(connection)
    this.#clock = clock
    this.#ms = ms
  }

  override connectionMade(): Hook {
    this.#lastActivity = this.#clock.now()
    this.#timer = this.#clock.callLater(this.#ms, this.#look)
    return super.connectionMade()
  }

  override dataReceived(chunk: Uint8Array): Hook {
    this.#lastActivity = this.#clock.now()
    return this.wrappedProtocol?.dataReceived(chunk)
  }

  override write(data: Data): void {
    this.#lastActivity = this.#clock.now()
    this.transport.write(data)
  }

  override connectionLost(reason: ConnectionClosed): Hook {
    if (this.#timer?.active() === true) this.#timer.cancel()
    return super.connectionLost(reason)
  }

  /** One timer for all: activity only notes the time, and the timer is set again for when that would be too long ago. */
  readonly #look = (): void => {
    const now = this.#clock.now()
    if (this.queued !== this.#queued) {
      this.#queued = this.queued
      this.#lastActivity = now
    }
    const left = this.#lastActivity + this.#ms - now
    // A clock may call a hair early: to wait for that hair would be to wait for ever.
    if (left > hair) {
      this.#overdue = false
      this.#timer = this.#clock.callLater(left, this.#look)
    } else if (!this.#overdue) {
      // If the program was busy for long, what the peer sent meanwhile is still to be read.
      this.#overdue = true
      this.#timer = this.#clock.callLater(0, this.#look)
    } else {
      const cause = new IdleTimeout(this.peer, now - this.#lastActivity, this.#ms)
      this.loseConnection({ cause, abortAfter: patience })
    }
  }
}

class TotalLayer extends Layer {
  readonly #clock: Clock
  readonly #ms: number
  #timer: DelayedCall | undefined

  constructor(connection: Connection, clock: Clock, ms: number) {
    super(connection)
    this.#clock = clock
    this.#ms = ms
  }

  override connectionMade(): Hook {
    this.#timer = this.#clock.callLater(this.#ms, () => this.abortConnection(new TotalTimeout(this.peer, this.#ms)))
    return super.connectionMade()
  }

  override connectionLost(reason: ConnectionClosed): Hook {
    if (this.#timer?.active() === true) this.#timer.cancel()
    return super.connectionLost(reason)
  }
}

function checkedTime(ms: number): void {
  if (!(ms > 0 && ms < Infinity)) throw new RangeError(`a time limit is a number of milliseconds above 0, not ${ms}`)
}
