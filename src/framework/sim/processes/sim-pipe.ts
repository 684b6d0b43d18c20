/**
 * A pipe between two processes of a simulated host, and its two ends: one is read, the other one written to, perhaps by
 * several processes that have inherited it.
 *
 * A reader finds the end when the last writer has gone; a writer finds out that its reader has gone when it writes
 * (EPIPE). No ancestor: Twisted's fakes know no processes.
 */
import { withoutStack } from '../../core/errors.ts'
import type { InputListener, OutputListener, PipeInput, PipeOutput } from '../../core/pipe-connection.ts'
import type { Seq } from '../../trace/hook.ts'
import { Outgoing } from '../network/outgoing.ts'
import type { Path } from '../network/path.ts'
import { Pipe, type PipeReceiver, type PipeSender } from '../network/pipe.ts'
import { type RandomStream, scrambled } from '../random-stream.ts'
import type { Descriptor, SimProcess } from '../sim-process.ts'
import { SimEvent, type Timeline } from '../timeline.ts'

/** What a pipe is made of. */
export interface SimPipePlan {
  readonly timeline: Timeline
  /** What the kernel's buffers are like. Nothing gets lost in a pipe, and nothing takes time. */
  readonly path: Path
  /** Its name and a number for it, the same in every world with this seed. */
  readonly name: string
  readonly key: number
  readonly random: () => RandomStream
}

/** Both ends, each of which belongs to a process. */
export class SimPipe implements PipeSender {
  /** Who reads. */
  readonly input: SimPipeInput
  /** The process that made its first writing end. */
  readonly process: SimProcess
  readonly #plan: SimPipePlan
  readonly #pipe: Pipe
  readonly #outputs = new Set<SimPipeOutput>()
  #count = 0
  #readerGone = false

  constructor(plan: SimPipePlan, writer: SimProcess, reader: SimProcess) {
    const { timeline, path, name: connection, key, random } = plan
    this.#plan = plan
    this.process = writer
    this.input = new SimPipeInput(timeline, reader, scrambled(key + 1), () => this.#readerHasGone())
    this.#pipe = new Pipe({ timeline, there: path, back: path, connection, key, random }, this, this.input)
    this.input.pipe = this.#pipe
  }

  /** A writing end for a process. @param told whether the trace is told which bytes those are that arrive */
  output(writer: SimProcess, told: boolean): SimPipeOutput {
    const key = scrambled(this.#plan.key + 2 + this.#count++)
    const output = new SimPipeOutput(this, this.#pipe, { timeline: this.#plan.timeline, process: writer, key, told })
    this.#outputs.add(output)
    return output
  }

  /** Bytes that were written and not read. */
  get held(): number {
    return this.input.unread
  }

  get readerGone(): boolean {
    return this.#readerGone
  }

  /** One of those who write has closed its end. */
  left(output: SimPipeOutput): void {
    if (this.#outputs.delete(output) && this.#outputs.size === 0 && !this.#readerGone) this.#pipe.finish()
  }

  hasRoom(): void {
    for (const output of this.#outputs) output.hasRoom()
  }

  #readerHasGone(): void {
    this.#readerGone = true
    this.#pipe.closeReceiver()
    this.#pipe.clear()
    for (const output of this.#outputs) output.breaks()
  }

  // What happens on networks does not happen in pipes.
  timesOut(): void {}
  isReset(): void {}
}

export class SimPipeInput implements PipeInput, PipeReceiver, Descriptor {
  readonly process: SimProcess
  /** Set by the pipe. */
  pipe!: Pipe
  readonly #timeline: Timeline
  readonly #gone: () => void
  readonly #closed: SimEvent
  #listener: InputListener | undefined

  constructor(timeline: Timeline, process: SimProcess, key: number, gone: () => void) {
    this.process = process
    this.#timeline = timeline
    this.#gone = gone
    this.#closed = new SimEvent(process, 'program', key, () => this.#listener?.closed())
    process.descriptors.add(this)
  }

  tell(listener: InputListener): void {
    this.#listener = listener
  }

  /** Bytes that were written there and not read. */
  get unread(): number {
    return this.pipe.unsent + this.pipe.unread
  }

  start(): void {
    this.pipe.startReading()
  }

  stop(): void {
    this.pipe.stopReading()
  }

  close(): void {
    if (!this.process.descriptors.has(this)) return
    this.abandon()
    this.#timeline.schedule(this.#closed)
  }

  abandon(): void {
    if (this.process.descriptors.delete(this)) this.#gone()
  }

  arrives(length: number, by: Seq | undefined): Seq | undefined {
    return this.#listener?.arrived(length, by)
  }

  reads(bytes: Uint8Array, arrived: Seq | undefined): void {
    this.#listener?.received(bytes, arrived)
  }

  readsEnd(): void {
    this.#listener?.ended()
  }

  // What happens on networks does not happen in pipes.
  refuses(): void {}
  resets(): void {}
  isReset(): void {}
  wonders(): void {}
}

/** Whose end this is. */
interface OutputPlan {
  readonly timeline: Timeline
  readonly process: SimProcess
  readonly key: number
  readonly told: boolean
}

export class SimPipeOutput implements PipeOutput, Descriptor {
  /** How much of it has left is told as it leaves. */
  readonly unsent = undefined
  readonly process: SimProcess
  readonly #timeline: Timeline
  readonly #pipe: SimPipe
  readonly #outgoing: Outgoing
  readonly #finished: SimEvent
  readonly #failed: SimEvent
  readonly #closed: SimEvent
  #listener: OutputListener | undefined
  #waits = false
  #atFinish: () => void = () => {}

  constructor(pipe: SimPipe, kernel: Pipe, { timeline, process, key, told }: OutputPlan) {
    this.process = process
    this.#timeline = timeline
    this.#pipe = pipe
    this.#outgoing = new Outgoing(kernel, (length) => {
      const seq = this.#listener?.progressed(length)
      return told ? seq : undefined
    })
    this.#finished = new SimEvent(process, 'program', scrambled(key + 1), () => this.#listener?.finished())
    this.#failed = new SimEvent(process, 'program', scrambled(key + 2), () => {
      this.#listener?.failed(
        withoutStack(() => new BrokenPipe()),
        'nobody reads what we write any more',
      )
    })
    this.#closed = new SimEvent(process, 'program', scrambled(key + 3), () => this.#listener?.closed())
    process.descriptors.add(this)
  }

