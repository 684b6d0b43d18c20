/** Two streams in memory, joined: what is written to one is read from the other. `stream.duplexPair`, with resets. */
import { Duplex, type DuplexOptions } from 'node:stream'

export class MemoryDuplex extends Duplex {
  #other!: MemoryDuplex
  #left: (() => void) | undefined

  static pair(options: DuplexOptions = {}): [MemoryDuplex, MemoryDuplex] {
    const [one, other] = [new MemoryDuplex(options), new MemoryDuplex(options)]
    one.#other = other
    other.#other = one
    return [one, other]
  }

  override _read(): void {
    const left = this.#other.#left
    this.#other.#left = undefined
    left?.()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    if (this.#other.push(chunk)) callback()
    else this.#left = callback
  }

  override _final(callback: () => void): void {
    this.#other.push(null)
    callback()
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    const whole = this.readableEnded && this.writableFinished
    if (!whole)
      process.nextTick(() => this.#other.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })))
    callback(error)
  }
}
