/**
 * A policy that limits how many bytes a second come in and go out, for each connection or for all of them together.
 *
 * Ancestor: `ThrottlingFactory` of `twisted.protocols.policies`, which stops everything for the rest of a second, and
 * writes of producers only. Here token buckets decide, and everything that is written waits its turn.
 */
import type { Clock } from '../core/clock.ts'
import type { ConnectionClosed } from '../core/errors.ts'
import type { Hook } from '../core/protocol.ts'
import type { Connection } from '../core/transport.ts'
import { Layer } from './layer.ts'
import { TokenBucket } from './token-bucket.ts'
import type { Policy } from './with-policies.ts'
import { type WriteOptions, WriteThrottle } from './write-throttle.ts'

/** How {@link throttle} limits. */
export interface ThrottleOptions extends WriteOptions {
  /** Bytes a second that are received. As many as come unless given. */
  readonly read?: number | undefined
  /** Bytes a second that are sent. As many as can unless given. */
  readonly write?: number | undefined
  /** Bytes that may go at once after a quiet time, in each direction. A second's worth unless given; 1 or more. */
  readonly burst?: number | undefined
  /** All connections of this policy share the limits. Each has them for itself unless given. */
  readonly shared?: boolean | undefined
}

/**
 * Limits the bytes a second. A chunk that arrives is delivered whole, and then nothing until it is paid for; what is
 * written leaves in pieces, some twenty a second.
 *
 * @param clock a reactor, or any other clock
 * @throws RangeError if a rate is not above 0, or the burst below 1
 */
export function throttle(clock: Clock, options: ThrottleOptions): Policy {
  const { read, write, burst, shared = false } = options
  for (const rate of [read, write]) {
    if (rate !== undefined && !(rate > 0 && rate < Infinity)) {
      throw new RangeError(`a rate is a number of bytes a second above 0, not ${rate}`)
    }
  }
  if (burst !== undefined && !(burst >= 1 && burst < Infinity)) {
    throw new RangeError(`a burst is a number of bytes, 1 or more, not ${burst}`)
  }
  const makeBucket = (rate: number): TokenBucket => new TokenBucket(clock, rate, burst ?? Math.max(rate, 1))
  const forReading = read === undefined ? undefined : sharedOrNot(() => makeBucket(read), shared)
  const forWriting = write === undefined ? undefined : sharedOrNot(() => makeBucket(write), shared)
  return (connection) => {
    const slowly = forReading === undefined ? connection : new ReadThrottle(connection, forReading())
    return forWriting === undefined ? slowly : new WriteThrottle(slowly, clock, forWriting(), options)
  }
}

function sharedOrNot(make: () => TokenBucket, shared: boolean): () => TokenBucket {
  if (!shared) return make
  const bucket = make()
  return () => bucket
}

class ReadThrottle extends Layer {
  readonly #bucket: TokenBucket
  /** There while we wait for tokens: gives that up. */
  #stopWaiting: (() => void) | undefined

  constructor(connection: Connection, bucket: TokenBucket) {
    super(connection)
    this.#bucket = bucket
  }

  override dataReceived(chunk: Uint8Array): Hook {
    this.#bucket.take(chunk.length)
    if (this.#bucket.tokens < 0 && this.#stopWaiting === undefined) {
      this.holdInput()
      this.#stopWaiting = this.#bucket.wait(0, () => {
        this.#stopWaiting = undefined
        this.releaseInput()
      })
    }
    return this.wrappedProtocol?.dataReceived(chunk)
  }

  override connectionLost(reason: ConnectionClosed): Hook {
    this.#stopWaiting?.()
    return super.connectionLost(reason)
  }
}
