/**
 * One direction of a simulated connection, as the two kernels see it: send buffer, wire, receive buffer.
 *
 * Bytes arrive in order, whole and once; what gets lost is sent again, and all behind it waits. The receiver's buffer is
 * a window: what is on the wire and what it has not read never exceed it, so a receiver that does not read holds the
 * sender back. The end (FIN) travels behind the last byte, and so does a reset. Ancestor:
 * `twisted.test.iosim.FakeTransport`, which has no buffers and so no backpressure.
 */
import type { Seq } from '../../trace/hook.ts'
import type { RandomStream } from '../random-stream.ts'
import { scrambled } from '../random-stream.ts'
import type { SimProcess } from '../sim-process.ts'
import { SimEvent, type Timeline } from '../timeline.ts'
import { type Fate, mostLosses, type Path, resendAfter } from './path.ts'
import { mostRead, ReceiveBuffer } from './receive-buffer.ts'

/** What one end of a pipe is told. */
export interface PipeSender {
  readonly process: SimProcess
  /** The send buffer has room again. */
  hasRoom(): void
  /** What was sent got lost too often: nobody answers any more. */
  timesOut(): void
  /** Something on the way resets the connection, and the other end knows nothing of it. */
  isReset(): void
}

/** What the other end of a pipe is told. */
export interface PipeReceiver {
  readonly process: SimProcess
  /** Bytes are in the receive buffer. @returns the event of the trace */
  arrives(length: number, by: Seq | undefined): Seq | undefined
  /** The process reads a chunk. */
  reads(bytes: Uint8Array, arrived: Seq | undefined): void
  /** The process reads the end: nothing comes after it. */
  readsEnd(): void
  /** Bytes came, and nobody is there to read them any more. */
  refuses(): void
  /** The sender's reset is here. */
  resets(): void
  /** Something on the way resets the connection, and the other end knows nothing of it. */
  isReset(): void
  /** Something that is not sent again got lost: whether the sender is still there is to be found out. */
  wonders(): void
}

/** Where a pipe is laid. */
export interface PipePlan {
  readonly timeline: Timeline
  /** The way that the bytes take, and the one that the acknowledgements take. */
  readonly there: Path
  readonly back: Path
  /** The connection's name. */
  readonly connection: string
  /** A number for it, the same in every world with this seed. */
  readonly key: number
  /** Decides about this pipe alone. */
  readonly random: () => RandomStream
}

interface Segment {
  readonly kind: 'data' | 'end' | 'reset'
  readonly bytes: Uint8Array | undefined
  /** When it arrives, in microseconds. */
  readonly due: number
  /** How many events of the instant in which it left led to it; -1 if it takes time. */
  readonly depth: number
  readonly sent: Seq | undefined
}

interface Piece {
  bytes: Uint8Array
  readonly seq: Seq | undefined
}

export class Pipe {
  readonly #timeline: Timeline
  readonly #plan: PipePlan
  readonly #path: Path
  readonly #sender: PipeSender
  readonly #receiver: PipeReceiver

  readonly #unsent: Piece[] = []
  #held = 0
  readonly #wire: Segment[] = []
  readonly #unread: ReceiveBuffer
  /** Bytes on the wire and in the receive buffer. */
  #window = 0
  /** How often the head of the wire got lost, and how often an acknowledgement did. */
  #losses = 0
  #lostBack = 0
  #lastDue = 0

  #end: 'none' | 'waits' | 'departed' | 'arrived' | 'read' = 'none'
  #reading = false
  #senderGone = false
  #receiverGone = false
  #reset = false
  /** So many bytes more, and the connection is cut. */
  #cutAfter = Infinity
  #cut: () => void = () => {}

  readonly #arrival: SimEvent
  readonly #reads: SimEvent
  readonly #acknowledgement: SimEvent

  constructor(plan: PipePlan, sender: PipeSender, receiver: PipeReceiver) {
    this.#timeline = plan.timeline
    this.#plan = plan
    this.#path = plan.there
    this.#sender = sender
    this.#receiver = receiver
    this.#unread = new ReceiveBuffer(plan.there, plan.random)
    this.#arrival = new SimEvent(receiver.process, 'kernel', scrambled(plan.key + 1), () => this.#arrive())
    this.#reads = new SimEvent(receiver.process, 'program', scrambled(plan.key + 2), () => this.#readNext())
    this.#acknowledgement = new SimEvent(sender.process, 'kernel', scrambled(plan.key + 3), () => this.#acknowledge())
  }

  /** How many of `length` bytes {@link send} would take. */
  roomFor(length: number): number {
    const { sendBuffer } = this.#path.terms
    const free = sendBuffer - this.#held
    return isTooLittle(free, length, sendBuffer) ? 0 : Math.min(length, free, mostRead)
  }

