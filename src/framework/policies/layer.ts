/**
 * A layer stands between a connection and its protocol: to the protocol it is the connection, to the connection the
 * protocol. Whatever it does not override, it passes on. Policies are made of layers.
 *
 * Ancestor: `twisted.protocols.policies.ProtocolWrapper`. Grammar of calls as for every Protocol; where a connection ends
 * before the wrapped protocol's `makeConnection`, that protocol hears nothing.
 */
import type { Address } from '../core/address.ts'
import type { Data } from '../core/bytes.ts'
import type { ConnectionClosed } from '../core/errors.ts'
import { adopt } from '../core/guard.ts'
import type { PullProducer, PushProducer } from '../core/producer.ts'
import { type Hook, Protocol } from '../core/protocol.ts'
import type { StartTLSOptions, TLSFacts } from '../core/tls.ts'
import type { Connection, LoseOptions } from '../core/transport.ts'
import type { Deferred } from '../deferred/deferred.ts'

/**
 * Subclass it, override what you want to see or change, and pass the rest on with `super`. What you hold for a connection
 * (a count, a timer), hold from `connectionMade` to `connectionLost`, so that a connection refused further in leaves
 * nothing behind.
 *
 * @example
 * class Meter extends Layer {
 *   #received = 0
 *   override dataReceived(chunk: Uint8Array) {
 *     this.#received += chunk.length
 *     return super.dataReceived(chunk)
 *   }
 *   override connectionLost(reason: ConnectionClosed) {
 *     console.log(`${this.peer} sent ${this.#received} bytes`)
 *     return super.connectionLost(reason)
 *   }
 * }
 * const meter: Policy = (connection) => new Meter(connection)
 */
export class Layer extends Protocol implements Connection {
  /** The connection below; there from the beginning. */
  declare transport: Connection
  /** The protocol above, or the next layer; there from {@link deliverTo} on. */
  declare wrappedProtocol: Protocol | undefined
  /** The protocol above was told that its connection is made, and so will be told that it is lost. */
  #made = false
  /** The protocol above wants nothing for now. */
  #paused = false
  /** TLS is being put on the connection below. */
  #securing = false
  /** We want nothing for now. */
  #holding = false

  constructor(connection: Connection) {
    super()
    this.transport = connection
    this.wrappedProtocol = undefined
  }

  /* ---------------------------------------------------------------- what the connection below says */

  override connectionMade(): Hook {
    this.#made = true
    return this.wrappedProtocol?.makeConnection(this)
  }

  override dataReceived(chunk: Uint8Array): Hook {
    return this.wrappedProtocol?.dataReceived(chunk)
  }

