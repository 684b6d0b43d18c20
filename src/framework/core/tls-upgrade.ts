/**
 * TLS is being put on a connection that was made without it: what is to happen then, and what waits for it.
 *
 * Ancestor: `twisted.internet._newtls._BypassTLS` and the startTLS of `twisted.internet.tcp`.
 */
import type { Deferred } from '../deferred/deferred.ts'
import type { Address } from './address.ts'
import { copy, type Data, toBytes } from './bytes.ts'
import { type ConnectionClosed, TLSError } from './errors.ts'
import type { StartTLSOptions } from './tls.ts'

export class TLSUpgrade {
  readonly options: StartTLSOptions
  readonly secured: Deferred<void>
  /** What was written since, which is not for everybody's eyes. */
  #held: Uint8Array[] = []
  #heldSize = 0
  /** The medium is shaking hands. */
  begun = false
  /** Why it failed, where that is known before the connection ends. */
  error: Error | undefined

  constructor(options: StartTLSOptions, secured: Deferred<void>) {
    this.options = options
    this.secured = secured
  }

  /** Bytes that wait until the connection is secure. */
  get heldSize(): number {
    return this.#heldSize
  }

  /** @returns how many bytes that were */
  hold(data: Data): number {
    const bytes = toBytes(data)
    this.#held.push(bytes === data ? copy(bytes) : bytes)
    this.#heldSize += bytes.length
    return bytes.length
  }

  /** Forgets what waits. @returns it, in order */
  drop(): readonly Uint8Array[] {
    const held = this.#held
    this.#held = []
    this.#heldSize = 0
    return held
  }

  /** The connection with `peer` has ended; what came before stays. */
  fail(peer: Address, reason: ConnectionClosed): void {
    if (this.secured.called) return
    const why = 'the connection ended before it was secure'
    this.secured.errback(this.error ?? new TLSError(peer, 'handshake', 'ERR_TLS_CLOSED', why, { cause: reason }))
  }
}
