/**
 * A connection to an endpoint as a Subject-like duplex: subscribe to what the peer says, and `next` what you say.
 *
 * Ancestor: `webSocket` of rxjs/webSocket, over any endpoint and with any protocol. Grammar, for each connection:
 * `opened (closing? | end)`. The first subscription connects, more of them share the connection, and after its end the
 * next one connects anew; so `retry` and `repeat` reconnect.
 */
import { filter, type NextObserver, Observable, type Observer } from 'rxjs'
import { Factory } from '../core/factory.ts'
import type { PushProducer } from '../core/producer.ts'
import type { Protocol } from '../core/protocol.ts'
import type { Deferred } from '../deferred/deferred.ts'
import type { ClientEndpoint } from '../endpoints/endpoint.ts'
import { Conversation, type ConversationOptions } from './conversation.ts'
import { OutboxOverflow } from './errors.ts'
import type { Receiver } from './receiver.ts'

/** How {@link connect} connects. */
export interface ConnectionOptions<In, Out> extends ConversationOptions {
  /**
   * Told when a connection is made, with the conversation that it begins: what it sends goes out before anything else.
   * What it throws aborts the connection.
   */
  readonly opened?: NextObserver<Conversation<In, Out>> | undefined
  /** Told when we are about to close, because all have unsubscribed or `complete` was called: time for a farewell. */
  readonly closing?: NextObserver<void> | undefined
  /** So many messages may wait to be sent while there is no connection: 1,024 unless given. */
  readonly maxWaiting?: number | undefined
}

/**
 * Makes the duplex; it connects when somebody subscribes. It fails with a ConnectError if there is no connection, and
 * as {@link Conversation} does if there was one.
 *
 * @example
 * const chat = connect(clientFromString(reactor, 'tcp:localhost:8000'), lines())
 * chat.pipe(map(toText), retryWithBackoff(reactor)).subscribe(console.log)
 * chat.next('hello')
 */
export function connect<In, Out = In>(
  endpoint: ClientEndpoint,
  receiver: Receiver<In, Out>,
  options: ConnectionOptions<In, Out> = {},
): ConnectionSubject<In, Out> {
  return new ConnectionSubject(endpoint, receiver, options)
}

/** What {@link connect} returns. */
export class ConnectionSubject<In, Out = In> extends Observable<In> implements Observer<Out>, PushProducer {
  readonly #endpoint: ClientEndpoint
  readonly #receiver: Receiver<In, Out>
  readonly #options: ConnectionOptions<In, Out>
  /** The connection that subscribers share, being made or made; none once it ends. */
  #session: Conversation<In, Out> | undefined
  #paused = false
  /** What was to be sent while there was no connection. */
  #outbox: Out[] = []
  #overflow: OutboxOverflow | undefined
  /** What is to be said first on each connection. */
  readonly #greetings = new Set<() => void>()

  /** Made by {@link connect}. */
  constructor(endpoint: ClientEndpoint, receiver: Receiver<In, Out>, options: ConnectionOptions<In, Out>) {
    super((subscriber) => {
      const session = this.#session ?? this.#begin()
      session.subscribe(subscriber)
    })
    this.#endpoint = endpoint
    this.#receiver = receiver
    this.#options = options
  }

  /** Whether there is a connection now. */
  get open(): boolean {
    return this.#session?.open === true
  }

  /**
   * Sends one message; it never throws. While there is no connection the message waits for the next one. One that
   * cannot be sent, and one more than may wait, ends the connection, or the next attempt, with an error.
   */
  next(message: Out): void {
    const { maxWaiting = 1024 } = this.#options
    if (this.#session?.open === true) {
      this.#session.next(message)
    } else if (this.#outbox.length < maxWaiting) {
      this.#outbox.push(message)
    } else if (this.#overflow === undefined) {
      const advice = 'subscribe, so that it connects, or raise maxWaiting'
      this.#overflow = new OutboxOverflow(maxWaiting, 'there is no connection', advice)
      this.#session?.failed(this.#takeOverflow())
    }
  }

  /** Aborts the connection: see {@link Conversation.error}. */
  error(error: unknown): void {
    this.#session?.error(error)
  }

  /** Closes the connection: see {@link Conversation.complete}. The next subscription makes another. */
  complete(): void {
    this.#session?.complete()
  }

  /**
   * A conversation within the conversation: says `subscribe()` when it is subscribed to (on a connection that is still
   * to be made, before anything else), `unsubscribe()` when it is left while the connection lasts, and delivers what
   * `matches`. With `retry` behind it, it says `subscribe()` again on the next connection.
   *
   * @example const news = hub.multiplex(() => 'join news', () => 'leave news', (line) => line.startsWith('news '))
   */
  multiplex(subscribe: () => Out, unsubscribe: () => Out, matches: (message: In) => boolean): Observable<In> {
    return new Observable<In>((subscriber) => {
      let said: Conversation<In, Out> | undefined
      const greet = (): void => {
        said = this.#session
        this.next(subscribe())
      }
      // Before the subscription below, so that it is torn down first: after that the connection may be closing.
      subscriber.add(() => {
        this.#greetings.delete(greet)
        if (said?.open === true) said.next(unsubscribe())
      })
      this.#greetings.add(greet)
      const already = this.open
      this.pipe(filter(matches)).subscribe(subscriber)
      if (already && !subscriber.closed) greet()
    })
  }

  /** Delivers nothing until {@link resumeProducing}, on this connection and on later ones. */
  pauseProducing(): void {
    this.#paused = true
    this.#session?.pauseProducing()
  }

  resumeProducing(): void {
    this.#paused = false
    this.#session?.resumeProducing()
  }

  /** The same as {@link complete}. */
  stopProducing(): void {
    this.complete()
  }

  #begin(): Conversation<In, Out> {
    let attempt: Deferred<Protocol> | undefined
    let made = false
    const session: Conversation<In, Out> = new Conversation(this.#receiver, this.#options, {
      made: () => {
        made = true
        this.#options.opened?.next(session)
        for (const greet of this.#greetings) greet()
        for (const message of this.#outbox.splice(0)) this.next(message)
      },
      closing: () => this.#options.closing?.next(),
      ending: () => {
        if (this.#session === session) this.#session = undefined
        if (!made) attempt?.cancel()
      },
    })
    this.#session = session
    if (this.#paused) session.pauseProducing()
    if (this.#overflow === undefined) {
      attempt = this.#endpoint.connect(Factory.forProtocol(() => session.protocol))
      attempt.addErrback(({ value }) => session.failed(value))
    } else {
      session.failed(this.#takeOverflow())
    }
    return session
  }

  #takeOverflow(): OutboxOverflow | undefined {
    const overflow = this.#overflow
    this.#overflow = undefined
    this.#outbox = []
    return overflow
  }
}
