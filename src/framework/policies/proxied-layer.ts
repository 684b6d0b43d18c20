/**
 * The layer of a connection that begins with a PROXY header: first the protocol that reads it, then a layer as any other.
 *
 * Grammar of calls: `admitted` once; when its Deferred has fired, `deliverTo`. Ancestor:
 * `twisted.protocols.haproxy._wrapper.HAProxyProtocolWrapper`.
 */
import type { Address } from '../core/address.ts'
import { escaped } from '../core/bytes.ts'
import type { Clock, DelayedCall } from '../core/clock.ts'
import { ConnectionAborted, type ConnectionClosed, IncompleteFrame } from '../core/errors.ts'
import { adopt, asError } from '../core/guard.ts'
import type { Hook, Protocol } from '../core/protocol.ts'
import type { Connection, Transport } from '../core/transport.ts'
import { Deferred } from '../deferred/deferred.ts'
import { BadProxyHeader, NoProxyHeader } from './errors.ts'
import { Layer } from './layer.ts'
import type { ProxyHeader } from './proxy-header.ts'
import { ProxyHeaderParser } from './proxy-header-parser.ts'

/** How the header is read; see `ProxyProtocolOptions`. */
export interface HeaderOptions {
  readonly clock: Clock
  readonly required: boolean
  readonly timeout: number
  readonly maxLength: number | undefined
}

export class ProxiedLayer extends Layer {
  /** What the proxy said; `undefined` before it has, and for a client that came without. */
  header: ProxyHeader | undefined
  readonly #options: HeaderOptions
  /** There as long as the header is being read. */
  #parser: ProxyHeaderParser | undefined
  readonly #admission: Deferred<Connection>
  #deadline: DelayedCall | undefined
  /** What arrived behind the header, until the protocol above may have it. */
  #rest: Uint8Array | undefined
  #delivered = false
  /** We are inside `dataReceived`, which goes on by itself. */
  #receiving = false
  #reason: ConnectionClosed | undefined

  constructor(connection: Connection, options: HeaderOptions) {
    super(connection)
    this.#options = options
    this.#parser = new ProxyHeaderParser(options.maxLength)
    this.#admission = new Deferred<Connection>(() => this.#stopParsing())
  }

  /**
   * Reads the header.
   *
   * @returns fires with this layer. Fails with NoProxyHeader, BadProxyHeader or FrameTooLong
   */
  admitted(): Deferred<Connection> {
    this.transport.deliverTo(this)
    return this.#admission
  }

  override get peer(): Address {
    return this.header?.source ?? this.transport.peer
  }

  override get host(): Address {
    return this.header?.destination ?? this.transport.host
  }

  /* ---------------------------------------------------------------- reading the header */

  override connectionMade(): void {
    const { clock, timeout } = this.#options
    this.#deadline = clock.callLater(timeout, () =>
      this.#refuse(this.#noHeader(`no whole PROXY header within ${timeout} ms`)),
    )
  }

  override dataReceived(chunk: Uint8Array): Hook {
    const parser = this.#parser
    if (parser === undefined) return this.wrappedProtocol?.dataReceived(chunk)
    try {
      const header = parser.receive(chunk)
      if (header === undefined) return undefined
      if (header === null && this.#options.required) {
        throw new BadProxyHeader(`a PROXY header is required, and this is none: ${escaped(parser.rest)}`)
      }
      this.header = header ?? undefined
    } catch (error) {
      this.#refuse(asError(error))
      return undefined
    }
    this.#stopParsing()
    this.#rest = parser.rest
    this.holdInput()
    this.#receiving = true
    this.#admission.callback(this)
    this.#receiving = false
    return this.#deliverRest()
  }

  override connectionLost(reason: ConnectionClosed): Hook {
    this.#reason = reason
    this.#rest = undefined
    if (!this.#admission.called) this.#refuse(this.#noHeader('it closed before a whole PROXY header had come'))
    return super.connectionLost(reason)
  }

  #noHeader(why: string): NoProxyHeader {
    const received = this.#parser?.received ?? 0
    return new NoProxyHeader(this.peer, why, received === 0 ? undefined : { cause: new IncompleteFrame(received) })
  }

  /** Whoever waits for the admission closes the connection, with this as the cause. */
  #refuse(error: Error): void {
    this.#stopParsing()
    this.#admission.errback(error)
  }

  #stopParsing(): void {
    this.#parser = undefined
    if (this.#deadline?.active() === true) this.#deadline.cancel()
  }

  /* ---------------------------------------------------------------- a layer as any other */

  /** The connection below is ours already, so that what it does in its `deliverTo` is ours to do. */
  override deliverTo(protocol: Protocol): void {
    if (this.disconnected) throw this.#reason ?? new ConnectionAborted(`${this.peer}: connection aborted`)
    this.wrap(protocol)
    try {
      adopt(super.connectionMade(), 'connectionMade', this)
    } catch (error) {
      this.abortConnection(asError(error))
      throw error
    }
    this.#delivered = true
    if (!this.#receiving) this.#deliverRestSoon()
  }

  override inputPending(): number {
    return (this.#rest?.length ?? 0) + (this.wrappedProtocol?.inputPending?.() ?? 0)
  }

  override resumeProducing(): void {
    const waits = this.paused && this.#rest !== undefined
    super.resumeProducing()
    if (waits) this.#deliverRestSoon()
  }

  /** Once, and not before the protocol may have it; only then anything else arrives. */
  #deliverRest(): Hook {
    const rest = this.#rest
    if (rest === undefined || !this.#delivered || this.paused) return undefined
    this.#rest = undefined
    const returned = rest.length > 0 && !this.disconnecting ? this.wrappedProtocol?.dataReceived(rest) : undefined
    this.releaseInput()
    return returned
  }

  #deliverRestSoon(): void {
    this.#options.clock.callLater(0, () => this.guard('dataReceived', () => this.#deliverRest()))
  }
}

/**
 * The PROXY header that a connection began with, for a protocol that wants to know more than the addresses:
 * `proxyHeaderOf(this.transport)?.authority`.
 */
export function proxyHeaderOf(transport: Transport): ProxyHeader | undefined {
  let below: Transport = transport
  while (below instanceof Layer) {
    if (below instanceof ProxiedLayer) return below.header
    below = below.transport
  }
  return undefined
}
