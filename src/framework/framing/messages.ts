/**
 * The messages of a receiver as an async iterable: `for await`, for who uses neither hooks, nor Deferreds, nor RxJS.
 *
 * No ancestor.
 */
import { ConnectionDone, type ConnectionClosed } from '../core/errors.ts'
import type { FrameReceiver } from './frame-receiver.ts'

/** How {@link messages} waits and ends. */
export interface MessagesOptions {
  /** How many messages may wait to be asked for, before the peer is held back: 16 unless given. */
  readonly limit?: number
  /**
   * Whether to leave the loop (by `break`, `return`, or an error in it) closes the connection: yes unless given. If
   * not, messages go on to wait, and another loop over the same iterable goes on with the next one.
   */
  readonly closeOnReturn?: boolean
}

/**
 * The receiver's messages from now on. They come here instead of to its hook (`lineReceived`, `stringReceived`); all
 * else that it does it goes on doing. While too many wait, the connection is paused, so call it when you will iterate.
 *
 * Iteration ends when the connection ends as ConnectionDone. Any other reason (ConnectionLost, ConnectionAborted) is
 * thrown, after the messages that came before it.
 *
 * @param receiver one call for each; its connection may be made already, or not yet
 * @throws RangeError unless the limit is a whole number from 1
 * @example
 * class Echo extends LineReceiver {
 *   override lineReceived() {}
 *   override async connectionMade() {
 *     for await (const line of messages(this)) this.sendLine(line)
 *   }
 * }
 */
export function messages<F>(receiver: FrameReceiver<F>, options: MessagesOptions = {}): AsyncIterableIterator<F> {
  const { limit = 16, closeOnReturn = true } = options
  if (!(Number.isInteger(limit) && limit >= 1)) {
    throw new RangeError(`a limit is a whole number of messages, 1 or more, not ${limit}`)
  }
  const waiting = new Messages<F>(receiver, limit, closeOnReturn)
  // Own methods, in front of those of its class.
  const connectionLost = receiver.connectionLost.bind(receiver)
  define(receiver, 'frameReceived', (message: F) => waiting.received(message))
  define(receiver, 'connectionLost', (reason: ConnectionClosed) => {
    try {
      return connectionLost(reason)
    } finally {
      waiting.ended(reason)
    }
  })
  return waiting
}

class Messages<F> implements AsyncIterableIterator<F> {
  readonly #receiver: FrameReceiver<F>
  readonly #limit: number
  readonly #closeOnReturn: boolean
  /** Messages that nobody has asked for yet. */
  #waiting: F[] = []
  /** Who has asked while no message was there. */
  #asking: Question<F>[] = []
  #paused = false
  #over = false
  /** What is thrown when no message is left, once. */
  #reason: ConnectionClosed | undefined

  constructor(receiver: FrameReceiver<F>, limit: number, closeOnReturn: boolean) {
    this.#receiver = receiver
    this.#limit = limit
    this.#closeOnReturn = closeOnReturn
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /* ---------------------------------------------------------------- what a loop calls */

  next(): Promise<IteratorResult<F, undefined>> {
    if (this.#waiting.length > 0) {
      const value = this.#waiting.shift()!
      // Not at each one: to stop and start reading costs more than a message.
      if (this.#paused && this.#waiting.length <= this.#limit / 2) this.#resume()
      return Promise.resolve({ done: false, value })
    }
    const reason = this.#reason
    this.#reason = undefined
    if (reason !== undefined) return Promise.reject(reason)
    if (this.#over) return Promise.resolve(finished)
    return new Promise((resolve, reject) => this.#asking.push({ resolve, reject }))
  }

  return(): Promise<IteratorResult<F, undefined>> {
    if (this.#closeOnReturn) {
      this.#waiting = []
      this.#reason = undefined
      if (!this.#over) {
        this.#finish()
        this.#close()
      }
    }
    return Promise.resolve(finished)
  }

  /* ---------------------------------------------------------------- what the receiver calls */

  received(message: F): void {
    if (this.#over) return this.#close()
    const question = this.#asking.shift()
    if (question !== undefined) return question.resolve({ done: false, value: message })
    this.#waiting.push(message)
    if (this.#waiting.length < this.#limit) return
    this.#paused = true
    this.#receiver.pauseProducing()
  }

  ended(reason: ConnectionClosed): void {
    if (this.#over) return
    const question = reason instanceof ConnectionDone ? undefined : this.#asking.shift()
    if (question !== undefined) question.reject(reason)
    else if (!(reason instanceof ConnectionDone)) this.#reason = reason
    this.#finish()
  }

  /* ---------------------------------------------------------------- */

  #finish(): void {
    this.#over = true
    for (const { resolve } of this.#asking.splice(0)) resolve(finished)
  }

  /** The loop was left: what is still to be read is not for anybody. */
  #close(): void {
    const { transport } = this.#receiver as Partial<FrameReceiver<F>>
    // Not made yet: it is closed when its first message comes.
    transport?.loseConnection()
    if (this.#paused) this.#resume()
  }

  #resume(): void {
    this.#paused = false
    this.#receiver.resumeProducing()
  }
}

interface Question<F> {
  readonly resolve: (result: IteratorResult<F, undefined>) => void
  readonly reject: (reason: ConnectionClosed) => void
}

const finished = { done: true, value: undefined } as const

/** Puts a method of `receiver`'s own in front of its class's. */
function define(receiver: object, name: string, value: unknown): void {
  Object.defineProperty(receiver, name, { value, configurable: true, writable: true })
}
