/**
 * One end of a simulated TCP connection: a StreamConnection whose kernel is two pipes.
 *
 * It does what Linux does: the end travels behind the data, a reset overtakes and destroys it, closing with unread input
 * resets, and so does writing to a socket that is closed. Ancestor: `twisted.test.iosim.FakeTransport`.
 */
import type { IPAddress } from '../core/address.ts'
import { withoutStack } from '../core/errors.ts'
import { type ConnectionLimits, StreamConnection } from '../core/stream-connection.ts'
import type { Turn } from '../core/turn.ts'
import type { Seq } from '../trace/hook.ts'
import { Pipe, type PipeOptions, type PipeReceiver, type PipeSender } from './pipe.ts'
import type { SimReactor } from './sim-reactor.ts'
import { SimEvent, type Timeline } from './timeline.ts'

/** What an end needs to know besides its addresses. */
export interface SimConnectionOptions {
  readonly limits: ConnectionLimits
  /** Called last of all, after `connectionLost`. */
  readonly ended: () => void
}

export class SimConnection extends StreamConnection implements PipeSender, PipeReceiver {
  readonly #timeline: Timeline
  /** The pipes there and back; set by {@link join}. */
  #out!: Pipe
  #in!: Pipe
  #latency = 0

  /** What {@link transmit} was given and the send buffer had no room for. */
  #pieces: readonly Uint8Array[] = []
  #piece = 0
  #offset = 0

  /** The socket is closed, or was reset by either side. */
  #gone = false
  readonly #finished: SimEvent
  readonly #closed: SimEvent
  /** Our reset reaches the far end; it happens there. */
  #reset!: SimEvent
  #resetSent = false

  constructor(
    timeline: Timeline,
    reactor: SimReactor,
    host: IPAddress,
    peer: IPAddress,
    { limits, ended }: SimConnectionOptions,
  ) {
    super(reactor, host, peer, limits, ended)
    this.#timeline = timeline
    this.#finished = new SimEvent(reactor.turn, () => this.finished())
    this.#closed = new SimEvent(reactor.turn, () => this.closed())
  }

  /** Lays the pipes between two ends. */
  static join(one: SimConnection, other: SimConnection, there: PipeOptions, back: PipeOptions): void {
    const timeline = one.#timeline
    one.#out = other.#in = new Pipe(timeline, there, one, other)
    other.#out = one.#in = new Pipe(timeline, back, other, one)
    one.#latency = there.latency
    other.#latency = back.latency
    one.#reset = new SimEvent(other.turn, () => other.#resetArrives())
    other.#reset = new SimEvent(one.turn, () => one.#resetArrives())
  }

  get turn(): Turn {
    return this.reactor.turn
  }

  /* ---------------------------------------------------------------- what StreamConnection asks for */

  protected override startReading(): void {
    this.#in.startReading()
  }

  protected override stopReading(): void {
    this.#in.stopReading()
  }

  protected override transmit(pieces: readonly Uint8Array[]): boolean {
    this.#pieces = pieces
    this.#piece = this.#offset = 0
    return this.#fill()
  }

  protected override finish(): void {
    this.#out.finish()
    this.#timeline.schedule(this.#finished)
  }

  protected override close(): void {
    this.#goneWith(this.#in.hasUnread)
  }

  protected override reset(): void {
    this.#goneWith(true)
  }

  /* ---------------------------------------------------------------- what the pipes say */

  hasRoom(): void {
    if (this.#pieces.length > 0 && this.#fill()) this.transmitted()
  }

  arrives(length: number, by: Seq | undefined): Seq | undefined {
    return this.arrived(length, by)
  }

  reads(bytes: Uint8Array, arrived: Seq | undefined): void {
    this.received(bytes, arrived)
  }

  readsEnd(): void {
    this.peerFinished()
  }

  refuses(): void {
    this.#sendReset()
  }

  /* ---------------------------------------------------------------- the kernel */

  /** Copies into the send buffer what it has room for. @returns whether that was all */
  #fill(): boolean {
    for (;;) {
      const length = this.#out.roomFor(this.#remaining())
      if (length === 0) break
      this.#out.send(this.#take(length), this.progressed(length))
    }
    if (this.#piece < this.#pieces.length) return false
    this.#pieces = []
    return true
  }

  #remaining(): number {
    let length = -this.#offset
    for (let index = this.#piece; index < this.#pieces.length; index++) length += this.#pieces[index]!.length
    return length
  }

  /** The next `length` bytes, in memory of their own: the sender will use its own again. */
  #take(length: number): Uint8Array {
    const taken = new Uint8Array(length)
    let filled = 0
    while (filled < length) {
      const piece = this.#pieces[this.#piece]!
      const part = Math.min(piece.length - this.#offset, length - filled)
      taken.set(part === piece.length ? piece : piece.subarray(this.#offset, this.#offset + part), filled)
      filled += part
      this.#offset += part
      if (this.#offset < piece.length) break
      this.#piece++
      this.#offset = 0
    }
    return taken
  }

  #goneWith(reset: boolean): void {
    if (this.#gone) return
    if (reset) this.#sendReset()
    this.#leave()
    this.#timeline.schedule(this.#closed)
  }

  /** The socket is the process's no more; what is in the send buffer still goes its way. */
  #leave(): void {
    this.#gone = true
    this.#pieces = []
    this.#timeline.cancel(this.#finished)
    this.#in.closeReceiver()
  }

  /** It arrives behind what is on the wire, and destroys all that has not been read by then. */
  #sendReset(): void {
    this.#out.clearUnsent()
    if (this.#resetSent) return
    this.#resetSent = true
    this.#timeline.schedule(this.#reset, this.#latency)
  }

  #resetArrives(): void {
    this.#in.clear()
    this.#out.clear()
    if (this.#gone) return
    this.#leave()
    this.failed(withoutStack(() => new ResetByPeer()))
    this.closed()
  }
}

/** What the kernel says when the peer's reset arrives; the `cause` of the ConnectionLost. */
class ResetByPeer extends Error {
  static {
    this.prototype.name = 'ResetByPeer'
  }
  readonly code = 'ECONNRESET'

  constructor() {
    super('connection reset by peer')
  }
}
