/**
 * One connection as RxJS sees it: an Observable of what arrives, and an Observer for what is to be sent.
 *
 * It completes on ConnectionDone and fails with any other reason. Nothing is read while nobody is subscribed, so that
 * whoever subscribes late has missed nothing; all subscribers share the one connection. No ancestor.
 */
import { Observable, type Observer } from 'rxjs'
import { type ConnectionClosed, ConnectionDone } from '../core/errors.ts'
import { asError } from '../core/guard.ts'
import type { PushProducer } from '../core/producer.ts'
import type { Protocol } from '../core/protocol.ts'
import type { Transport } from '../core/transport.ts'
import { report } from '../deferred/reporter.ts'
import { MessageStream, type Upstream } from './message-stream.ts'
import type { Receiver, ReceiverListener, Speaker } from './receiver.ts'

/** What a conversation allows, and what becomes of it. */
export interface ConversationOptions {
  /** So many messages may be in hand (see `hold`) before the connection is paused: 16 unless given. */
  readonly limit?: number | undefined
  /**
   * When the last subscriber leaves: `close` sends what was written and closes (unless given), `abort` closes with a
   * reset, `detach` keeps the connection, paused, until somebody subscribes again or closes it.
   */
  readonly onUnsubscribe?: 'close' | 'abort' | 'detach' | undefined
}

/** What happens to a conversation, told to whoever made it. */
export interface ConversationEvents {
  /** The connection is made; nothing has been sent or received yet. */
  made?(): void
  /** We are about to close it; what is sent now still goes out. */
  closing?(): void
  /** Its time is over: closed by us, lost, or given up before it was made. Its subscribers hear of the end after this. */
  ending?(): void
}

export class Conversation<In, Out = In> extends Observable<In> implements Observer<Out>, PushProducer {
  readonly #speaker: Speaker<Out>
  readonly #stream: MessageStream<In>
  readonly #onUnsubscribe: 'close' | 'abort' | 'detach'
  readonly #events: ConversationEvents
  #transport: Transport | undefined
  /** Whether closing has begun, from whichever side. */
  #ending = false
  #announced = false
  #end: { readonly error?: unknown } | undefined
  /** Whether what ended it was reported. */
  #reported = false

  /**
   * Give its {@link protocol} to a factory or a transport. `connect` and `listen` make conversations for you.
   *
   * @throws RangeError for a limit that is not a whole number from 1
   */
  constructor(receiver: Receiver<In, Out>, options: ConversationOptions = {}, events: ConversationEvents = {}) {
    super((subscriber) => {
      this.#stream.add(subscriber)
    })
    const { limit = 16, onUnsubscribe = 'close' } = options
    this.#onUnsubscribe = onUnsubscribe
    this.#events = events
    const upstream: Upstream = {
      pauseProducing: () => this.#transport?.pauseProducing(),
      resumeProducing: () => this.#transport?.resumeProducing(),
      unsubscribed: () => this.#unsubscribed(),
      subscriberThrew: (error) => this.#subscriberThrew(error),
    }
    this.#stream = new MessageStream(upstream, limit, 'messages')
    const listener: ReceiverListener<In> = {
      made: (transport) => this.#made(transport),
      received: (message) => this.#stream.next(message),
      lost: (reason) => this.#lost(reason),
    }
    this.#speaker = receiver(listener)
  }

  /** What speaks for us on the connection. */
  get protocol(): Protocol {
    return this.#speaker.protocol
  }

