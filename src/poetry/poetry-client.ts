/**
 * Gets a poem: connects, collects what comes until the server hangs up, and knows a whole poem from half of one.
 *
 * It works with any server that sends bytes and closes. Ancestor: krondo's `PoetryProtocol` of `twisted-client-1` and
 * later, parts 4 to 18, with the Deferred of part 9. Grammar of calls: `connectionMade dataReceived* connectionLost`.
 */
import {
  type ClientEndpoint,
  type ConnectionClosed,
  ConnectionDone,
  connectProtocol,
  Deferred,
  FrameTooLong,
  Protocol,
  toText,
  type Transport,
} from 'couplet'

/** What a client may ask for besides the poem. */
export interface GetPoetryOptions {
  /** Called with each piece as it arrives, 1 byte or more; keep it if you like, but do not change it. */
  readonly received?: ((piece: Uint8Array) => void) | undefined
  /** Called once, when the connection is made. */
  readonly connected?: ((transport: Transport) => void) | undefined
  /** Bytes that a poem may have; one that goes on is given up. 16 MiB unless given. */
  readonly maxLength?: number | undefined
}

/** A poem may have so many bytes, unless asked otherwise. */
export const longestPoem = 16 * 1024 * 1024

/** The connection ended before the poem did; `cause` is how. What had come of the poem is no poem and is dropped. */
export class PoemCutOff extends Error {
  static {
    this.prototype.name = 'PoemCutOff'
  }
  readonly code: string = 'ERR_POEM_CUT_OFF'
  /** How many bytes had arrived. */
  readonly received: number

  constructor(peer: string, received: number, reason: ConnectionClosed) {
    super(`${peer}: incomplete: only ${count(received, 'byte')} of the poem arrived (${why(reason, peer)})`, {
      cause: reason,
    })
    this.received = received
  }
}

/** Collects one poem. */
export class PoetryClientProtocol extends Protocol {
  readonly #received: ((piece: Uint8Array) => void) | undefined
  readonly #connected: ((transport: Transport) => void) | undefined
  readonly #maxLength: number
  /** One stretch of memory that doubles: a list of pieces of one byte each would cost a hundred times the poem. */
  #bytes = new Uint8Array(1024)
  #length = 0
  #outcome: Uint8Array | PoemCutOff | undefined
  #waiting: Deferred<Uint8Array>[] = []

  constructor({ received, connected, maxLength = longestPoem }: GetPoetryOptions = {}) {
    super()
    this.#received = received
    this.#connected = connected
    this.#maxLength = maxLength
  }

  /**
   * The whole poem, as bytes. Cancelling it hangs up.
   *
   * @returns a fresh Deferred each time; fails with {@link PoemCutOff}
   */
  whenFinished(): Deferred<Uint8Array> {
    const finished: Deferred<Uint8Array> = new Deferred<Uint8Array>(() => {
      this.#waiting = this.#waiting.filter((waiting) => waiting !== finished)
      this.transport.abortConnection()
    })
    if (this.#outcome === undefined) this.#waiting.push(finished)
    else settle(finished, this.#outcome)
    return finished
  }

  override connectionMade(): void {
    this.#connected?.(this.transport)
  }

  override dataReceived(piece: Uint8Array): void {
    const length = this.#length + piece.length
    if (length > this.#maxLength) {
      this.transport.abortConnection(new FrameTooLong(length, this.#maxLength, 'poem'))
      return
    }
    if (length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(length, 2 * this.#bytes.length))
      larger.set(this.#bytes)
      this.#bytes = larger
    }
    this.#bytes.set(piece, this.#length)
    this.#length = length
    this.#received?.(piece)
  }

  override connectionLost(reason: ConnectionClosed): void {
    const outcome =
      reason instanceof ConnectionDone
        ? this.#bytes.subarray(0, this.#length)
        : new PoemCutOff(String(this.transport.peer), this.#length, reason)
    this.#outcome = outcome
    this.#bytes = new Uint8Array(0)
    for (const waiting of this.#waiting.splice(0)) settle(waiting, outcome)
  }
}

/**
 * Gets a poem as text.
 *
 * @returns fails with a ConnectError, or with {@link PoemCutOff}; cancelling it gives up, at whatever stage
 * @example
 * const poem = await getPoetry(clientFromString(reactor, 'tcp:127.0.0.1:10000')).addTimeout(10_000, reactor)
 */
export function getPoetry(endpoint: ClientEndpoint, options: GetPoetryOptions = {}): Deferred<string> {
  return getPoetryBytes(endpoint, options).addCallback(toText)
}

/** Gets a poem as the bytes that came, whether they are UTF-8 or not. Otherwise as {@link getPoetry}. */
export function getPoetryBytes(endpoint: ClientEndpoint, options: GetPoetryOptions = {}): Deferred<Uint8Array> {
  return connectProtocol(endpoint, new PoetryClientProtocol(options)).addCallback(function read(protocol) {
    return protocol.whenFinished()
  })
}

function settle(deferred: Deferred<Uint8Array>, outcome: Uint8Array | PoemCutOff): void {
  if (outcome instanceof PoemCutOff) deferred.errback(outcome)
  else deferred.callback(outcome)
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}

/** The reason without the peer's name in front: the sentence around it has said it. */
function why(reason: ConnectionClosed, peer: string): string {
  return reason.message.startsWith(`${peer}: `) ? reason.message.slice(peer.length + 2) : reason.message
}