  override connectionLost(reason: ConnectionClosed): Hook {
    if (this.#made) return this.wrappedProtocol?.connectionLost(reason)
  }

  /* ---------------------------------------------------------------- what a subclass may use */

  /**
   * Nothing arrives any more until {@link releaseInput}, whatever the protocol above does. It does not see this: its
   * own pausing goes on beside it.
   */
  protected holdInput(): void {
    if (this.#holding) return
    this.#holding = true
    if (!this.#paused) this.transport.pauseProducing()
  }

  /** Ends what {@link holdInput} began. */
  protected releaseInput(): void {
    if (!this.#holding) return
    this.#holding = false
    if (!this.#paused) this.transport.resumeProducing()
  }

  /**
   * Calls a hook of somebody else's from a timer, or from wherever the connection below does not do it: what it throws
   * ends this connection and nothing else.
   */
  protected guard(what: string, hook: () => Hook): void {
    try {
      adopt(hook(), what, this)
    } catch (error) {
      this.hookFailed(error, what)
    }
  }

  /** Makes `protocol` the one above, and takes over the optional hooks that it has, unless we have them ourselves. */
  protected wrap(protocol: Protocol): void {
    if (this.wrappedProtocol !== undefined) {
      throw new Error(`${this.peer}: this connection has its protocol already`)
    }
    this.wrappedProtocol = protocol
    // A connection looks whether the method is there, so it may only be there if the protocol above has it.
    if (protocol.inputResumed !== undefined && this.inputResumed === undefined) this.inputResumed = passInputResumed
    if (protocol.inputPending !== undefined && this.inputPending === undefined) this.inputPending = passInputPending
    if (protocol.inputEnded !== undefined && this.inputEnded === undefined) this.inputEnded = passInputEnded
    if (protocol.readConnectionLost !== undefined && this.readConnectionLost === undefined)
      this.readConnectionLost = passReadConnectionLost
    if (protocol.writeConnectionLost !== undefined && this.writeConnectionLost === undefined)
      this.writeConnectionLost = passWriteConnectionLost
    if (protocol.stopping !== undefined && this.stopping === undefined) this.stopping = passStopping
  }

  /* ---------------------------------------------------------------- what the protocol above does */

  deliverTo(protocol: Protocol): void {
    this.wrap(protocol)
    this.transport.deliverTo(this)
  }

  get peer(): Address {
    return this.transport.peer
  }

  get host(): Address {
    return this.transport.host
  }

  get disconnecting(): boolean {
    return this.transport.disconnecting
  }

  get disconnected(): boolean {
    return this.transport.disconnected
  }

  get queued(): number {
    return this.transport.queued
  }

  get tls(): TLSFacts | undefined {
    return this.transport.tls
  }

  startTLS(options: StartTLSOptions): Deferred<void> {
    this.#securing = true
    return this.transport.startTLS(options).addBoth((result) => {
      this.#securing = false
      return result
    })
  }

  write(data: Data): void {
    this.transport.write(data)
  }

  writeSequence(pieces: Iterable<Data>): void {
    for (const piece of pieces) this.write(piece)
  }

  loseConnection(options?: LoseOptions): void {
    this.transport.loseConnection(options)
  }

  abortConnection(cause?: Error): void {
    this.transport.abortConnection(cause)
  }

  loseWriteConnection(): void {
    this.transport.loseWriteConnection()
  }

  registerProducer(producer: PushProducer, streaming: true): void
  registerProducer(producer: PullProducer, streaming: false): void
  registerProducer(producer: PushProducer | PullProducer, streaming: boolean): void {
    if (streaming) this.transport.registerProducer(producer as PushProducer, true)
    else this.transport.registerProducer(producer, false)
  }

  unregisterProducer(): void {
    this.transport.unregisterProducer()
  }

  /** Whether input is held back for the protocol above; what this layer holds back itself does not count. */
  get paused(): boolean {
    return this.#paused || this.#securing || (!this.#holding && this.transport.paused)
  }

  pauseProducing(): void {
    if (this.#paused) return
    this.#paused = true
    if (!this.#holding) this.transport.pauseProducing()
  }

  resumeProducing(): void {
    if (!this.#paused) return
    this.#paused = false
    if (!this.#holding) this.transport.resumeProducing()
    else if (!this.disconnecting) this.guard('inputResumed', () => this.wrappedProtocol?.inputResumed?.())
  }

  stopProducing(): void {
    this.loseConnection()
  }

  askToStop(): void {
    this.transport.askToStop()
  }

  whenLost(): Deferred<ConnectionClosed> {
    return this.transport.whenLost()
  }

  hookFailed(error: unknown, what: string): void {
    this.transport.hookFailed(error, what)
  }
}

function passInputResumed(this: Layer): Hook {
  return this.wrappedProtocol?.inputResumed?.()
}

function passInputPending(this: Layer): number {
  return this.wrappedProtocol?.inputPending?.() ?? 0
}

function passInputEnded(this: Layer): Error | undefined {
  return this.wrappedProtocol?.inputEnded?.()
}

function passReadConnectionLost(this: Layer): Hook {
  return this.wrappedProtocol?.readConnectionLost?.()
}

function passWriteConnectionLost(this: Layer): Hook {
  return this.wrappedProtocol?.writeConnectionLost?.()
}

function passStopping(this: Layer): Hook {
  return this.wrappedProtocol?.stopping?.()
}
