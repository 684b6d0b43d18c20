/**
 * The slow poet: a server that says its poem a piece at a time, waits before each, and hangs up after the last.
 *
 * The end of the connection is the end of the poem; there is no length in front. So a poem that is given up must end in
 * a reset and never in a clean close. Ancestor: krondo's `slowpoetry.py`, part 2, as a Protocol. Grammar of calls:
 * `connectionMade (pauseProducing resumeProducing)* stopping? stopProducing? connectionLost`.
 */
import { type Clock, type DelayedCall, Factory, Protocol, type PushProducer } from 'couplet'
import { endOfPiece, largestPiece } from './poem.ts'

/** How slow a poet is. */
export interface SlowPoetryOptions {
  /** Milliseconds of silence before every piece, the first too. 1,000 unless given. */
  readonly delay?: number | undefined
  /** Bytes in a piece, at most 64 KiB; a line in each unless given. */
  readonly numBytes?: number | undefined
}

/**
 * Says one poem to one client. It is a push producer: while its client reads more slowly than it speaks, it is silent.
 * What the client sends is ignored, and a client that only ends its own side (`nc -N`) hears the poem to its end.
 */
export class PoetryProtocol extends Protocol implements PushProducer {
  readonly #clock: Clock
  readonly #poem: Uint8Array
  readonly #delay: number
  readonly #numBytes: number | undefined
  /** How much has been said, in bytes. */
  #said = 0
  #next: DelayedCall | undefined
  #paused = false
  #over = false
  #hurried = false

  /**
   * @param poem its bytes; they are not copied, so one poem serves all clients
   */
  constructor(clock: Clock, poem: Uint8Array, { delay = 1000, numBytes }: SlowPoetryOptions = {}) {
    super()
    this.#clock = clock
    this.#poem = poem
    this.#delay = delay
    this.#numBytes = numBytes
  }

  override connectionMade(): void {
    this.transport.registerProducer(this, true)
    this.#goOn()
  }

  /** The client says no more; it may well still listen. */
  override readConnectionLost(): void {}

  /** The server closes: the rest of the poem comes at once, so that nobody leaves with half of it. */
  override stopping(): void {
    this.#hurried = true
    this.#goOn()
  }

  pauseProducing(): void {
    this.#paused = true
    this.#wait()
  }

  resumeProducing(): void {
    this.#paused = false
    this.#goOn()
  }

  stopProducing(): void {
    this.#over = true
    this.#wait()
  }

  /** Whatever is to come next, comes when it is its time. */
  #goOn(): void {
    if (this.#paused || this.#over) return
    this.#wait()
    if (this.#said === this.#poem.length) this.#finish()
    else if (this.#hurried) this.#sayTheRest()
    else this.#next = this.#clock.callLater(this.#delay, () => this.#sayOnePiece())
  }

  #wait(): void {
    if (this.#next?.active() === true) this.#next.cancel()
  }

  #sayOnePiece(): void {
    this.#say(endOfPiece(this.#poem, this.#said, this.#numBytes))
    this.#goOn()
  }

  #sayTheRest(): void {
    // Writing may pause us, in the middle of this loop.
    while (!this.#paused && this.#said < this.#poem.length) this.#say(this.#said + largestPiece)
    this.#goOn()
  }

  #say(end: number): void {
    const piece = this.#poem.subarray(this.#said, end)
    this.#said += piece.length
    this.transport.write(piece)
  }

  #finish(): void {
    this.#over = true
    this.transport.unregisterProducer()
    this.transport.loseConnection()
  }
}

/** Gives every client a slow poet of its own, with the same poem. */
export class PoetryFactory extends Factory<PoetryProtocol> {
  readonly #clock: Clock
  readonly #poem: Uint8Array
  readonly #options: SlowPoetryOptions

  /**
   * As {@link PoetryProtocol}.
   *
   * @throws RangeError if the delay is not 0 or more milliseconds, or `numBytes` not a whole number from 1
   */
  constructor(clock: Clock, poem: Uint8Array, options: SlowPoetryOptions = {}) {
    super()
    // Looked at here, for all clients: a mistake shows at the start and not with the first of them.
    const { delay = 0, numBytes = 1 } = options
    if (!(delay >= 0 && delay < Infinity)) throw new RangeError(`a delay is 0 or more milliseconds, not ${delay}`)
    if (!(Number.isInteger(numBytes) && numBytes > 0)) {
      throw new RangeError(`a piece is a whole number of bytes, 1 or more, not ${numBytes}`)
    }
    this.#clock = clock
    this.#poem = poem
    this.#options = options
  }

  override buildProtocol(): PoetryProtocol {
    return new PoetryProtocol(this.#clock, this.#poem, this.#options)
  }
}
