/**
 * A protocol that only remembers: what arrived, and how it ended. The other end for a test.
 *
 * Ancestor: `twisted.internet.testing.AccumulatingProtocol`.
 */
import { join, toText } from '../core/bytes.ts'
import type { ConnectionClosed } from '../core/errors.ts'
import { type Hook, Protocol } from '../core/protocol.ts'
import { Deferred } from '../deferred/deferred.ts'

export class AccumulatingProtocol extends Protocol {
  /** How often `connectionMade` was called: 1, unless something is wrong. */
  made = 0
  /** What arrived, chunk by chunk. */
  readonly chunks: Uint8Array[] = []
  /** Why the connection ended, as soon as it has. */
  closedReason: ConnectionClosed | undefined
  #waiting: Deferred<ConnectionClosed>[] = []

  /** Everything that arrived. */
  value(): Uint8Array {
    return join(this.chunks)
  }

  /** The same as text. */
  text(): string {
    return toText(this.value())
  }

  /** Fires with the reason when the connection has ended. A fresh Deferred each time. */
  whenClosed(): Deferred<ConnectionClosed> {
    const closed = new Deferred<ConnectionClosed>()
    if (this.closedReason === undefined) this.#waiting.push(closed)
    else closed.callback(this.closedReason)
    return closed
  }

  override connectionMade(): Hook {
    this.made++
  }

  override dataReceived(chunk: Uint8Array): Hook {
    this.chunks.push(chunk)
  }

  override connectionLost(reason: ConnectionClosed): Hook {
    this.closedReason = reason
    for (const closed of this.#waiting.splice(0)) closed.callback(reason)
  }
}