  /**
   * The connection.
   *
   * @throws Error before it is made
   */
  get transport(): Transport {
    if (this.#transport === undefined) throw new Error('this connection is not made yet (wait for `opened`)')
    return this.#transport
  }

  /** Whether messages can be sent: the connection is made, and we have not closed it. */
  get open(): boolean {
    return this.#transport !== undefined && !this.#ending
  }

  /** Messages that somebody has in hand, or that wait to be delivered. */
  get outstanding(): number {
    return this.#stream.outstanding
  }

  /**
   * Sends one message. After the close has begun it does nothing.
   *
   * @throws LocalProtocolError for a message that cannot be sent; nothing is sent, and the connection goes on. Error if
   *   the connection is not made yet
   */
  send(message: Out): void {
    if (this.#ending) return
    // Asked for its complaint.
    void this.transport
    this.#speaker.send(message)
  }

  /* ---------------------------------------------------------------- Observer */

  /**
   * Sends one message, as an Observer does: it never throws. A message that cannot be sent aborts the connection, and
   * subscribers get ConnectionAborted with the reason as its cause.
   */
  next(message: Out): void {
    try {
      this.send(message)
    } catch (error) {
      this.error(error)
    }
  }

  /** Closes with a reset; subscribers get ConnectionAborted with `error` as its cause. */
  error(error: unknown): void {
    const cause = asError(error)
    if (this.#transport === undefined) {
      this.failed(cause)
    } else {
      this.#release()
      this.#transport.abortConnection(cause)
    }
  }

  /** Closes, after what was sent has left. Nothing is received any more; subscribers complete when it is closed. */
  complete(): void {
    if (this.#transport === undefined) {
      this.#finish({})
    } else {
      this.#announce()
      this.#release()
      this.#transport.loseConnection()
    }
  }

  /* ---------------------------------------------------------------- PushProducer */

  /** Delivers nothing until {@link resumeProducing}; the peer is held back once the buffers are full. */
  pauseProducing(): void {
    this.#stream.pause()
  }

  resumeProducing(): void {
    this.#stream.resume()
  }

  /** The same as {@link complete}. */
  stopProducing(): void {
    this.complete()
  }

  /* ---------------------------------------------------------------- */

  /** The connection will not be made, because of `error`. For whoever tried to make it. */
  failed(error: unknown): void {
    this.#finish({ error })
  }

  #made(transport: Transport): void {
    this.#transport = transport
    if (this.#ending) {
      transport.abortConnection()
      return
    }
    this.#events.made?.()
    this.#stream.connected()
  }

  #lost(reason: ConnectionClosed): void {
    this.#finish(reason instanceof ConnectionDone ? {} : { error: reason })
  }

  /** It is over, and the first reason for that counts: whoever is told of it may well find another. */
  #finish(end: { readonly error?: unknown }): void {
    if (this.#end !== undefined) return
    this.#end = end
    this.#leave()
    this.#stream.end(end)
  }

  #unsubscribed(): void {
    if (this.#onUnsubscribe === 'detach') return
    if (this.#onUnsubscribe === 'close' || this.#transport === undefined) {
      this.complete()
    } else {
      this.#release()
      this.#transport.abortConnection()
    }
  }

  /** Says that we are going to close, while there is still time to send a farewell. */
  #announce(): void {
    if (this.#ending || this.#announced) return
    this.#announced = true
    try {
      this.#events.closing?.()
    } catch (error) {
      report({ error, what: 'The observer of `closing` threw', subject: this })
    }
  }

  /** We close: nothing is sent any more, and nothing delivered but the end. */
  #release(): void {
    this.#stream.drop()
    this.#leave()
  }

  #leave(): void {
    if (this.#ending) return
    this.#ending = true
    this.#events.ending?.()
  }

  #subscriberThrew(error: unknown): void {
    const whose = this.#transport === undefined ? 'a connection' : `the connection with ${this.#transport.peer}`
    if (this.#end === undefined) {
      report({ error, what: `A subscriber of ${whose} threw, so it is aborted`, subject: this })
      this.#reported = true
      this.error(error)
    } else if (error !== this.#end.error) {
      report({ error, what: `A subscriber of ${whose} threw at its end`, subject: this })
    } else if (!this.#reported) {
      // RxJS throws the error of a stream at a subscriber that takes none.
      report({ error, what: `Nobody took the error that ended ${whose}`, subject: this })
      this.#reported = true
    }
  }
}
