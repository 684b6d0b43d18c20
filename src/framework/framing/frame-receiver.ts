/**
 * The one loop that turns chunks into frames, for every wire format: re-entrancy, pauses, raw bytes, bad frames and the
 * end are solved here, once.
 *
 * A wire format is a Decoder; a receiver is this class, that decoder and a name for `frameReceived`. Grammar of calls:
 * `makeConnection connectionMade (frameReceived | rawDataReceived)* frameRefused? connectionLost`. Ancestor: the loops
 * in `LineReceiver`, `NetstringReceiver` and `IntNStringReceiver` of `twisted.protocols.basic`.
 */
import { IncompleteFrame, RemoteProtocolError } from '../core/errors.ts'
import { adopt, asError } from '../core/guard.ts'
import type { PushProducer } from '../core/producer.ts'
import { type Hook, Protocol } from '../core/protocol.ts'
import { report } from '../deferred/reporter.ts'
import { trace } from '../trace/hook.ts'
import type { Decoder } from './decoder.ts'
import { FrameBuffer } from './frame-buffer.ts'

const nothing = new Uint8Array(0)

/** Lent to who has something pending; most receivers wait for the first byte of a frame, and then they need none. */
let spare: FrameBuffer | undefined

/**
 * A Protocol that gets frames instead of chunks. Once the close has begun, a frame was bad, or a hook threw, it gets
 * nothing more. It is a producer too: pause it, or its transport, and no frame comes until it is resumed, not even from
 * a chunk that is here already.
 */
export abstract class FrameReceiver<F> extends Protocol implements PushProducer {
  #lent: FrameBuffer | undefined
  /** Bytes of the stream that came and went before `#lent` was lent. */
  #offset = 0
  #raw = false
  #phase: 'waiting' | 'delivering' | 'over' = 'waiting'

  /** The wire format. */
  protected abstract readonly decoder: Decoder<F>

  /**
   * A frame arrived, whole.
   *
   * @param frame if it is bytes, they are yours to keep; they are a view of the chunk that they came in, so that who
   *   keeps few of many for long keeps a `copy` of them instead (a chunk has up to 64 KiB)
   */
  protected abstract frameReceived(frame: F): Hook

  /**
   * Bytes arrived in raw mode. Where one chunk ends and the next begins means nothing.
   *
   * @param _chunk 1 byte or more; yours to keep
   */
  rawDataReceived(_chunk: Uint8Array): Hook {
    throw new Error(`${this.constructor.name} is in raw mode and has no rawDataReceived`)
  }

  /**
   * The peer broke the rules of the format. Called once; whatever it does, no frame comes afterwards. By default the
   * connection is closed after what was written has been sent, and ends as ConnectionAborted with the error as cause.
   */
  protected frameRefused(error: RemoteProtocolError): Hook {
    this.transport.loseConnection({ cause: error })
  }

  /**
   * From now on bytes come as they are, to {@link rawDataReceived}, beginning with what is left of the present chunk.
   * Outside of a hook it begins when the next chunk arrives.
   */
  setRawMode(): void {
    this.#raw = true
  }

  /**
   * Back to frames.
   *
   * @param extra bytes that were received raw and belong to the frames: they come first
   */
  protected setFrameMode(extra?: Uint8Array): void {
    this.#raw = false
    if (extra === undefined || extra.length === 0 || this.#over) return
    this.#input.prepend(extra)
    if (this.#phase === 'waiting') this.#deliverOnOurOwn()
  }

  /** Drops what has arrived and was not delivered yet. @returns what it dropped */
  protected clearBuffer(): Uint8Array {
    return this.#lent?.takeAll() ?? nothing
  }

  /** No frame comes until {@link resumeProducing}. */
  pauseProducing(): void {
    this.transport.pauseProducing()
  }

  /** Frames that were kept back come now, inside this call, unless it is made from a hook; then they come after it. */
  resumeProducing(): void {
    this.transport.resumeProducing()
  }

  stopProducing(): void {
    this.transport.stopProducing()
  }

  /* ---------------------------------------------------------------- what a transport calls */

  override dataReceived(chunk: Uint8Array): void {
    if (this.#over || chunk.length === 0) return
    this.#input.append(chunk)
    // A hook that feeds us more gets it after it has returned.
    if (this.#phase === 'waiting') this.#deliver()
  }

  override inputResumed(): void {
    if (this.#phase === 'waiting' && this.inputPending() > 0) this.#deliver()
  }

  override inputPending(): number {
    return this.#lent?.pending ?? 0
  }

  override inputEnded(): Error | undefined {
    if (this.#raw && this.#phase === 'waiting') this.#deliver()
    const have = this.inputPending()
    return have === 0 ? undefined : new IncompleteFrame(have, this.decoder.needed?.(this.#input))
  }

  /* ---------------------------------------------------------------- the loop */

  get #over(): boolean {
    return this.#phase === 'over'
  }

  get #input(): FrameBuffer {
    return (this.#lent ??= this.#lend())
  }

  #lend(): FrameBuffer {
    const buffer = spare ?? new FrameBuffer()
    spare = undefined
    buffer.startAt(this.#offset)
    return buffer
  }

  /** Nothing more is taken for now. */
  #settle(input: FrameBuffer): void {
    if (input.pending > 0) {
      input.settle()
      return
    }
    this.#offset = input.offset
    this.#lent = undefined
    spare = input
  }

  #deliver(): void {
    const input = this.#input
    const { transport } = this
    this.#phase = 'delivering'
    let broken = true
    try {
      while (!this.#over && !transport.paused && !transport.disconnecting) {
        if (!(this.#raw ? this.#deliverRaw(input) : this.#deliverFrame(input))) break
      }
      broken = false
    } finally {
      const over = this.#over || broken || transport.disconnecting
      this.#phase = over ? 'over' : 'waiting'
      if (over) input.takeAll()
      this.#settle(input)
    }
  }

  /** @returns whether there may be more */
  #deliverFrame(input: FrameBuffer): boolean {
    if (input.length === 0) return input.more()
    let frame: F | undefined
    const offset = input.offset
    try {
      frame = this.decoder.decode(input)
    } catch (error) {
      if (!(error instanceof RemoteProtocolError)) throw error
      this.#phase = 'over'
      this.#adopt(this.frameRefused(error), 'frameRefused')
      return false
    }
    if (frame === undefined) return input.more()
    trace?.at('frame.in', this.transport, {
      off: offset,
      n: input.offset - offset,
      type: this.decoder.type ?? 'frame',
      text: frame,
    })
    const returned = this.frameReceived(frame)
    if (returned !== undefined) this.#adopt(returned, 'frameReceived')
    return true
  }

  /** @returns whether there may be more */
  #deliverRaw(input: FrameBuffer): boolean {
    if (input.length === 0) return false
    const returned = this.rawDataReceived(input.takeRun())
    if (returned !== undefined) this.#adopt(returned, 'rawDataReceived')
    return true
  }

  /** Delivers where no transport has called us, and so nobody else looks after what a hook throws. */
  #deliverOnOurOwn(): void {
    try {
      this.#deliver()
    } catch (error) {
      this.#hookFailed(error, 'frameReceived')
    }
  }

  #adopt(returned: Hook, what: string): void {
    adopt(returned, what, { hookFailed: (error) => this.#hookFailed(error, what) })
  }

  #hookFailed(error: unknown, what: string): void {
    const fate = `so the connection with ${this.transport.peer} is aborted`
    report({ error, what: `${what} of ${this.constructor.name} failed, ${fate}`, subject: this })
    this.transport.abortConnection(asError(error))
  }
}
