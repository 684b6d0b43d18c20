/**
 * The program's standard output as a stream that ends and is destroyed as others are: Node's own is never closed, and
 * what waits in it keeps the program alive.
 *
 * No ancestor: Twisted writes to the descriptor itself. Everything goes through `process.stdout` all the same, so that
 * what the program prints besides stays in order, and two never wait for one descriptor.
 */
import { Socket } from 'node:net'
import { Writable } from 'node:stream'
import { handleOf, inHandle } from './in-handle.ts'

export class StandardOutput extends Writable {
  readonly #stdout: Writable

  constructor(stdout: Writable) {
    super({ highWaterMark: 64 * 1024, decodeStrings: false })
    this.#stdout = stdout
    // The write that failed is told already.
    stdout.on('error', () => {})
  }

  /** Bytes that the system has not taken yet. */
  get unsent(): number {
    return inHandle(this.#stdout) ?? this.writableLength
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, taken: (error?: Error | null) => void): void {
    this.#stdout.write(chunk, taken)
  }

  /** Whoever reads a socket is told of the end now; who reads a pipe, when the program has ended. */
  override _final(ended: (error?: Error | null) => void): void {
    this.#stdout.end(() => ended())
  }

  override _destroy(error: Error | null, destroyed: (error?: Error | null) => void): void {
    // A write that nobody takes would keep the program from ending. The descriptor itself stays open, as it must.
    if (this.#stdout.writableLength > 0) {
      const close: unknown = Reflect.get(this.#handle ?? {}, 'close')
      if (typeof close === 'function') Reflect.apply(close, this.#handle, [])
    }
    destroyed(error)
  }

  get #handle(): object | undefined {
    return this.#stdout instanceof Socket ? handleOf(this.#stdout) : undefined
  }
}
