/**
 * A policy that tells what goes over each connection, a line for each event, safe to show on a terminal.
 *
 * Ancestor: `TrafficLoggingFactory` of `twisted.protocols.policies`.
 */
import { type Data, escaped, toBytes } from '../core/bytes.ts'
import type { ConnectionClosed } from '../core/errors.ts'
import type { Hook } from '../core/protocol.ts'
import type { Connection, LoseOptions } from '../core/transport.ts'
import { report } from '../deferred/reporter.ts'
import { Layer } from './layer.ts'
import type { Policy } from './with-policies.ts'

/** How {@link trafficLog} tells it. */
export interface TrafficLogOptions {
  /** How many bytes of a chunk are shown; the rest is counted. 64 unless given. */
  readonly limit?: number | undefined
}

/**
 * Tells `sink` what happens on each connection: that it is made and lost, what is received (`<`), sent (`>`) and closed.
 * Connections are numbered from 1. Where it stands among the policies decides what it sees: first, the bytes of the wire;
 * last, what the protocol sees.
 *
 * @param sink gets one line, without its end; bytes are escaped and cut
 *
 * @example
 * const log = trafficLog(console.log)
 * // 1 127.0.0.1:53210 made
 * // 1 < 7 bytes "hello\r\n"
 * // 1 lost: ConnectionDone "connection closed cleanly"
 */
export function trafficLog(sink: (line: string) => void, { limit = 64 }: TrafficLogOptions = {}): Policy {
  let connections = 0
  return (connection) => new LoggingLayer(connection, sink, ++connections, limit)
}

class LoggingLayer extends Layer {
  readonly #sink: (line: string) => void
  readonly #number: number
  readonly #limit: number

  constructor(connection: Connection, sink: (line: string) => void, number: number, limit: number) {
    super(connection)
    this.#sink = sink
    this.#number = number
    this.#limit = limit
  }

  override connectionMade(): Hook {
    this.#log(`${this.peer} made`)
    return super.connectionMade()
  }

  override dataReceived(chunk: Uint8Array): Hook {
    this.#logBytes('<', chunk)
    return super.dataReceived(chunk)
  }

  override connectionLost(reason: ConnectionClosed): Hook {
    this.#log(`lost: ${reason.name} ${escaped(toBytes(reason.message), 512)}`)
    return super.connectionLost(reason)
  }

  override write(data: Data): void {
    this.#logBytes('>', toBytes(data))
    super.write(data)
  }

  override loseConnection(options?: LoseOptions): void {
    this.#log('loseConnection')
    super.loseConnection(options)
  }

  override abortConnection(cause?: Error): void {
    this.#log('abortConnection')
    super.abortConnection(cause)
  }

  override loseWriteConnection(): void {
    this.#log('loseWriteConnection')
    super.loseWriteConnection()
  }

  #logBytes(direction: '<' | '>', bytes: Uint8Array): void {
    const { length } = bytes
    const cut = length > this.#limit ? '…' : ''
    this.#log(
      `${direction} ${length} byte${length === 1 ? '' : 's'} ${escaped(bytes.subarray(0, this.#limit), this.#limit)}${cut}`,
    )
  }

  /** A log that fails must not end what it tells about. */
  #log(what: string): void {
    try {
      this.#sink(`${this.#number} ${what}`)
    } catch (error) {
      report({ error, what: 'The sink of trafficLog failed', subject: this })
    }
  }
}
