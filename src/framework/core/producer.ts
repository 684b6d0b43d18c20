/**
 * Backpressure: a producer makes data and can be told to wait, a consumer takes it and tells the producer.
 *
 * Ancestor: `IPushProducer`, `IPullProducer` and `IConsumer` of `twisted.internet.interfaces`.
 */
import type { Data } from './bytes.ts'
import type { Hook } from './protocol.ts'

/** Something that goes on producing until it is told to stop. */
export interface Producer {
  /** Nobody wants more data: make no more. Called once at most, and nothing after it. */
  stopProducing(): Hook
}

/** Produces when it likes, and waits when told to. Registered with `streaming` true; starts out un-paused. */
export interface PushProducer extends Producer {
  /** Wait: more than 64 KiB are queued. Never twice without a {@link resumeProducing} between. */
  pauseProducing(): Hook
  /** Go on: the queue is empty. Only ever after {@link pauseProducing}. */
  resumeProducing(): Hook
}

/** Produces one piece whenever it is asked. Registered with `streaming` false. */
export interface PullProducer extends Producer {
  /** Write one piece before this returns, or before what it returns settles. You are asked again in a later turn. */
  resumeProducing(): Hook
}

/** Takes data, and holds back the producer that makes too much of it. */
export interface Consumer {
  /** Takes data, now or later, in the order in which it was written. */
  write(data: Data): void

  /**
   * From now on `producer` is paused while too much waits here. If the consumer is closed already, the producer is
   * told to stop and is not registered.
   *
   * @param streaming true for a {@link PushProducer}, false for a {@link PullProducer}
   * @throws Error if a producer is registered already
   */
  registerProducer(producer: PushProducer, streaming: true): void
  /** The same for a producer that is asked for each piece. */
  registerProducer(producer: PullProducer, streaming: false): void

  /** The producer has finished. A `loseConnection` that waited for it goes on. */
  unregisterProducer(): void
}

/**
 * Lets a pull producer feed a consumer that only pauses and resumes: asks it for one piece after another, each in a
 * turn of its own, until it is paused. Ancestor: `twisted.internet._producer_helpers._PullToPush`.
 *
 * @param soon calls its argument in a later turn, `(f) => clock.callLater(0, f)` for example
 * @returns a push producer that is paused: resume it once to begin
 */
export function pullToPush(producer: PullProducer, soon: (f: () => Hook) => void): PushProducer {
  let running = false
  let asking = false
  let stopped = false

  const ask = (): Hook => {
    if (!running || stopped) {
      asking = false
      return
    }
    const written = producer.resumeProducing()
    if (written === undefined) soon(ask)
    else return written.then(() => soon(ask))
  }

  return {
    pauseProducing() {
      running = false
    },
    resumeProducing() {
      running = true
      if (asking || stopped) return
      asking = true
      return ask()
    },
    stopProducing() {
      stopped = true
      return producer.stopProducing()
    },
  }
}
