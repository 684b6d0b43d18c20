/**
 * What the trace tells of a connection's bytes: where in its two streams they are, so that one can follow them.
 *
 * There is one only while somebody traces. No ancestor.
 */
import { type Seq, trace } from '../trace/hook.ts'
import type { Data } from './bytes.ts'

/** Places are counted in bytes from where the trace began to look. */
export class StreamTrace {
  readonly #connection: object
  #arrived = 0
  #received = 0
  #written = 0
  #sent: number

  /** @param queued bytes that were written before, and have no place in the trace */
  constructor(connection: object, queued: number) {
    this.#connection = connection
    this.#sent = 0 - queued
  }

  arrived(length: number, by: Seq | undefined): Seq | undefined {
    const off = this.#arrived
    this.#arrived += length
    return trace?.at('bytes.arrive', this.#connection, { off, n: length }, by)
  }

  /** @returns the span of the call that they are received in */
  received(chunk: Uint8Array, arrived: Seq | undefined): Seq | undefined {
    const off = this.#received
    this.#received += chunk.length
    const span = trace?.begin('call', this.#connection, { what: 'dataReceived' }, arrived)
    trace?.at('bytes.recv', this.#connection, { off, n: chunk.length, data: chunk }, arrived)
    return span
  }

  written(data: Data, length: number): void {
    const off = this.#written
    this.#written += length
    trace?.at('bytes.write', this.#connection, { off, n: length, data })
  }

  sent(length: number): Seq | undefined {
    const off = this.#sent
    this.#sent += length
    return trace?.at('bytes.sent', this.#connection, { off, n: length })
  }
}
