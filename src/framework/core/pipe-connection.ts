/**
 * A connection over pipes: one that is read, and perhaps another one that is written to.
 *
 * A reader who goes is no error here, other than on a socket: what is still written goes nowhere, and what comes is
 * heard to its end. Each reactor has pipes of its own; what they mean is written here once. Ancestors: `ProcessReader`
 * and `ProcessWriter` of `twisted.internet.process`.
 */
import type { Seq } from '../trace/hook.ts'
import type { Address } from './address.ts'
import type { DelayedCall } from './clock.ts'
import type { Reactor } from './reactor.ts'
import { type ConnectionLimits, StreamConnection } from './stream-connection.ts'

/** What the pipe that is read tells its connection. */
export interface InputListener {
  /** Bytes are here, and will be received. For pipes that can tell. */
  arrived(length: number, by: Seq | undefined): Seq | undefined
  /** A chunk, 1 byte or more. Only between {@link PipeInput.start} and {@link PipeInput.stop}. */
  received(chunk: Uint8Array, arrived?: Seq): void
  /** Whoever could write there has closed it, and all was received. */
  ended(): void
  /** It broke, and will be closed. @param why what that means, for people */
  failed(error: Error, why: string): void
  /** It is closed. Called last of all, and never from inside of a call. */
  closed(): void
}

/** The end of a pipe that is read. */
export interface PipeInput {
  /** From now on `listener` is told. Called once, first of all. */
  tell(listener: InputListener): void
  start(): void
  stop(): void
  /** Reads no more: whoever writes there finds it closed. */
  close(): void
}

/** What the pipe that is written to tells its connection. */
export interface OutputListener {
  /** So many bytes of what was to be sent have left. For pipes that can tell. */
  progressed(length: number): Seq | undefined
  /** Everything has left, and the pipe is finished. */
  finished(): void
  /** Nobody reads there any more. @param why what that means, for people */
  failed(error: Error, why: string): void
  /** It is closed. Called last of all, and never from inside of a call. */
  closed(): void
}

/** The end of a pipe that is written to. */
export interface PipeOutput {
  /** From now on `listener` is told. Called once, first of all. */
  tell(listener: OutputListener): void
  /** @returns true if all of it has left; otherwise `then` is called when it has */
  send(pieces: readonly Uint8Array[], then: () => void): boolean
  /** Bytes of what {@link send} was given that have not left, if that can be known. */
  readonly unsent: number | undefined
  /** Everything was sent: whoever reads there finds its end. */
  finish(): void
  /** What has not left is dropped. */
  close(): void
}

export class PipeConnection extends StreamConnection {
  readonly #input: PipeInput
  readonly #output: PipeOutput | undefined
  #reads = false
  #inputEnded = false
  /** We have closed the input, and not the other pipe. */
  #inputCut = false
  #inputClosed = false
  /** Nobody takes what is written: all was sent and the pipe ended, or its reader has gone. */
  #outputOver = false
  #outputClosed: boolean
  /** Both pipes were told to close. */
  #closing = false
  #settled = false
  /** Milliseconds of silence after which the input is closed, once those who should write there have gone. */
  #patience: number | undefined
  #silence: DelayedCall | undefined

  /** @param output left out, nothing can be written, and our direction is over whenever that is asked for */
  constructor(
    reactor: Reactor,
    host: Address,
    peer: Address,
    limits: ConnectionLimits,
    input: PipeInput,
    output?: PipeOutput,
  ) {
    super(reactor, host, peer, limits)
    this.#input = input
    this.#output = output
    this.#outputClosed = output === undefined
    input.tell({
      arrived: (length, by) => this.arrived(length, by),
      received: (chunk, arrived) => {
        this.#listenOn()
        this.received(chunk, arrived)
      },
      ended: () => {
        this.#inputEnded = true
        this.#listenOn()
        this.peerFinished()
      },
      failed: (error, why) => this.failed(error, why),
      closed: () => this.#inputHasClosed(),
    })
    output?.tell({
      progressed: (length) => this.progressed(length),
      finished: () => this.#outputEnded(),
      failed: (error, why) => this.outputFailed(error, why),
      closed: () => {
        this.#outputClosed = true
        if (!this.#closing) this.#outputEnded()
        this.settle()
      },
    })
  }

  /** Reads no more: whoever writes there finds it closed. The protocol is told that the input has ended. */
  closeInput(): void {
    if (this.#inputIsOver) return
    this.#inputCut = true
    this.#listenOn()
    this.#input.close()
    this.reactor.turn.soon(() => this.peerFinished())
  }

  /** Whoever should write here has gone. What others still write is heard, until nothing has come for `ms`. */
  closeInputAfterSilence(ms: number): void {
    this.#patience = ms
    this.#listenOn()
  }

  /** Whether both pipes were told to close. */
  protected get closing(): boolean {
    return this.#closing
  }

  protected override startReading(): void {
    this.#reads = true
    this.#input.start()
    this.#listenOn()
  }

  protected override stopReading(): void {
    this.#reads = false
    this.#input.stop()
    this.#listenOn()
  }

  protected override transmit(pieces: readonly Uint8Array[]): boolean {
    if (this.#output === undefined || this.#outputOver) return true
    return this.#output.send(pieces, () => this.transmitted())
  }

  protected override stillInFlight(): number {
    return this.#output?.unsent ?? super.stillInFlight()
  }

  protected override finish(): void {
    if (this.#output === undefined) this.reactor.turn.soon(() => this.finished())
    else this.#output.finish()
  }

  protected override close(): void {
    this.#closing = true
    this.#listenOn()
    this.#input.close()
    this.#output?.close()
    this.settle()
  }

  protected override reset(): void {
    this.close()
  }

  /** Whoever read what we write has gone. */
  protected outputFailed(_error: Error, _why: string): void {
    this.#outputEnded()
  }

  /** The connection is over once its pipes are closed. */
  protected settle(): void {
    if (!this.#closing || !this.#inputClosed || !this.#outputClosed || this.#settled) return
    this.#settled = true
    this.reactor.turn.soon(() => this.closed())
  }

  get #inputIsOver(): boolean {
    return this.#inputEnded || this.#inputCut || this.#inputClosed
  }

  #outputEnded(): void {
    if (this.#outputOver) return
    this.#outputOver = true
    this.stopProducer()
    if (this.queued > 0) this.transmitted()
    this.finished()
  }

  #inputHasClosed(): void {
    this.#inputClosed = true
    if (!this.#inputEnded && !this.#inputCut && !this.#closing) {
      this.failed(new Error('the pipe was closed before it had ended'))
      this.close()
    }
    this.settle()
  }

  /** Silence is counted while we listen, from the last that was heard. */
  #listenOn(): void {
    if (this.#patience === undefined) return
    if (this.#silence?.active() === true) this.#silence.cancel()
    this.#silence = undefined
    if (!this.#reads || this.#closing || this.#inputIsOver) return
    const silence = (this.#silence = this.reactor.callLater(this.#patience, () => {
      // Timers come before what has arrived: after a long turn there may be something.
      this.reactor.turn.soon(() => {
        if (this.#silence === silence) this.closeInput()
      })
    }))
  }
}
