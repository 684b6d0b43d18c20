/**
 * A protocol that writes down everything it is told, and everything about that which breaks the rules. For tests of
 * transports.
 *
 * Ancestor: `twisted.internet.test.connectionmixins.ConnectableProtocol`; the complaints are ours.
 */
import { join, toText } from '../core/bytes.ts'
import type { ConnectionClosed } from '../core/errors.ts'
import { type Hook, Protocol } from '../core/protocol.ts'

/** What a {@link Witness} does when it is told something. */
export interface WitnessScript {
  /** In `connectionMade`. */
  made?(self: Witness): Hook
  /** In `dataReceived`. */
  data?(self: Witness, chunk: Uint8Array): Hook
  /** In `connectionLost`. */
  lost?(self: Witness, reason: ConnectionClosed): Hook
  /** Asked at the peer's end: a complaint about the input, or nothing. */
  ended?(self: Witness): Error | void
  /** With it the witness has a `readConnectionLost`, and keeps the connection when the peer has ended. */
  readLost?(self: Witness): Hook
  /** In `writeConnectionLost`. */
  writeLost?(self: Witness): Hook
  /** With it the witness has a `stopping`, and is not closed when it is asked to stop. */
  stopping?(self: Witness): Hook
}

/** @inline */
type Call = 'made' | 'data' | 'inputEnded' | 'readLost' | 'writeLost' | 'stopping' | 'lost'

/**
 * @example
 * const near = new Witness({ made: (self) => self.transport.write('hello') })
 * connection.deliverTo(near)
 * // … later
 * expect([near.calls, near.complaints]).toEqual([['made', 'data', 'inputEnded', 'lost'], []])
 */
export class Witness extends Protocol {
  /** The hooks that were called, data only once in a row. */
  readonly calls: Call[] = []
  /** What arrived, chunk by chunk. */
  readonly chunks: Uint8Array[] = []
  /** How many bytes arrived. */
  size = 0
  /** Why the connection ended, as soon as it has. */
  reason: ConnectionClosed | undefined
  /** Calls that came in a wrong order, twice, one inside another, or during a pause. */
  readonly complaints: string[] = []
  readonly #script: WitnessScript
  #inside: Call | undefined

  constructor(script: WitnessScript = {}) {
    super()
    this.#script = script
    this.inputEnded = () => this.#note('inputEnded', () => script.ended?.(this) ?? undefined)
    if (script.readLost) this.readConnectionLost = () => this.#note('readLost', () => script.readLost?.(this))
    if (script.writeLost) this.writeConnectionLost = () => this.#note('writeLost', () => script.writeLost?.(this))
    if (script.stopping) this.stopping = () => this.#note('stopping', () => script.stopping?.(this))
  }

  /** All that arrived. */
  get bytes(): Uint8Array {
    return join(this.chunks)
  }

  /** The same as text. */
  get text(): string {
    return toText(this.bytes)
  }

  /** How often it was told that its connection is lost. */
  get losses(): number {
    return this.calls.filter((call) => call === 'lost').length
  }

  override connectionMade(): Hook {
    return this.#note('made', () => this.#script.made?.(this))
  }

  override dataReceived(chunk: Uint8Array): Hook {
    if (chunk.length === 0) this.complaints.push('an empty chunk')
    this.chunks.push(chunk)
    this.size += chunk.length
    return this.#note('data', () => this.#script.data?.(this, chunk))
  }

  override connectionLost(reason: ConnectionClosed): Hook {
    this.reason = reason
    return this.#note('lost', () => this.#script.lost?.(this, reason))
  }

  #note<T>(call: Call, then: () => T): T {
    this.#complain(call)
    if (call !== 'data' || this.calls.at(-1) !== 'data') this.calls.push(call)
    const outside = this.#inside
    this.#inside = call
    try {
      return then()
    } finally {
      this.#inside = outside
    }
  }

  #complain(call: Call): void {
    const before = this.calls
    const wrong = (what: string): void => {
      this.complaints.push(`${call} ${what}, after ${before.join(' ') || 'nothing'}`)
    }
    if (this.#inside !== undefined) wrong(`inside ${this.#inside}`)
    if (before.includes('lost')) wrong('after the end')
    if (before.length === 0 && call !== 'made') wrong('before connectionMade')
    if (call !== 'data' && before.includes(call)) wrong('a second time')
    if (call === 'data' && before.includes('inputEnded')) wrong('after the end of input')
    if ((call === 'data' || call === 'inputEnded') && this.transport.paused) wrong('during a pause')
  }
}
