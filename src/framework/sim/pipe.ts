/**
 * One direction of a simulated connection, as the two kernels see it: send buffer, wire, receive buffer.
 *
 * Bytes arrive in order, whole and once. The receiver's buffer is a window: what is on the wire and what it has not read
 * never exceed it, so a receiver that does not read holds the sender back. The end (FIN) travels behind the last byte.
 * Ancestor: `twisted.test.iosim.FakeTransport`, which has no buffers and so no backpressure.
 */
import type { Seq } from '../trace/hook.ts'
import type { Turn } from '../core/turn.ts'
import { SimEvent, type Timeline } from './timeline.ts'

/** What one end of a pipe is told. */
export interface PipeSender {
  readonly turn: Turn
  /** The send buffer has room again. */
  hasRoom(): void
}

/** What the other end of a pipe is told. */
export interface PipeReceiver {
  readonly turn: Turn
  /** Bytes are in the receive buffer. @returns the event of the trace */
  arrives(length: number, by: Seq | undefined): Seq | undefined
  /** The process reads a chunk. */
  reads(bytes: Uint8Array, arrived: Seq | undefined): void
  /** The process reads the end: nothing comes after it. */
  readsEnd(): void
  /** Bytes came, and nobody is there to read them any more. */
  refuses(): void
}

/** What a pipe is like. */
export interface PipeOptions {
  /** From one end to the other, in microseconds. */
  readonly latency: number
  /** How many bytes the send buffer holds. */
  readonly sendBuffer: number
  /** How many bytes the receive buffer holds. */
  readonly receiveBuffer: number
}

interface Segment {
  /** `undefined` is the end. */
  readonly bytes: Uint8Array | undefined
  /** When it arrives, in microseconds. */
  readonly due: number
  /** How many events of the instant in which it left led to it. */
  readonly depth: number
  readonly sent: Seq | undefined
}

interface Piece {
  bytes: Uint8Array
  readonly seq: Seq | undefined
}

/** The most bytes that are read at once, as in every kernel's default. */
const mostRead = 64 * 1024

export class Pipe {
  readonly #timeline: Timeline
  readonly #options: PipeOptions
  readonly #sender: PipeSender
  readonly #receiver: PipeReceiver

  readonly #unsent: Piece[] = []
  #held = 0
  readonly #wire: Segment[] = []
  readonly #unread: Piece[] = []
  /** Bytes on the wire and in the receive buffer. */
  #window = 0

  #end: 'none' | 'waits' | 'departed' | 'arrived' | 'read' = 'none'
  #reading = false
  #receiverGone = false

  readonly #arrival: SimEvent
  readonly #reads: SimEvent
  readonly #windowUpdate: SimEvent

  constructor(timeline: Timeline, options: PipeOptions, sender: PipeSender, receiver: PipeReceiver) {
    this.#timeline = timeline
    this.#options = options
    this.#sender = sender
    this.#receiver = receiver
    this.#arrival = new SimEvent(receiver.turn, () => this.#arrive())
    this.#reads = new SimEvent(receiver.turn, () => this.#readNext())
    this.#windowUpdate = new SimEvent(sender.turn, () => this.#openWindow())
  }

  /** How many of `length` bytes {@link send} would take. */
  roomFor(length: number): number {
    const { sendBuffer } = this.#options
    const free = sendBuffer - this.#held
    return isTooLittle(free, length, sendBuffer) ? 0 : Math.min(length, free, mostRead)
  }

  /** Whether bytes are in the receive buffer. */
  get hasUnread(): boolean {
    return this.#unread.length > 0
  }

  /** Takes bytes; their memory belongs to the pipe from now on. @param bytes no more than {@link roomFor} said */
  send(bytes: Uint8Array, seq: Seq | undefined): void {
    this.#unsent.push({ bytes, seq })
    this.#held += bytes.length
    this.#depart()
  }

  /** No more will be sent. */
  finish(): void {
    this.#end = 'waits'
    this.#depart()
  }

  /** The process reads what arrives, from a later event on. */
  startReading(): void {
    this.#reading = true
    this.#readSoon()
  }

  /** The process reads no more, for now. */
  stopReading(): void {
    this.#reading = false
    this.#timeline.cancel(this.#reads)
  }