  /** Bytes in the send buffer. */
  get unsent(): number {
    return this.#held
  }

  /** Bytes in the receive buffer. */
  get unread(): number {
    return this.#unread.size
  }

  /** Whether something got lost, so that the sender waits for an answer. */
  get resends(): boolean {
    return this.#losses + this.#lostBack > 0
  }

  /** Whether the end was sent, whether it has arrived, and whether the process has heard of it. */
  get endSent(): boolean {
    return this.#end !== 'none'
  }

  get endArrived(): boolean {
    return this.#end === 'arrived' || this.#end === 'read'
  }

  get endRead(): boolean {
    return this.#end === 'read'
  }

  /** Takes bytes; their memory belongs to the pipe from now on. @param bytes no more than {@link roomFor} said */
  send(bytes: Uint8Array, seq: Seq | undefined): void {
    this.#unsent.push({ bytes, seq })
    this.#held += bytes.length
    this.#depart()
  }

  /** No more will be sent. */
  finish(): void {
    if (this.#end !== 'none' || this.#reset) return
    this.#end = 'waits'
    this.#depart()
  }

  /** What has not left is lost, and behind what is on the wire a reset travels. Once is enough. */
  reset(): void {
    this.clearUnsent()
    if (this.#reset) return
    this.#reset = true
    this.#senderGone = true
    // What got lost is not sent again, and a reset does not wait for it.
    if (this.#losses > 0) this.#wire.length = 0
    this.#onTheWire('reset', undefined, undefined)
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
    this.#readSoon()
  }

  /** The receiver's socket is closed: what it has not read is lost, and what arrives from now on is refused. */
  closeReceiver(): void {
    this.#receiverGone = true
    this.#unread.clear()
    this.stopReading()
  }

  /** Nobody sends again what gets lost from now on. */
  closeSender(): void {
    this.#senderGone = true
    this.clearUnsent()
  }

  /** What has not left the send buffer is lost. */
  clearUnsent(): void {
    this.#unsent.length = this.#held = 0
    if (this.#end === 'waits') this.#end = 'none'
    this.#timeline.cancel(this.#acknowledgement)
  }

  /** Everything that is under way is lost. */
  clear(): void {
    this.clearUnsent()
    this.#wire.length = this.#losses = this.#lostBack = 0
    this.#unread.clear()
    this.stopReading()
    this.#timeline.cancel(this.#arrival)
  }

  /** Lets so many bytes more arrive, and calls `cut` then. */
  cutAfter(bytes: number, cut: () => void): void {
    this.#cutAfter = bytes
    this.#cut = cut
  }

  #depart(): void {
    const { receiveBuffer, segmentSize } = this.#path.terms
    let piece = this.#unsent[0]
    while (piece !== undefined) {
      const { bytes, seq } = piece
      const open = receiveBuffer - this.#window
      if (isTooLittle(open, bytes.length, receiveBuffer)) return
      const length = Math.min(bytes.length, open, segmentSize)
      if (length === bytes.length) this.#unsent.shift()
      else piece.bytes = bytes.subarray(length)
      this.#held -= length
      this.#window += length
      this.#onTheWire('data', length === bytes.length ? bytes : bytes.subarray(0, length), seq)
      piece = this.#unsent[0]
    }
    if (this.#end !== 'waits') return
    this.#end = 'departed'
    this.#onTheWire('end', undefined, undefined)
  }

  #onTheWire(kind: Segment['kind'], bytes: Uint8Array | undefined, sent: Seq | undefined): void {
    const { now, depth } = this.#timeline
    const departs = Math.max(now, this.#sender.process.now)
    const arrival = this.#path.arrival(bytes?.length ?? 0, departs, this.#plan.random)
    const due = (this.#lastDue = Math.max(this.#lastDue, arrival))
    this.#wire.push({ kind, bytes, due, depth: due === now ? depth : -1, sent })
    if (this.#wire.length === 1) this.#timeline.schedule(this.#arrival, due - now)
  }

  /** The head of the wire reaches the receiver's kernel, unless something happens to it. */
  #arrive(): void {
    const segment = this.#wire[0]
    if (segment === undefined) return
    if (!this.#path.clear) {
      const { kind, bytes } = segment
      const fate = this.#path.fate(kind, this.#plan.connection, bytes, this.#losses, this.#plan.random)
      if (fate !== 'arrives') {
        this.#stray(segment, fate)
        return
      }
    }
    this.#losses = 0
    this.#nextSegment()
    const { kind, bytes, sent } = segment
    if (kind === 'reset') this.#receiver.resets()
    else if (kind === 'end') this.#endArrives()
    else if (bytes !== undefined) this.#bytesArrive(bytes, sent)
    if (kind !== 'reset' && !this.#plan.back.clear && !this.#acknowledgement.due && !this.#senderGone) this.#answer()
  }

  /** The head of the wire has left it, and the one behind it comes. */
  #nextSegment(): void {
    this.#wire.shift()
    const next = this.#wire[0]
    if (next === undefined) return
    // Segments that left one after the other, in no time, did not lead to each other.
    const { now } = this.#timeline
    this.#timeline.schedule(this.#arrival, Math.max(next.due - now, 0), next.due > now ? 0 : next.depth + 1)
  }

  #stray({ kind }: Segment, fate: Fate): void {
    if (fate === 'held') {
      this.#path.whenReleased(() => {
        if (this.#wire.length > 0 && !this.#arrival.due) this.#timeline.schedule(this.#arrival)
      })
    } else if (fate === 'reset') {
      this.#receiver.isReset()
      this.#sender.isReset()
    } else if (this.#senderGone || kind === 'reset') {
      // Nobody sends it again, so what is behind it cannot be delivered either, but for a reset. If the other side ever
      // sends something, or asks, it will be told.
      if (kind === 'reset') this.#reset = false
      const [reset] = this.#wire.splice(0).filter((segment) => segment.kind === 'reset' && kind !== 'reset')
      if (reset !== undefined) {
        this.#wire.push(reset)
        this.#timeline.schedule(this.#arrival, Math.max(reset.due - this.#timeline.now, 0))
      }
      this.#receiver.wonders()
    } else if (++this.#losses > mostLosses) {
      this.#sender.timesOut()
    } else {
      this.#timeline.schedule(this.#arrival, resendAfter(this.#losses) + this.#path.latency)
    }
  }

  #bytesArrive(bytes: Uint8Array, sent: Seq | undefined): void {
    if (this.#receiverGone) {
      this.#receiver.refuses()
      return
    }
    this.#cutAfter -= bytes.length
    const rest = this.#cutAfter < 0 ? bytes.subarray(0, bytes.length + this.#cutAfter) : bytes
    if (rest.length > 0) {
      const seq = this.#receiver.arrives(rest.length, sent)
      // A process that waits for them reads them at once: the same event, and no trip through the buffer.
      const atOnce = this.#reading && this.#receiver.process.ready && this.#unread.isBypassed
      if (atOnce) this.#read(rest, seq)
      else this.#unread.add(rest, seq)
      if (!atOnce) this.#readSoon()
    }
    if (this.#cutAfter <= 0) this.#cut()
  }

  #endArrives(): void {
    this.#end = 'arrived'
    if (this.#reading && this.#unread.size === 0 && this.#receiver.process.ready) this.#readEnd()
    else this.#readSoon()
  }

  /** The process, which is reading, gets the next chunk of the receive buffer, or the end. */
  #readNext(): void {
    if (this.#unread.size === 0) this.#readEnd()
    else this.#read(this.#unread.take(), this.#unread.takenSeq)
  }

  #read(bytes: Uint8Array, seq: Seq | undefined): void {
    this.#timeline.fold(bytes.length)
    this.#window -= bytes.length
    if (this.#unsent.length > 0 && !this.#acknowledgement.due) this.#answer()
    this.#receiver.reads(bytes, seq)
    this.#readSoon()
  }

  #readEnd(): void {
    this.#end = 'read'
    this.#receiver.readsEnd()
  }

  #readSoon(): void {
    if (this.#receiverGone || this.#reads.due) return
    const isOver = this.#unread.size === 0 && this.#end === 'arrived'
    const reads = this.#reading || (isOver && this.#path.terms.ends === 'at once')
    if (reads && (isOver || this.#unread.size > 0)) this.#timeline.schedule(this.#reads)
  }

  #answer(): void {
    this.#timeline.schedule(this.#acknowledgement, this.#plan.back.latency)
  }

  /** The sender learns what has arrived, and how much it may send. */
  #acknowledge(): void {
    const { back, connection, random } = this.#plan
    const fate = back.clear ? 'arrives' : back.fate('acknowledgement', connection, undefined, this.#lostBack, random)
    if (fate === 'lost') {
      if (++this.#lostBack > mostLosses) this.#sender.timesOut()
      else this.#timeline.schedule(this.#acknowledgement, resendAfter(this.#lostBack) + back.latency)
    } else if (fate === 'held') {
      back.whenReleased(() => {
        if (!this.#acknowledgement.due && !this.#senderGone) this.#timeline.schedule(this.#acknowledgement)
      })
    } else {
      this.#lostBack = 0
      this.#depart()
      this.#sender.hasRoom()
    }
  }
}

/**
 * Whether it is better to wait until more of a buffer is free. Otherwise two buffers that are no multiples of each other
 * soon pass on single bytes: the silly window syndrome (RFC 813).
 */
function isTooLittle(free: number, wanted: number, buffer: number): boolean {
  return free < wanted && free * 2 < buffer
}
