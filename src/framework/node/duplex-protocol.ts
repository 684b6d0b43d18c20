/**
 * A duplex stream of Node's over any transport, so that whatever reads and writes streams (pipelines, zlib, parsers of
 * other people) runs over a connection of ours, simulated ones too.
 *
 * No ancestor: Twisted has no second kind of stream.
 */
import { Duplex } from 'node:stream'
import { copy } from '../core/bytes.ts'
import { type ConnectionClosed, ConnectionDone } from '../core/errors.ts'
import { type Hook, Protocol } from '../core/protocol.ts'
import type { Connection } from '../core/transport.ts'

/** How the stream of a {@link DuplexProtocol} behaves; as for every Duplex of Node's. */
export interface ToDuplexOptions {
  /** Whether the stream goes on writing when the peer has ended. True unless given, as for `new Duplex()`. */
  readonly allowHalfOpen?: boolean
  /** Bytes in each direction above which the stream says that it is full. Node's own default unless given. */
  readonly highWaterMark?: number
}

/** Called when something is done, or has gone wrong. */
type Done = (error?: Error | null) => void

/** So much is written at once, so that a large chunk is held back in the middle. */
const pieceSize = 64 * 1024

/**
 * Makes a duplex stream of a connection that nobody listens to yet.
 *
 * From now on the connection belongs to the stream: `end()` is `loseWriteConnection`, after all that was written;
 * `destroy()` before both directions have ended is `abortConnection`, with the error as the cause; and the connection
 * closes by itself when both have. Any end but a clean one destroys the stream with the reason, a ConnectionLost: as
 * every stream, it needs a listener for 'error'. It holds back the peer when nobody reads, and whoever writes when the
 * peer does not. What is thrown inside a listener for 'data' aborts the connection, as if a hook had thrown it.
 *
 * @throws the reason, if the connection has ended already
 *
 * @example
 * const stream = toDuplex(await reactor.dial(address))
 * await pipeline(createReadStream('poem.txt'), createGzip(), stream)
 */
export function toDuplex(connection: Connection, options: ToDuplexOptions = {}): Duplex {
  const protocol = new DuplexProtocol(options)
  connection.deliverTo(protocol)
  return protocol.stream
}

/**
 * The protocol behind {@link toDuplex}, for factories and endpoints.
 *
 * @example
 * const { stream } = await connectProtocol(endpoint, new DuplexProtocol())
 */
export class DuplexProtocol extends Protocol {
  /** The stream, from {@link connectionMade} on. */
  stream!: Duplex
  readonly #options: ToDuplexOptions
  /** What is being written, as far as the transport has not taken it. */
  #writing: { rest: Uint8Array; readonly done: Done } | undefined
  /** The transport wants no more for now. */
  #held = false
  #final: Done | undefined
  #readOver = false
  #writeOver = false
  #lost = false
  /** The stream is destroyed, and waits for the connection to be gone. */
  #gone: (() => void) | undefined

  constructor(options: ToDuplexOptions = {}) {
    super()
    this.#options = options
  }

  override connectionMade(): Hook {
    this.stream = new Duplex({
      ...this.#options,
      read: () => this.transport.resumeProducing(),
      write: (chunk: Uint8Array, _encoding, done) => this.#write(chunk, done),
      final: (done) => this.#end(done),
      destroy: (error, done) => this.#destroy(error, done),
    })
    this.transport.registerProducer(
      {
        pauseProducing: () => {
          this.#held = true
        },
        resumeProducing: () => {
          this.#held = false
          this.#writeOn()
        },
        stopProducing() {},
      },
      true,
    )
  }

  override dataReceived(chunk: Uint8Array): Hook {
    if (!this.stream.push(chunk)) this.transport.pauseProducing()
  }

  override readConnectionLost(): Hook {
    this.#readOver = true
    this.stream.push(null)
  }

  override writeConnectionLost(): Hook {
    this.#writeOver = true
    this.#final?.()
    this.#final = undefined
  }

  /** Ends the stream's writing, as `loseConnection` would; a later `write()` is an error. */
  override stopping(): Hook {
    this.stream.end()
  }

  override connectionLost(reason: ConnectionClosed): Hook {
    this.#lost = true
    const stopped = [this.#writing?.done, this.#final]
    this.#writing = this.#final = undefined
    if (this.#gone !== undefined) this.#gone()
    else if (!(reason instanceof ConnectionDone)) this.stream.destroy(reason)
    // Somebody else has closed it, and what the peer had still to say is lost.
    else if (!this.#readOver) this.stream.destroy()
    // All is said, in both directions; there may still be something to read.
    else this.stream.end()
    for (const done of stopped) done?.(reason)
  }

  #write(chunk: Uint8Array, done: Done): void {
    this.#writing = { rest: chunk, done }
    this.#writeOn()
  }

  #writeOn(): void {
    const writing = this.#writing
    if (writing === undefined) return
    while (writing.rest.length > 0 && !this.#held) {
      // The chunk is its owner's again as soon as we are done with it; a transport's are not.
      this.transport.write(copy(writing.rest.subarray(0, pieceSize)))
      writing.rest = writing.rest.subarray(pieceSize)
    }
    if (this.#held) return
    this.#writing = undefined
    writing.done()
  }

  #end(done: Done): void {
    if (this.#lost) {
      done()
      return
    }
    this.#final = done
    this.transport.unregisterProducer()
    this.transport.loseWriteConnection()
  }

  #destroy(error: Error | null, done: Done): void {
    if (this.#lost) {
      done(error)
      return
    }
    this.#gone = () => done(error)
    if (!this.#readOver || !this.#writeOver) this.transport.abortConnection(error ?? undefined)
  }
}
