/**
 * Writes all that a source has to a connection, no faster than the connection takes it.
 *
 * Ancestor: `twisted.protocols.basic.FileSender`.
 */
import { from, type ObservableInput, Subject, takeUntil } from 'rxjs'
import type { Data } from '../core/bytes.ts'
import { ConnectionLost } from '../core/errors.ts'
import type { PushProducer } from '../core/producer.ts'
import type { Transport } from '../core/transport.ts'
import { Deferred } from '../deferred/deferred.ts'
import { asFailure } from '../deferred/deferred.ts'
import { Conversation } from './conversation.ts'
import { type Hold, hold } from './delivery.ts'
import { OutboxOverflow } from './errors.ts'

/** How {@link writeAll} writes. */
export interface WriteAllOptions {
  /** So many values of an Observable may wait while the connection takes none: 1,024 unless given. */
  readonly maxWaiting?: number
}

/**
 * Writes what `source` has: bytes or text to a transport, messages to a conversation. It is registered as the producer
 * there, so that while more than 64 KiB are queued
 *
 * - an iterable or async iterable is not asked for more: give those as they are, not wrapped in `from`;
 * - values that come from another connection through the bridge are in hand (see {@link hold}), so that connection is
 *   paused in its turn: a proxy is two of these;
 * - values of any other Observable, which nobody can hold back, wait, up to `maxWaiting`.
 *
 * The connection stays open. Cancelling the Deferred stops it. A peer that has ended its side still gets the rest, as
 * `nc -N` wants it: a connection whose peer has gone ends when the source does, when something is written to it, or
 * when the system asks for the peer (after 60 s). A source that may be silent for ever is subscribed instead, as in
 * `room.subscribe(member)`.
 *
 * @returns fires when everything is written. Fails with the source's error; with ConnectionLost if the connection ends
 *   before; with OutboxOverflow if too many values wait; with what `send` throws for a message that cannot be sent;
 *   with Error if another producer is registered
 * @example listen(endpoint, bytes()).subscribe((client) => void writeAll(countdown(), client))
 */
export function writeAll<T>(
  source: ObservableInput<T>,
  to: Conversation<unknown, T>,
  options?: WriteAllOptions,
): Deferred<void>
export function writeAll(source: ObservableInput<Data>, to: Transport, options?: WriteAllOptions): Deferred<void>
export function writeAll<T>(
  source: ObservableInput<T>,
  to: Conversation<unknown, T> | Transport,
  { maxWaiting = 1024 }: WriteAllOptions = {},
): Deferred<void> {
  const writer =
    to instanceof Conversation
      ? new Writer<T>(to.transport, (message) => to.send(message), maxWaiting)
      : new Writer<T>(to, (data) => to.write(data as Data), maxWaiting)
  return writer.start(source)
}

class Writer<T> implements PushProducer {
  readonly #transport: Transport
  readonly #write: (value: T) => void
  readonly #maxWaiting: number
  readonly #done = new Deferred<void>(() => this.#stop())
  #waiting: { readonly value: T; readonly inHand: Hold }[] = []
  #paused = false
  #stopped = false
  /** The source has nothing more. */
  #exhausted = false
  #pull: (() => void) | undefined
  #abandon: (() => void) | undefined

  constructor(transport: Transport, write: (value: T) => void, maxWaiting: number) {
    this.#transport = transport
    this.#write = write
    this.#maxWaiting = maxWaiting
  }

