/**
 * The layer that lets out no more than a token bucket allows; the rest waits here.
 *
 * Towards the connection below it is a registered producer for as long as anything waits, so that closing waits for it
 * as for any other. Towards the protocol it makes the promises of a connection: a producer is paused above 64 KiB,
 * without one reading stops, and above `maxSendQueue` the connection is aborted. Ancestor: `ThrottlingProtocol`.
 */
import { copy, type Data, toBytes } from '../core/bytes.ts'
import type { Clock } from '../core/clock.ts'
import { type ConnectionClosed, SendQueueOverflow, TLSError } from '../core/errors.ts'
import { type PullProducer, pullToPush, type PushProducer } from '../core/producer.ts'
import type { Hook } from '../core/protocol.ts'
import { highWater } from '../core/stream-connection.ts'
import type { StartTLSOptions } from '../core/tls.ts'
import type { Connection } from '../core/transport.ts'
import { Deferred } from '../deferred/deferred.ts'
import { Layer } from './layer.ts'
import type { TokenBucket } from './token-bucket.ts'

/** Limits of what waits, as a connection has them. */
export interface WriteOptions {
  /** Bytes that may wait to be sent before the connection is aborted with SendQueueOverflow. 1 MiB unless given. */
  readonly maxSendQueue?: number | undefined
  /** Read on while more than 64 KiB wait to be sent: for protocols in which both sides write at length. */
  readonly readWhileFull?: boolean | undefined
}

/** A waiting queue sends no more often than this, or a slow rate would be a packet for each byte. Milliseconds. */
const pulse = 50
/** Smaller pieces are copied, as a connection does; who writes them may use the memory again. Bytes. */
const copyLimit = 2048

export class WriteThrottle extends Layer {
  readonly #clock: Clock
  readonly #bucket: TokenBucket
  readonly #options: WriteOptions
  #pieces: Uint8Array[] = []
  /** How many of the pieces have left already. */
  #gone = 0
  #size = 0
  /** We are the producer of the connection below. */
  #feeding = false
  /** The connection below has enough for now. */
  #full = false
  /** There while we wait for tokens: gives that up. */
  #stopWaiting: (() => void) | undefined
  #producer: PushProducer | undefined
  #producerPaused = false
  /** Too much waits, and nobody produces it: the peer is not read from. */
  #stalled = false
  /** `loseWriteConnection` was called. */
  #ending = false

  constructor(connection: Connection, clock: Clock, bucket: TokenBucket, options: WriteOptions = {}) {
    super(connection)
    this.#clock = clock
    this.#bucket = bucket
    this.#options = options
  }

  /* ---------------------------------------------------------------- what the protocol above does */

  override get queued(): number {
    return this.#size + this.transport.queued
  }

  override get paused(): boolean {
    return this.#stalled || super.paused
  }

