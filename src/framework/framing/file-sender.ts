/**
 * Sends something long piece by piece, no faster than it is taken: a file, a stream, whatever can be iterated.
 *
 * Ancestor: `twisted.protocols.basic.FileSender`. There it reads a file; here the platform does, since everything that
 * Node or a browser reads from is an iterable of chunks.
 */
import { type Data, toBytes } from '../core/bytes.ts'
import { adopt, asError } from '../core/guard.ts'
import type { Consumer, PullProducer } from '../core/producer.ts'
import type { Hook } from '../core/protocol.ts'
import { Deferred } from '../deferred/deferred.ts'
import { report } from '../deferred/reporter.ts'

/** The consumer wanted no more before all was sent: its connection has ended, most likely. */
export class FileTransferStopped extends Error {
  static {
    this.prototype.name = 'FileTransferStopped'
  }
  readonly code: string = 'ERR_FILE_TRANSFER_STOPPED'
  /** Bytes that were handed over before. */
  readonly sent: number

  constructor(sent: number) {
    super(`the consumer stopped the transfer after ${sent} bytes (has the connection ended?)`)
    this.sent = sent
  }
}

/** One transfer. */
export class FileSender implements PullProducer {
  #source: Iterable<Data> | AsyncIterable<Data> | undefined
  #chunks: Iterator<Data, unknown> | AsyncIterator<Data, unknown> | undefined
  /** The first chunk was asked for. */
  #begun = false
  #consumer: Consumer | undefined
  #sent = 0
  #over = false
  readonly #finished = new Deferred<number>(() => this.#leave())

  /**
   * Registers with `consumer` and hands over one chunk after the other.
   *
   * @param chunks is iterated once; its `return()` is called if the transfer ends early, and before the first chunk its
   *   `[Symbol.asyncDispose]()` too, if it has one (a stream of Node's has). Pieces of some 64 KiB are good
   * @returns fires with the number of bytes when the last one was handed to the consumer (which may not have sent it
   *   yet; `loseConnection` waits for that). Fails with FileTransferStopped, or with what `chunks` threw. To cancel it
   *   ends the transfer, and leaves the connection alone
   * @throws Error if the consumer has a producer already (then nothing has begun), or this sender has been used
   * @example
   * await new FileSender().beginFileTransfer(createReadStream('poem.txt'), this.transport)
   */
  beginFileTransfer(chunks: Iterable<Data> | AsyncIterable<Data>, consumer: Consumer): Deferred<number> {
    if (this.#consumer !== undefined) throw new Error('this FileSender has been used already: make a new one')
    this.#consumer = consumer
    this.#source = chunks
    this.#chunks = Symbol.asyncIterator in chunks ? chunks[Symbol.asyncIterator]() : chunks[Symbol.iterator]()
    try {
      consumer.registerProducer(this, false)
    } catch (error) {
      // It has not begun, so it may be tried again.
      this.#consumer = undefined
      throw error
    }
    return this.#finished
  }

  resumeProducing(): Hook {
    if (this.#over) return
    this.#begun = true
    let next: IteratorResult<Data, unknown> | PromiseLike<IteratorResult<Data, unknown>>
    try {
      next = this.#chunks!.next()
    } catch (error) {
      return this.#fail(error)
    }
    if (!('then' in next)) return this.#take(next)
    return next.then(
      (result) => this.#take(result),
      (error: unknown) => this.#fail(error),
    )
  }

  stopProducing(): void {
    if (this.#over) return
    this.#leave()
    this.#finished.errback(new FileTransferStopped(this.#sent))
  }

  #take({ done, value }: IteratorResult<Data, unknown>): void {
    // It was told to stop while it waited for this chunk.
    if (this.#over) return
    if (done === true) {
      this.#end()
      this.#finished.callback(this.#sent)
      return
    }
    const bytes = toBytes(value)
    this.#consumer!.write(bytes)
    this.#sent += bytes.length
  }

  #fail(error: unknown): void {
    if (this.#over) return
    this.#end()
    this.#finished.errback(asError(error))
  }

  #end(): void {
    this.#over = true
    this.#consumer!.unregisterProducer()
  }

  /** Ends it before the chunks do, and tells whoever makes them. What that fails with is only reported. */
  #leave(): void {
    this.#end()
    const hookFailed = (error: unknown): void =>
      report({ error, what: 'The chunks of a FileSender failed to stop', subject: this })
    try {
      adopt(this.#chunks?.return?.(), 'return', { hookFailed })
      // A generator that has not begun does nothing at its return, and what it is to close stays open.
      if (!this.#begun) adopt(disposed(this.#source), 'dispose', { hookFailed })
    } catch (error) {
      hookFailed(error)
    }
  }
}

/** Disposes of what can be disposed of. */
function disposed(source: unknown): unknown {
  // Not every browser has it yet.
  const { asyncDispose }: { readonly asyncDispose?: symbol } = Symbol
  if (asyncDispose === undefined || typeof source !== 'object' || source === null) return undefined
  const dispose: unknown = Reflect.get(source, asyncDispose)
  return typeof dispose === 'function' ? Reflect.apply(dispose, source, []) : undefined
}
