/**
 * What the contract needs to know of a kind of transport: how to make a connected pair, how to wait, and what it cannot
 * do.
 *
 * Ancestor: `twisted.internet.test.reactormixins.ReactorBuilder`; the clogged pair is trio's (`check_one_way_stream`).
 */
import type { Address } from '../../core/address.ts'
import type { DialOptions, ListenOptions, Reactor } from '../../core/reactor.ts'
import type { ConnectionLimits } from '../../core/stream-connection.ts'
import type { Connection } from '../../core/transport.ts'

/** Limits for the two ends of a pair. */
export interface PairLimits {
  readonly near?: ConnectionLimits
  readonly far?: ConnectionLimits
}

/** A kind of transport, made anew for each test. */
export interface TransportWorld {
  /** Two ends of one connection, which nobody listens to yet; a test may ask for several. */
  pair(limits?: PairLimits): PromiseLike<readonly [near: Connection, far: Connection]>
  /** More bytes than all buffers between the two ends hold, and more than 512 KiB: enough to clog a pair. */
  readonly plenty: number
  /** Waits until everything that can happen has happened, without any timer of a connection (the linger is 5 s). */
  settle(): PromiseLike<unknown>
  /** How connections are made, where `pair` is not all there is. Without it, `network` is among what it lacks. */
  readonly network?: ContractNetwork
  /** Called when the test is over, whether it succeeded or not. */
  close?(): PromiseLike<unknown> | void
}

/** Where the connections of a {@link TransportWorld} come from. */
export interface ContractNetwork {
  /** Who listens, and who dials; it may be the same. */
  readonly server: Reactor
  readonly client: Reactor
  /** What each of them has to say besides, `{ tls }` for example. */
  readonly listenOptions?: ListenOptions
  readonly dialOptions?: DialOptions
  /** An address at which `server` can listen, with its port still open or its path unused. A fresh one each time. */
  anywhere(): Address
  /** Waits for one thing: a Deferred of the reactors'. */
  until<T>(outcome: PromiseLike<T>): Promise<T>
}

/**
 * What a transport may be unable to do.
 *
 * - `half close`: to end one direction and go on in the other
 * - `reset`: to tell the peer that we aborted; without it an abort may look like a clean end over there
 * - `addresses`: to say the same of an end from both sides
 * - `network`: to dial and listen
 */
export type TransportCapability = 'half close' | 'reset' | 'addresses' | 'network'