  override write(data: Data): void {
    if (data.length === 0 || !this.#mayWrite) return
    const before = this.queued
    const bytes = toBytes(data)
    this.#pieces.push(bytes === data && bytes.length <= copyLimit ? copy(bytes) : bytes)
    this.#size += bytes.length
    const { maxSendQueue = 1024 * 1024, readWhileFull = false } = this.#options
    if (before > 0 && this.queued > maxSendQueue) {
      this.abortConnection(new SendQueueOverflow(this.peer, this.queued, maxSendQueue))
      return
    }
    this.#feed()
    this.#pump()
    if (this.queued <= highWater) return
    if (this.#producer === undefined) {
      if (readWhileFull) return
      this.#stalled = true
      this.holdInput()
    } else {
      this.guard('pauseProducing', () => this.#pauseProducer())
    }
  }

  override abortConnection(cause?: Error): void {
    super.abortConnection(cause)
    this.#drop()
  }

  /** Fails if something waits here: it would leave encrypted, and nobody knows what the peer makes of that. */
  override startTLS(options: StartTLSOptions): Deferred<void> {
    if (this.#size === 0) return super.startTLS(options)
    const failed = new Deferred<void>()
    const why = `${this.#size} bytes wait in the throttle that were written before (it is for connections that begin with TLS)`
    failed.errback(new TLSError(this.peer, 'handshake', 'ERR_TLS_THROTTLED', why))
    return failed
  }

  override loseWriteConnection(): void {
    if (!this.disconnecting) this.#ending = true
    super.loseWriteConnection()
  }

  override registerProducer(producer: PushProducer, streaming: true): void
  override registerProducer(producer: PullProducer, streaming: false): void
  override registerProducer(producer: PushProducer | PullProducer, streaming: boolean): void {
    if (this.#producer !== undefined) {
      throw new Error(`${this.peer}: a producer is registered already (unregisterProducer() it first)`)
    }
    if (!this.#mayWrite) {
      this.guard('stopProducing', () => producer.stopProducing())
      return
    }
    this.#producerPaused = false
    if (streaming) {
      this.#producer = producer as PushProducer
    } else {
      const asked = pullToPush(producer, (ask) => this.#soon(() => (this.#producer === asked ? ask() : undefined)))
      this.#producer = asked
    }
    this.#feed()
    if (!streaming) this.guard('resumeProducing', () => this.#producer?.resumeProducing())
  }

  override unregisterProducer(): void {
    this.#producer = undefined
    this.#producerPaused = false
    this.#feed()
  }

  /* ---------------------------------------------------------------- what the connection below says */

  override connectionLost(reason: ConnectionClosed): Hook {
    this.#drop()
    return super.connectionLost(reason)
  }

  /** What the connection below sees: one producer, whoever writes. */
  readonly #asProducer: PushProducer = {
    pauseProducing: () => {
      this.#full = true
      return this.#pauseProducer()
    },
    resumeProducing: () => {
      this.#full = false
      this.#pump()
    },
    stopProducing: () => {
      this.#drop()
      const producer = this.#producer
      this.#producer = undefined
      return producer?.stopProducing()
    },
  }

  /* ---------------------------------------------------------------- the queue */

  /** As a connection decides it: a producer may write until it has finished, anybody else until the close begins. */
  get #mayWrite(): boolean {
    if (this.disconnected) return false
    return this.#producer !== undefined || (!this.disconnecting && !this.#ending)
  }

  /** We are the producer of the connection below for as long as something waits, or may still come. */
  #feed(): void {
    const needed = this.#size > 0 || this.#producer !== undefined
    if (needed === this.#feeding || this.disconnected) return
    this.#feeding = needed
    this.#full = false
    if (needed) {
      this.transport.registerProducer(this.#asProducer, true)
    } else {
      this.transport.unregisterProducer()
      this.#stalled = false
      this.releaseInput()
    }
  }

  /** Sends what there are tokens for, and comes back for the rest. */
  #pump(): void {
    while (this.#size > 0 && !this.#full && this.#stopWaiting === undefined && !this.disconnected) {
      const turn = this.#bucket.within(pulse)
      const least = Math.min(this.#size, turn)
      // Among others, for a whole turn: while we wait for it, more may be written.
      if (this.#bucket.awaited) this.#wait(turn)
      else if (this.#bucket.tokens < least) this.#wait(least)
      else this.#send(this.#bucket.tokens)
    }
    if (this.#size === 0 && !this.#full) this.#drained()
  }

  /** When it is our turn we send so much and line up again: so all who share the bucket get their part. */
  #wait(tokens: number): void {
    this.#stopWaiting = this.#bucket.wait(tokens, () => {
      this.#stopWaiting = undefined
      for (let left = tokens; left > 0 && this.#size > 0 && !this.#full;) left -= this.#send(left)
      this.#pump()
    })
  }

  /** Sends `most` bytes of the first piece, or all of it. @returns how many that were */
  #send(most: number): number {
    const first = this.#pieces[this.#gone]
    if (first === undefined) return 0
    const piece = first.length <= most ? first : first.subarray(0, most)
    if (piece === first) this.#gone++
    else this.#pieces[this.#gone] = first.subarray(most)
    // Not one by one: taking the first of many pieces costs as much as there are pieces.
    if (this.#gone * 2 > this.#pieces.length) {
      this.#pieces.splice(0, this.#gone)
      this.#gone = 0
    }
    this.#size -= piece.length
    this.#bucket.take(piece.length)
    this.transport.write(piece)
    return piece.length
  }

  /** Nothing waits any more: whoever was held back goes on, in a later turn. */
  #drained(): void {
    if (this.#producerPaused) this.#soon(() => this.#resumeProducer())
    this.#feed()
  }

  #pauseProducer(): Hook {
    if (this.#producer === undefined || this.#producerPaused) return
    this.#producerPaused = true
    return this.#producer.pauseProducing()
  }

  #resumeProducer(): Hook {
    if (!this.#producerPaused || this.#size > 0 || this.#full) return
    this.#producerPaused = false
    return this.#producer?.resumeProducing()
  }

  #drop(): void {
    this.#pieces = []
    this.#gone = this.#size = 0
    this.#stopWaiting?.()
    this.#stopWaiting = undefined
  }

  #soon(hook: () => Hook): void {
    this.#clock.callLater(0, () => {
      if (!this.disconnected) this.guard('resumeProducing', hook)
    })
  }
}