  get pipe(): SimPipe {
    return this.#pipe
  }

  tell(listener: OutputListener): void {
    this.#listener = listener
  }

  send(pieces: readonly Uint8Array[], then: () => void): boolean {
    // The program has died, and what is left of it writes.
    if (!this.process.descriptors.has(this)) return true
    this.#waits = true
    if (this.#pipe.readerGone) {
      this.breaks()
      return false
    }
    const sent = this.#outgoing.send(pieces, () => {
      this.#waits = false
      then()
    })
    this.#waits = !sent
    return sent
  }

  finish(): void {
    this.#leave()
    this.#timeline.schedule(this.#finished)
  }

  close(): void {
    this.#leave()
    this.#timeline.cancel(this.#finished)
    this.#timeline.schedule(this.#closed)
  }

  abandon(): void {
    this.#leave()
    this.#timeline.cancel(this.#finished)
  }

  /** Calls `f` when all was sent and nothing comes after it, or when nobody reads there any more; or now. */
  whenFinished(f: () => void): void {
    if (!this.process.descriptors.has(this) || this.#pipe.readerGone) f()
    else this.#atFinish = f
  }

  hasRoom(): void {
    this.#outgoing.hasRoom()
  }

  /** Nobody reads any more: whoever has something to write is told so. */
  breaks(): void {
    if (!this.#waits) return
    this.#waits = false
    this.#outgoing.clear()
    this.#timeline.schedule(this.#failed)
    this.#atFinish()
  }

  #leave(): void {
    if (!this.process.descriptors.delete(this)) return
    this.#outgoing.clear()
    this.#timeline.cancel(this.#failed)
    this.#pipe.left(this)
    this.#atFinish()
  }
}

/** What the kernel says to who writes where nobody reads. */
class BrokenPipe extends Error {
  static {
    this.prototype.name = 'BrokenPipe'
  }
  readonly code = 'EPIPE'

  constructor() {
    super('broken pipe')
  }
}