  start(source: ObservableInput<T>): Deferred<void> {
    try {
      this.#transport.registerProducer(this, true)
    } catch (error) {
      this.#stopped = true
      this.#done.errback(error)
      return this.#done
    }
    if (this.#stopped) return this.#done
    try {
      if (isIterable(source)) this.#pullFrom(source[Symbol.iterator]())
      else if (isAsyncIterable(source)) this.#pullLaterFrom(source[Symbol.asyncIterator]())
      else this.#subscribe(source)
    } catch (error) {
      this.#finish({ error })
    }
    return this.#done
  }

  pauseProducing(): void {
    this.#paused = true
  }

  resumeProducing(): void {
    this.#paused = false
    while (!this.#paused && !this.#stopped) {
      const next = this.#waiting.shift()
      if (next === undefined) break
      this.#writeOne(next.value)
      next.inHand.release()
    }
    this.#pull?.()
    this.#finishIfDone()
  }

  /** The connection is closed. */
  stopProducing(): void {
    if (this.#stopped) return
    this.#stop()
    this.#done.errback(new ConnectionLost(`${this.#transport.peer}: closed before everything was written`))
  }

  #subscribe(source: ObservableInput<T>): void {
    // Not by its subscription, which is not there yet while a source emits inside of `subscribe`.
    const stopped = new Subject<void>()
    this.#abandon = () => stopped.next()
    from(source)
      .pipe(takeUntil(stopped))
      .subscribe({
        next: (value) => this.#offered(value),
        error: (error: unknown) => this.#finish({ error }),
        complete: () => {
          this.#exhausted = true
          this.#finishIfDone()
        },
      })
  }

  #offered(value: T): void {
    if (this.#stopped) return
    if (!this.#paused) this.#writeOne(value)
    else if (this.#waiting.length < this.#maxWaiting) this.#waiting.push({ value, inHand: hold() })
    else {
      const why = `${this.#transport.peer} reads more slowly`
      const error = new OutboxOverflow(this.#maxWaiting, why, 'give an iterable, which can wait, or raise maxWaiting')
      this.#finish({ error })
    }
  }

  #pullFrom(iterator: Iterator<T>): void {
    this.#abandon = () => void iterator.return?.()
    let pulling = false
    this.#pull = () => {
      if (pulling) return
      pulling = true
      try {
        while (!this.#paused && !this.#stopped && !this.#exhausted) {
          const next = iterator.next()
          if (next.done === true) this.#exhausted = true
          else this.#writeOne(next.value)
        }
      } catch (error) {
        this.#finish({ error })
      }
      pulling = false
      this.#finishIfDone()
    }
    this.#pull()
  }

  #pullLaterFrom(iterator: AsyncIterator<T>): void {
    this.#abandon = () => void iterator.return?.().then(undefined, () => {})
    let pulling = false
    this.#pull = () => {
      if (pulling || this.#paused || this.#stopped || this.#exhausted) return
      pulling = true
      iterator.next().then(
        (next) => {
          pulling = false
          if (next.done === true) this.#exhausted = true
          else this.#offered(next.value)
          this.#pull?.()
          this.#finishIfDone()
        },
        (error: unknown) => this.#finish({ error }),
      )
    }
    this.#pull()
  }

  #writeOne(value: T): void {
    try {
      this.#write(value)
    } catch (error) {
      this.#finish({ error })
    }
  }

  #finishIfDone(): void {
    if (this.#exhausted && this.#waiting.length === 0) this.#finish({})
  }

  #finish(end: { readonly error?: unknown }): void {
    if (this.#stopped) return
    this.#stop()
    if ('error' in end) this.#done.errback(asFailure(end.error))
    else this.#done.callback()
  }

  /** Asks for no more, holds nothing back, and is no producer any more. */
  #stop(): void {
    this.#stopped = true
    this.#transport.unregisterProducer()
    if (!this.#exhausted) this.#abandon?.()
    for (const { inHand } of this.#waiting.splice(0)) inHand.release()
  }
}

function isIterable<T>(source: ObservableInput<T>): source is Iterable<T> & ObservableInput<T> {
  return Symbol.iterator in Object(source) && !isObservable(source)
}

function isAsyncIterable<T>(source: ObservableInput<T>): source is AsyncIterable<T> & ObservableInput<T> {
  return Symbol.asyncIterator in Object(source) && !isObservable(source)
}

/** A Deferred has `Symbol.iterator`, for `yield*`; what it gives is no list of values. */
function isObservable(source: unknown): boolean {
  return '@@observable' in Object(source)
}
