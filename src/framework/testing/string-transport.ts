/**
 * A transport without a network: it remembers what a protocol writes, and the test plays the peer.
 *
 * It keeps the promises that a real connection keeps (what is written after the close is dropped, nothing arrives
 * while paused or after the close, one connectionLost), so that a protocol tested on it behaves the same on sockets.
 * Only time is missing: what a socket does in a later turn happens here when the test says so. Ancestor:
 * `twisted.internet.testing.StringTransport`.
 */
import { type Address, IPv4Address } from '../core/address.ts'
import { type Data, join, toBytes, toText } from '../core/bytes.ts'
import { ConnectionAborted, type ConnectionClosed, ConnectionDone, ConnectionLost } from '../core/errors.ts'
import { adopt, asError } from '../core/guard.ts'
import type { PullProducer, PushProducer } from '../core/producer.ts'
import type { Hook, Protocol } from '../core/protocol.ts'
import type { StartTLSOptions } from '../core/tls.ts'
import type { LoseOptions, Transport } from '../core/transport.ts'
import { Deferred } from '../deferred/deferred.ts'
import { report } from '../deferred/reporter.ts'

/** Who seems to talk to whom. */
export interface StringTransportOptions {
  /** The protocol's own address. 10.0.0.1:12345 unless given, as in Twisted. */
  readonly host?: Address
  /** The address of the peer that the test plays. 192.168.1.1:54321 unless given, as in Twisted. */
  readonly peer?: Address
}

/**
 * Makes the connection of `protocol`, over a new StringTransport.
 *
 * @example
 * const transport = connected(new Echo())
 * transport.receive('hello\r\n')
 * expect(transport.text()).toBe('hello\r\n')
 * transport.end()
 */
export function connected(protocol: Protocol, options: StringTransportOptions = {}): StringTransport {
  const transport = new StringTransport(options)
  transport.deliverTo(protocol)
  return transport
}

export class StringTransport implements Transport {
  readonly host: Address
  readonly peer: Address
  /** `loseConnection` or `abortConnection` was called, or the peer ended. `connectionLost` comes with {@link end}. */
  disconnecting = false
  /** `connectionLost` was called. */
  disconnected = false
  /** `abortConnection` was called. */
  aborting = false
  /** What `loseConnection` or `abortConnection` were told that broke. */
  cause: Error | undefined
  /** `loseWriteConnection` was called: the peer knows that no more will come. */
  writeEnded = false
  /** What `startTLS` was told: from then on everything counts as encrypted. */
  startedTLS: StartTLSOptions | undefined
  /** Whether the protocol lets its input come: `paused`, or `stopped` once it has closed. */
  producerState: 'producing' | 'paused' | 'stopped' = 'producing'
  /** Who is registered to write here. A pull producer is not asked by itself: call its `resumeProducing`. */
  producer: PushProducer | PullProducer | undefined
  /** Whether {@link producer} is a push producer. */
  streaming: boolean | undefined
  /** The peer takes everything at once; so nothing is ever queued. */
  readonly queued = 0

  #protocol: Protocol | undefined
  #written: Uint8Array[] = []
  /** What the peer sent while it was held back. */
  #held: Uint8Array[] = []
  #delivering = false
  /** The peer's end: not yet, held back behind what it sent, or known to the protocol. */
  #input: 'open' | 'ending' | 'over' = 'open'
  /** What the protocol said was missing, when the peer ended. */
  #truncated: Error | undefined

  constructor({ host, peer }: StringTransportOptions = {}) {
    this.host = host ?? new IPv4Address('TCP', '10.0.0.1', 12_345)
    this.peer = peer ?? new IPv4Address('TCP', '192.168.1.1', 54_321)
  }

  /* ---------------------------------------------------------------- what the test does */

