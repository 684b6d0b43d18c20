/**
 * The pipes of Node, which are streams, as a PipeConnection wants its pipes.
 *
 * No ancestor: Twisted reads and writes file descriptors.
 */
import type { Readable, Writable } from 'node:stream'
import type { InputListener, OutputListener, PipeInput, PipeOutput } from '../core/pipe-connection.ts'
import { inHandle } from './in-handle.ts'
import { whyLost } from './system-errors.ts'

export class ReadablePipe implements PipeInput {
  readonly #stream: Readable
  #reads = false

  constructor(stream: Readable) {
    this.#stream = stream
  }

  tell(listener: InputListener): void {
    const stream = this.#stream
    // A listener for 'data' would start the flow, unless it is stopped before.
    stream.pause()
    stream.on('data', (chunk: Buffer) => {
      if (this.#reads) {
        listener.received(chunk)
        return
      }
      // When a child process has ended, Node resumes its pipes, whoever has paused them.
      stream.pause()
      stream.unshift(chunk)
    })
    stream.on('end', () => listener.ended())
    stream.on('error', (error) => listener.failed(error, whyLost(error)))
    stream.on('close', () => listener.closed())
  }

  start(): void {
    this.#reads = true
    this.#stream.resume()
  }

  stop(): void {
    this.#reads = false
    this.#stream.pause()
  }

  close(): void {
    this.#stream.destroy()
  }
}

export class WritablePipe implements PipeOutput {
  readonly #stream: Writable

  constructor(stream: Writable) {
    this.#stream = stream
  }

  tell(listener: OutputListener): void {
    this.#stream.on('finish', () => listener.finished())
    this.#stream.on('error', (error) => listener.failed(error, whyLost(error)))
    this.#stream.on('close', () => listener.closed())
  }

  send(pieces: readonly Uint8Array[], then: () => void): boolean {
    let waits = false
    // One piece, in memory of its own: the scratch that small writes are gathered in is needed again.
    this.#stream.write(Buffer.concat(pieces), (error) => {
      if (waits && !error) then()
    })
    waits = this.#stream.writableLength > 0
    return !waits
  }

  get unsent(): number | undefined {
    return inHandle(this.#stream)
  }

  finish(): void {
    this.#stream.end()
  }

  close(): void {
    this.#stream.destroy()
  }
}