  /** The receiver's socket is closed: what it has not read is lost, and what arrives from now on is refused. */
  closeReceiver(): void {
    this.#receiverGone = true
    this.#unread.length = 0
    this.stopReading()
  }

  /** What has not left the send buffer is lost. */
  clearUnsent(): void {
    this.#unsent.length = this.#held = 0
    this.#end = 'none'
    this.#timeline.cancel(this.#windowUpdate)
  }

  /** Everything that is under way is lost. */
  clear(): void {
    this.clearUnsent()
    this.#wire.length = this.#unread.length = 0
    this.stopReading()
    this.#timeline.cancel(this.#arrival)
  }

  #depart(): void {
    let piece = this.#unsent[0]
    while (piece !== undefined) {
      const { bytes, seq } = piece
      const open = this.#options.receiveBuffer - this.#window
      if (isTooLittle(open, bytes.length, this.#options.receiveBuffer)) return
      if (bytes.length <= open) {
        this.#unsent.shift()
        this.#onTheWire(bytes, seq)
      } else {
        piece.bytes = bytes.subarray(open)
        this.#onTheWire(bytes.subarray(0, open), seq)
      }
      piece = this.#unsent[0]
    }
    if (this.#end !== 'waits') return
    this.#end = 'departed'
    this.#onTheWire(undefined, undefined)
  }

  #onTheWire(bytes: Uint8Array | undefined, sent: Seq | undefined): void {
    const length = bytes?.length ?? 0
    this.#held -= length
    this.#window += length
    const { now, depth } = this.#timeline
    this.#wire.push({ bytes, due: now + this.#options.latency, depth, sent })
    if (!this.#arrival.due) this.#timeline.schedule(this.#arrival, this.#options.latency)
  }

  /** The head of the wire reaches the receiver's kernel. */
  #arrive(): void {
    const segment = this.#wire.shift()
    if (segment === undefined) return
    const next = this.#wire[0]
    if (next !== undefined) {
      // Segments that left one after the other, in no time, did not lead to each other.
      const depth = this.#options.latency === 0 ? next.depth + 1 : 0
      this.#timeline.schedule(this.#arrival, next.due - this.#timeline.now, depth)
    }
    const { bytes, sent } = segment
    if (bytes === undefined) this.#endArrives()
    else if (this.#receiverGone) this.#receiver.refuses()
    else this.#bytesArrive(bytes, this.#receiver.arrives(bytes.length, sent))
  }

  #bytesArrive(bytes: Uint8Array, seq: Seq | undefined): void {
    // A process that waits for them reads them at once: the same event, and no trip through the buffer.
    if (this.#reading && this.#unread.length === 0) this.#read(bytes, seq)
    else this.#unread.push({ bytes, seq })
  }

  #endArrives(): void {
    this.#end = 'arrived'
    if (this.#reading && this.#unread.length === 0) this.#readEnd()
  }

  /** The process, which is reading, gets the next chunk of the receive buffer, or the end. */
  #readNext(): void {
    const piece = this.#unread.shift()
    if (piece === undefined) this.#readEnd()
    else this.#read(piece.bytes, piece.seq)
  }

  #read(bytes: Uint8Array, seq: Seq | undefined): void {
    this.#window -= bytes.length
    if (this.#unsent.length > 0 && !this.#windowUpdate.due) {
      this.#timeline.schedule(this.#windowUpdate, this.#options.latency)
    }
    this.#receiver.reads(bytes, seq)
    this.#readSoon()
  }

  #readEnd(): void {
    this.#end = 'read'
    this.#receiver.readsEnd()
  }

  #readSoon(): void {
    if (!this.#reading || this.#reads.due) return
    if (this.#unread.length > 0 || this.#end === 'arrived') this.#timeline.schedule(this.#reads)
  }

  #openWindow(): void {
    this.#depart()
    this.#sender.hasRoom()
  }
}

/**
 * Whether it is better to wait until more of a buffer is free. Otherwise two buffers that are no multiples of each other
 * soon pass on single bytes: the silly window syndrome (RFC 813).
 */
function isTooLittle(free: number, wanted: number, buffer: number): boolean {
  return free < wanted && free * 2 < buffer
}