  /** Everything written so far, or since {@link clear}. */
  value(): Uint8Array {
    return join(this.#written)
  }

  /** The same as text. */
  text(): string {
    return toText(this.value())
  }

  /** Forgets what was written so far. */
  clear(): void {
    this.#written = []
  }

  /** The connection is made: `protocol` is the one that talks here. {@link connected} does it for you. */
  deliverTo(protocol: Protocol): void {
    if (this.#protocol !== undefined) throw new Error('This transport has its protocol already')
    this.#protocol = protocol
    this.#adopt(protocol.makeConnection(this), 'connectionMade')
  }

  /**
   * The peer sends something: the protocol gets it as one chunk; or later, if it has paused; or never, if it has
   * closed. What a hook throws comes out here, so that the test sees it.
   */
  receive(data: Data): void {
    const protocol = this.#mustHaveProtocol()
    if (this.#input !== 'open') throw new Error('The peer has ended: it sends no more')
    if (data.length === 0 || this.disconnecting) return
    this.#held.push(toBytes(data))
    this.#deliver(protocol)
  }

  /**
   * The connection ends. If the protocol has closed it, `connectionLost` comes now. Otherwise it is the peer who
   * closes: after what it has sent, the protocol is asked whether all was complete; if it wants to go on writing
   * (`readConnectionLost`), or a producer has not finished, the connection stays until the next `end()`.
   *
   * @param reason says how it ended, a ConnectionLost for example; then `connectionLost(reason)` comes at once
   */
  end(reason?: ConnectionClosed): void {
    const protocol = this.#mustHaveProtocol()
    if (this.disconnected) return
    if (reason !== undefined) this.#lose(protocol, reason)
    else if (this.disconnecting || this.#input === 'over') this.#lose(protocol, this.#reason())
    else {
      this.#input = 'ending'
      this.#deliver(protocol)
    }
  }

  /* ---------------------------------------------------------------- what the protocol does */

  get paused(): boolean {
    return this.producerState === 'paused'
  }

  write(data: Data): void {
    if (data.length === 0 || !this.#mayWrite) return
    // A copy, for who writes may use the memory again; on a socket small writes are copied too.
    this.#written.push(new Uint8Array(toBytes(data)))
  }

  writeSequence(pieces: Iterable<Data>): void {
    for (const piece of pieces) this.write(piece)
  }

  loseConnection({ cause }: LoseOptions = {}): void {
    if (this.disconnected || this.aborting) return
    this.disconnecting = true
    this.producerState = 'stopped'
    this.cause ??= cause
  }

  abortConnection(cause?: Error): void {
    if (this.disconnected || this.aborting) return
    this.disconnecting = true
    this.aborting = true
    this.producerState = 'stopped'
    this.cause ??= cause
  }

  loseWriteConnection(): void {
    this.writeEnded = true
  }

  /** Fires at once; here nothing is encrypted. */
  startTLS(options: StartTLSOptions): Deferred<void> {
    const secured = new Deferred<void>()
    this.startedTLS = options
    secured.callback()
    return secured
  }

  pauseProducing(): void {
    if (this.producerState === 'producing') this.producerState = 'paused'
  }

  resumeProducing(): void {
    if (this.producerState !== 'paused') return
    this.producerState = 'producing'
    const protocol = this.#protocol
    if (protocol === undefined) return
    this.#adopt(protocol.inputResumed?.(), 'inputResumed')
    this.#deliver(protocol)
  }

  stopProducing(): void {
    this.loseConnection()
  }

  registerProducer(producer: PushProducer, streaming: true): void
  registerProducer(producer: PullProducer, streaming: false): void
  registerProducer(producer: PushProducer | PullProducer, streaming: boolean): void {
    if (this.producer !== undefined) {
      throw new Error(`${this.peer}: a producer is registered already (unregisterProducer() it first)`)
    }
    if (!this.#mayWrite) {
      this.#adopt(producer.stopProducing(), 'stopProducing')
      return
    }
    this.producer = producer
    this.streaming = streaming
  }

  unregisterProducer(): void {
    this.producer = undefined
    this.streaming = undefined
  }

  /* ---------------------------------------------------------------- */

  /** As on a socket: after `loseConnection` only who is registered as a producer still writes. */
  get #mayWrite(): boolean {
    if (this.disconnected || this.aborting || this.writeEnded) return false
    return !this.disconnecting || this.producer !== undefined
  }

  /** Delivers what the protocol may have now; a chunk never comes inside the call for another one. */
  #deliver(protocol: Protocol): void {
    if (this.#delivering) return
    this.#delivering = true
    try {
      while (!this.paused && !this.disconnecting) {
        const chunk = this.#held.shift()
        if (chunk === undefined) break
        this.#adopt(protocol.dataReceived(chunk), 'dataReceived')
      }
      if (this.disconnecting) this.#held = []
      if (this.#input === 'ending' && !this.paused) this.#endInput(protocol)
    } finally {
      this.#delivering = false
    }
  }

  #endInput(protocol: Protocol): void {
    this.#input = 'over'
    if (!this.disconnecting) this.#truncated = protocol.inputEnded?.()
    if (!this.disconnecting && this.#truncated === undefined && protocol.readConnectionLost !== undefined) {
      this.#adopt(protocol.readConnectionLost(), 'readConnectionLost')
      return
    }
    this.disconnecting = true
    // A connection that closes by itself waits for its producer, as one that is told to.
    if (this.producer === undefined) this.#lose(protocol, this.#reason())
  }

  #reason(): ConnectionClosed {
    const cause = this.cause
    const truncated = this.#truncated
    if (cause !== undefined) return new ConnectionAborted(`connection aborted: ${cause.message}`, { cause })
    if (this.aborting) return new ConnectionAborted()
    if (truncated === undefined) return new ConnectionDone()
    return new ConnectionLost(`connection lost: ${truncated.message}`, { cause: truncated })
  }

  #lose(protocol: Protocol, reason: ConnectionClosed): void {
    this.disconnecting = true
    this.disconnected = true
    this.producerState = 'stopped'
    const producer = this.producer
    this.unregisterProducer()
    this.#adopt(producer?.stopProducing(), 'stopProducing')
    this.#adopt(protocol.connectionLost(reason), 'connectionLost')
  }

  /** What a hook throws is for the test to see; what it does later ends the connection, as on a socket. */
  #adopt(returned: Hook, what: string): void {
    adopt(returned, what, {
      hookFailed: (error) => {
        report({ error, what: `${what} of ${this.#protocol?.constructor.name} failed`, subject: this.#protocol })
        this.abortConnection(asError(error))
      },
    })
  }

  #mustHaveProtocol(): Protocol {
    if (this.#protocol !== undefined) return this.#protocol
    throw new Error('This transport has no protocol yet: make it with connected(protocol)')
  }
}
