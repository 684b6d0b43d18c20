/**
 * A connection over pipes of Node's: one that is read, and perhaps another one that is written to.
 *
 * A reader who goes is no error here, other than on a socket: what is still written goes nowhere, and what comes is
 * heard to its end. Ancestors: `ProcessReader` and `ProcessWriter` of `twisted.internet.process`.
 */
import type { Readable, Writable } from 'node:stream'
import type { Address } from '../core/address.ts'
import type { DelayedCall } from '../core/clock.ts'
import type { Reactor } from '../core/reactor.ts'
import { type ConnectionLimits, StreamConnection } from '../core/stream-connection.ts'
import { inHandle } from './in-handle.ts'
import { whyLost } from './system-errors.ts'

export class PipeConnection extends StreamConnection {
  readonly #input: Readable
  readonly #output: Writable | undefined
  #reads = false
  /** We have closed the input, and not the other pipe. */
  #inputCut = false
  /** Nobody takes what is written: all was sent and the pipe ended, or its reader has gone. */
  #outputOver = false
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
    input: Readable,
    output?: Writable,
  ) {
    super(reactor, host, peer, limits)
    this.#input = input
    this.#output = output
    // A listener for 'data' would start the flow, unless it is stopped before.
    input.pause()
    input.on('data', (chunk: Buffer) => this.#take(chunk))
    input.on('end', () => {
      this.#listenOn()
      this.peerFinished()
    })
    input.on('error', (error) => this.failed(error, whyLost(error)))
    input.on('close', () => this.#inputClosed())
    output?.on('finish', () => this.#outputEnded())
    output?.on('error', (error) => this.outputFailed(error))
    output?.on('close', () => {
      if (!this.#closing) this.#outputEnded()
      this.settle()
    })
  }

  /** Reads no more: whoever writes there finds it closed. The protocol is told that the input has ended. */
  closeInput(): void {
    if (this.#input.readableEnded || this.#input.destroyed) return
    this.#inputCut = true
    this.#input.destroy()
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
    this.#input.resume()
    this.#listenOn()
  }

  protected override stopReading(): void {
    this.#reads = false
    this.#input.pause()
    this.#listenOn()
  }

  protected override transmit(pieces: readonly Uint8Array[]): boolean {
    const output = this.#output
    if (output === undefined || this.#outputOver) return true
    let waits = false
    // One piece, in memory of its own: the scratch that small writes are gathered in is needed again.
    output.write(Buffer.concat(pieces), (error) => {
      if (waits && !error) this.transmitted()
    })
    waits = output.writableLength > 0
    return !waits
  }

  protected override stillInFlight(): number {
    return (this.#output && inHandle(this.#output)) ?? super.stillInFlight()
  }

  protected override finish(): void {
    if (this.#output === undefined) this.reactor.turn.soon(() => this.finished())
    else this.#output.end()
  }

  protected override close(): void {
    this.#closing = true
    this.#listenOn()
    this.#input.destroy()
    this.#output?.destroy()
    this.settle()
  }

  protected override reset(): void {
    this.close()
  }

  /** Whoever read what we write has gone. */
  protected outputFailed(_error: Error): void {
    this.#outputEnded()
  }

  /** The connection is over once its pipes are closed. */
  protected settle(): void {
    if (!this.#closing || !this.#input.closed || this.#output?.closed === false || this.#settled) return
    this.#settled = true
    this.reactor.turn.soon(() => this.closed())
  }

  #take(chunk: Buffer): void {
    if (this.#reads) {
      this.#listenOn()
      this.received(chunk)
    } else {
      // When a child process has ended, Node resumes its pipes, whoever has paused them.
      this.#input.pause()
      this.#input.unshift(chunk)
    }
  }

  #outputEnded(): void {
    if (this.#outputOver) return
    this.#outputOver = true
    if (this.queued > 0) this.transmitted()
    this.finished()
  }

  #inputClosed(): void {
    if (!this.#input.readableEnded && !this.#inputCut && !this.#closing) {
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
    if (!this.#reads || this.#closing || this.#input.destroyed || this.#input.readableEnded) return
    const silence = (this.#silence = this.reactor.callLater(this.#patience, () => {
      // Timers come before what has arrived: after a long turn there may be something.
      this.reactor.turn.soon(() => {
        if (this.#silence === silence) this.closeInput()
      })
    }))
  }
}
