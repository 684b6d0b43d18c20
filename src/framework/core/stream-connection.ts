/**
 * A connection over any stream of bytes: the life cycle, the queue, backpressure and closing, once for every transport.
 *
 * A medium (a socket, a simulated pipe) is a subclass: it moves bytes and says what happened; everything a Protocol can
 * observe is decided here, so that it is the same everywhere. Ancestors: `twisted.internet.abstract.FileDescriptor` and
 * `twisted.internet.tcp.Connection`.
 */
import { Deferred } from '../deferred/deferred.ts'
import { report } from '../deferred/reporter.ts'
import { type Seq, trace } from '../trace/hook.ts'
import type { Address } from './address.ts'
import type { Data } from './bytes.ts'
import { abortedBy, Ending, lostBecause } from './ending.ts'
import {
  type ConnectionClosed,
  ConnectionDone,
  ConnectionLost,
  LingerTimeout,
  RemoteProtocolError,
  SendQueueOverflow,
  TLSError,
  UnsupportedAddress,
  withoutStack,
} from './errors.ts'
import { adopt, asError, guarded, type HookOwner } from './guard.ts'
import { pullToPush, type PullProducer, type PushProducer } from './producer.ts'
import type { Hook, Protocol } from './protocol.ts'
import type { Reactor } from './reactor.ts'
import type { SendQueue } from './send-queue.ts'
import { checkTLSOptions, type StartTLSOptions, type TLSFacts } from './tls.ts'
import { StreamTrace } from './stream-trace.ts'
import { TLSUpgrade } from './tls-upgrade.ts'
import type { Connection, LoseOptions } from './transport.ts'
import type { Flushable } from './turn.ts'

/** Limits of one connection; every one has a default. */
export interface ConnectionLimits {
  /** Bytes that may wait to be sent before the connection is aborted. 1 MiB unless given. */
  readonly maxSendQueue?: number | undefined
  /** Read on while more than 64 KiB wait to be sent: for protocols in which both sides write at length. */
  readonly readWhileFull?: boolean | undefined
  /** Milliseconds without progress after which `loseConnection` stops waiting for the peer. 5,000 unless given. */
  readonly linger?: number | undefined
}

/** Above so many queued bytes a producer is paused, or reading stops. */
export const highWater = 64 * 1024
/** So many bytes go to the medium at once: enough for one system call, little enough to see a slow peer's progress. */
const mostInFlight = 256 * 1024
/** So many bytes are not gathered any longer: they leave in the middle of the turn. */
const mostGathered = 128 * 1024
/** After our FIN, so many bytes of the peer's are read and thrown away. */
const mostDiscarded = 1024 * 1024

/** How far a connection has come in its life; it only goes on. */
const Life = {
  open: 0,
  /** Closing has begun: nothing is delivered any more. */
  losing: 1,
  /** Both directions are over: the medium was told to close. */
  closing: 2,
  /** Everything was dropped: the medium was told to reset. */
  aborted: 3,
  /** The medium is closed. */
  lost: 4,
} as const
type Life = (typeof Life)[keyof typeof Life]

export abstract class StreamConnection implements Connection, Flushable, HookOwner {
  readonly peer: Address
  readonly host: Address
  protected readonly reactor: Reactor
  readonly #limits: ConnectionLimits
  readonly #ended: ((connection: StreamConnection) => void) | undefined
  /** Above so many queued bytes there is something to do about it. */
  readonly #watermark: number
  #protocol: Protocol | undefined

  /** Lent by the turn while there is something in it. */
  #queue: SendQueue | undefined
  #producer: PushProducer | undefined
  #producerPaused = false

  #reading = false
  #paused = false
  #stalled = false

  #life: Life = Life.open
  /** The output side: open, told to end once all is sent, the FIN on its way, the FIN with the kernel. */
  #output: 'open' | 'ending' | 'finishing' | 'finished' = 'open'
  /** The input side: open, the peer's FIN is here and the protocol cannot hear of it yet, over. */
  #input: 'open' | 'finWaits' | 'over' = 'open'
  /** Made when the end comes into sight: most connections are far from theirs. */
  #end: Ending | undefined

  #upgrade: TLSUpgrade | undefined
  #traced: StreamTrace | undefined

  /**
   * @param ended is called last of all, after `connectionLost`
   */
  constructor(
    reactor: Reactor,
    host: Address,
    peer: Address,
    limits: ConnectionLimits = {},
    ended?: (connection: StreamConnection) => void,
  ) {
    this.reactor = reactor
    this.host = host
    this.peer = peer
    this.#limits = limits
    this.#watermark = Math.min(highWater, this.#maxSendQueue)
    this.#ended = ended
    const seq = trace?.at('conn.open', this, { addr: String(peer), p: reactor })
    if (seq !== undefined) trace?.mark(this, seq)
  }

  /* ---------------------------------------------------------------- what a medium does */

  /** From now on call {@link received} with what arrives. */
  protected abstract startReading(): void
  /** Call {@link received} no more, until asked to start again. */
  protected abstract stopReading(): void
  /**
   * Hand the pieces on, in order. A medium that can tell calls {@link progressed} on the way.
   *
   * @returns true if all of them have left already; otherwise call {@link transmitted} when they have
   */
  protected abstract transmit(pieces: readonly Uint8Array[]): boolean
  /** Bytes of what {@link transmit} was given that have not left. A medium that is asked may know better than we do. */
  protected stillInFlight(): number {
    return this.#queue?.inFlight ?? 0
  }
  /**
   * Everything written is transmitted, and reading has stopped: shake hands over what is there, verify the peer, and go
   * on encrypted. A medium that has no TLS leaves it out.
   *
   * @returns fires when {@link tls} says so; fails with TLSError, and then the medium is closed, and {@link closed}
   *   follows or has been called
   */
  protected secure?(options: StartTLSOptions): Deferred<unknown>
  /** Everything is transmitted: tell the peer that no more will come, then call {@link finished}. */
  protected abstract finish(): void
  /** Both directions are over: close, then call {@link closed}, in a later event. */
  protected abstract close(): void
  /** Drop everything, tell the peer with a reset, then call {@link closed}, in a later event. May follow `close()`. */
  protected abstract reset(): void

  /* ---------------------------------------------------------------- what a medium says */

  /**
   * So many bytes have reached this end's receive buffer, and will be {@link received}. For media that can tell.
   *
   * @param by the event that sent them
   */
  protected arrived(length: number, by?: Seq): Seq | undefined {
    return trace === undefined ? undefined : this.#streams().arrived(length, by)
  }

  /**
   * A chunk for the protocol: 1 byte or more, and nobody else will use its memory.
   *
   * @param arrived what {@link arrived} returned, if it was called
   */
  protected received(chunk: Uint8Array, arrived = this.arrived(chunk.length)): void {
    if (this.#life !== Life.open || this.#protocol === undefined) {
      this.#discard(chunk)
      return
    }
    const turn = this.reactor.turn
    turn.enter()
    const span = trace === undefined ? undefined : this.#streams().received(chunk, arrived)
    try {
      const returned = this.#protocol.dataReceived(chunk)
      if (returned !== undefined) adopt(returned, 'dataReceived', this)
    } catch (error) {
      this.hookFailed(error, 'dataReceived')
    } finally {
      if (span !== undefined) trace?.end(span)
      turn.leave()
    }
  }

  /** So many bytes of what {@link transmit} was given have left; more may follow. For media that can tell. */
  protected progressed(length: number): Seq | undefined {
    const queue = this.#queue
    if (this.disconnected || queue === undefined) return undefined
    this.#end?.restartLinger(this.#lingerTime)
    return this.#left(queue, length)
  }

  /** What {@link transmit} could not hand on at once has left now. */
  protected transmitted(): void {
    if (this.disconnected || this.#queue === undefined) return
    this.#allLeft(this.#queue)
    this.#end?.restartLinger(this.#lingerTime)
    const turn = this.reactor.turn
    turn.enter()
    this.flush()
    turn.leave()
  }

  /** Our FIN is with the kernel. */
  protected finished(): void {
    if (this.disconnected) return
    this.#output = 'finished'
    trace?.at('conn.half', this, { side: 'write' })
    if (!this.#losing && this.#protocol?.writeConnectionLost !== undefined) this.#call('writeConnectionLost')
    this.#end?.restartLinger(this.#lingerTime)
    this.#advance()
  }

  /**
   * The peer's FIN: it will send no more.
   *
   * @param cut what is wrong with it, if it is not an end that the peer can be held to
   */
  protected peerFinished(cut?: Error): void {
    if (cut !== undefined) this.#ending.cut ??= cut
    if (this.disconnected || this.#input === 'over') return
    // The end must not overtake what a paused protocol has yet to hear; nor can it be told to nobody.
    if (!this.#losing && (this.#paused || this.#stalled || this.#protocol === undefined)) {
      this.#input = 'finWaits'
      return
    }
    this.#input = 'over'
    trace?.at('conn.half', this, { side: 'read' })
    const protocol = this.#protocol
    if (!this.#losing && protocol !== undefined) {
      this.#guard('inputEnded', () => {
        const truncated = protocol.inputEnded?.() ?? this.#end?.cut
        if (truncated !== undefined) this.#ending.truncated = truncated
      })
      if (this.disconnected) return
      const goesOn = this.#end?.truncated === undefined && !this.#losing && protocol.readConnectionLost !== undefined
      if (goesOn) this.#call('readConnectionLost')
      else this.#grow(Life.losing)
    }
    this.#advance()
  }

  /**
   * The medium broke; {@link closed} follows.
   *
   * @param why what the error means, for people
   */
  protected failed(error: Error, why = error.message): void {
    this.#ending.reason ??= new ConnectionLost(`${this.peer}: connection lost: ${why}`, { cause: error })
  }

  /** The medium is closed; nothing will come from it any more. Never called from inside one of our calls to it. */
  protected closed(): void {
    if (this.#life === Life.lost) return
    const ending = this.#ending
    // Node closes a socket once both ends have finished; a protocol that is paused hears of its peer's end when it goes
    // on, and says then whether something is missing.
    const hasToHear = this.#life === Life.open && this.#input === 'finWaits' && this.#output === 'finished'
    if (hasToHear && ending.reason === undefined) {
      ending.closedEarly = true
      return
    }
    this.#life = Life.lost
    ending.stopWaiting()
    const reason = this.#whyItEnded()
    this.#drop()
    this.stopProducer()
    this.#endUpgrade(reason)
    const seq = trace?.at('conn.lost', this, { reason: reason.name, clean: reason instanceof ConnectionDone })
    if (seq !== undefined) trace?.mark(this, seq)
    this.#guard('connectionLost', () => this.#protocol?.connectionLost(reason))
    for (const watcher of ending.watchers ?? []) watcher.callback(reason)
    this.#ended?.(this)
  }

  /* ---------------------------------------------------------------- Connection */

  deliverTo(protocol: Protocol): void {
    if (this.#end?.reason !== undefined) throw this.#end.reason
    if (this.disconnected) throw this.#whyItEnded()
    if (this.#protocol !== undefined) throw new Error(`${this.peer}: this connection has its protocol already`)
    this.#protocol = protocol
    if (trace !== undefined) {
      const ends = { local: String(this.host), remote: String(this.peer) }
      trace.mark(this, trace.at('conn.made', this, ends, trace.marked(this)))
    }
    let thrown: { error: unknown } | undefined
    this.#guard('connectionMade', () => {
      try {
        return protocol.makeConnection(this)
      } catch (error) {
        thrown = { error }
      }
    })
    if (thrown !== undefined) {
      this.abortConnection(asError(thrown.error))
      throw thrown.error
    }
    this.#adjustReading()
    this.#tellOfFIN()
  }

  askToStop(): void {
    if (this.disconnecting) return
    if (this.#protocol?.stopping === undefined) this.loseConnection()
    else this.#call('stopping')
  }

  whenLost(): Deferred<ConnectionClosed> {
    const watcher = new Deferred<ConnectionClosed>()
    if (this.#life === Life.lost) watcher.callback(this.#whyItEnded())
    else (this.#ending.watchers ??= []).push(watcher)
    return watcher
  }

  /* ---------------------------------------------------------------- Transport */

  get disconnecting(): boolean {
    return this.#life !== Life.open
  }

  get paused(): boolean {
    return this.#paused || this.#stalled || this.#upgrade !== undefined
  }

  get disconnected(): boolean {
    return this.#life >= Life.aborted
  }

  get queued(): number {
    const queue = this.#queue
    const sending = queue === undefined ? 0 : queue.size + queue.inFlight
    return this.#upgrade === undefined ? sending : sending + this.#upgrade.heldSize
  }

  /** A medium that has TLS says here what it knows of it. */
  get tls(): TLSFacts | undefined {
    return undefined
  }

  write(data: Data): void {
    if (data.length === 0 || !this.#mayWrite) return
    const length = this.#upgrade === undefined ? this.#enqueue(data) : this.#upgrade.hold(data)
    if (this.queued > this.#watermark) this.#overfull(length)
  }

  writeSequence(pieces: Iterable<Data>): void {
    for (const piece of pieces) this.write(piece)
  }

  loseConnection({ abortAfter, cause }: LoseOptions = {}): void {
    if (this.disconnected) return
    if (abortAfter !== undefined) {
      this.#ending.setDeadline(this.reactor.callLater(abortAfter, () => this.abortConnection(cause)))
    }
    // Settled now: how the medium ends after this is only a consequence.
    if (cause !== undefined) this.#ending.reason ??= abortedBy(this.peer, cause)
    if (this.#losing) return
    this.#grow(Life.losing)
    trace?.at('conn.close', this, { how: 'lose' })
    if (this.#input === 'finWaits') this.peerFinished()
    else this.#advance()
  }

  abortConnection(cause?: Error): void {
    if (this.disconnected) return
    this.#grow(Life.aborted)
    this.#ending.reason ??= abortedBy(this.peer, cause)
    trace?.at('conn.close', this, { how: 'abort' })
    this.#drop()
    if (this.#end?.closedEarly === true) this.reactor.turn.soon(() => this.closed())
    else this.reset()
  }

  loseWriteConnection(): void {
    if (this.#output !== 'open' || this.disconnecting) return
    this.#output = 'ending'
    this.#advance()
  }

  startTLS(options: StartTLSOptions): Deferred<void> {
    const secured = new Deferred<void>(() => this.abortConnection())
    try {
      checkTLSOptions(options.role, options)
      if (this.secure === undefined) throw new UnsupportedAddress(this.peer, 'this transport knows no TLS')
      if (this.tls !== undefined || this.#upgrade !== undefined) throw new Error(`${this.peer}: TLS has begun already`)
      if (this.disconnecting || this.#output !== 'open' || this.#input !== 'open') {
        throw new TLSError(this.peer, 'handshake', 'ERR_TLS_CLOSING', 'the connection is closing: too late for TLS')
      }
    } catch (error) {
      secured.errback(error)
      return secured
    }
    this.#upgrade = new TLSUpgrade(options, secured)
    this.#adjustReading()
    // The frame in which this was called is to end first, so that what came behind it is seen.
    this.reactor.turn.soon(() => this.#beginTLS())
    return secured
  }

  registerProducer(producer: PushProducer, streaming: true): void
  registerProducer(producer: PullProducer, streaming: false): void
  registerProducer(producer: PushProducer | PullProducer, streaming: boolean): void {
    if (this.#producer !== undefined) {
      throw new Error(`${this.peer}: a producer is registered already (unregisterProducer() it first)`)
    }
    if (!this.#mayWrite) {
      this.#guard('stopProducing', () => producer.stopProducing())
    } else if (streaming) {
      this.#producer = producer as PushProducer
      this.#producerPaused = false
    } else {
      // One that is not registered any more is not asked any more, even if it finished while it was being asked.
      const asked = pullToPush(producer, (ask) =>
        this.#soon('resumeProducing', () => (this.#producer === asked ? ask() : undefined)),
      )
      this.#producer = asked
      this.#producerPaused = false
      this.#callProducer('resumeProducing')
    }
  }

  unregisterProducer(): void {
    this.#producer = undefined
    this.#producerPaused = false
    this.#advance()
  }

  pauseProducing(): void {
    this.#paused = true
    this.#adjustReading()
  }

  resumeProducing(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#adjustReading()
    if (!this.disconnecting && this.#protocol?.inputResumed !== undefined) this.#call('inputResumed')
    this.#tellOfFIN()
  }

  stopProducing(): void {
    this.loseConnection()
  }

  /* ---------------------------------------------------------------- sending */

  /** Sends what this turn has gathered. Called by the reactor's Turn. */
  flush(): void {
    const queue = this.#queue
    if (queue === undefined) return
    queue.dirty = false
    if (queue.inFlight > 0) queue.park()
    else this.#transmitAll(queue)
    if (this.#upgrade !== undefined) this.reactor.turn.soon(() => this.#beginTLS())
    if (this.#queue === queue && queue.size + queue.inFlight === 0) this.#returnQueue()
    const { queued } = this
    if (queued === 0) this.#drained()
    else if (queued > highWater) this.#holdBack()
  }

  /** @returns how many bytes that were */
  #enqueue(data: Data): number {
    const queue = (this.#queue ??= this.reactor.turn.lendQueue())
    const length = queue.add(data)
    if (trace !== undefined) this.#streams(length).written(data, length)
    if (!queue.dirty) {
      queue.dirty = true
      this.reactor.turn.touch(this)
    }
    return length
  }

  /** More waits than should, `length` bytes of it since the last write. */
  #overfull(length: number): void {
    const queue = this.#queue
    const before = this.queued - length
    if (queue !== undefined && queue.size >= mostGathered && queue.inFlight === 0) this.#transmitAll(queue)
    const { queued } = this
    // One write may be larger than all that may wait.
    if (before > 0 && queued > this.#maxSendQueue) {
      this.abortConnection(new SendQueueOverflow(this.peer, queued, this.#maxSendQueue))
    } else if (queued > highWater) {
      this.#holdBack()
    }
  }

  /** More waits than should: whoever makes it is held back, a producer, or else the peer, whose questions we answer. */
  #holdBack(): void {
    if (this.#producer !== undefined) {
      if (this.#producerPaused) return
      this.#producerPaused = true
      this.#callProducer('pauseProducing')
    } else if (this.#queue !== undefined && this.#queue.inFlight > 0 && this.#limits.readWhileFull !== true) {
      // Only when the kernel is known to be full: what was gathered in this turn it has not been offered yet.
      this.#stalled = true
      this.#adjustReading()
    }
  }

  #transmitAll(queue: SendQueue): void {
    while (queue.size > 0 && queue.inFlight === 0) {
      if (!this.transmit(queue.take(mostInFlight))) return
      this.#allLeft(queue)
    }
  }

  /** Some of what was in flight is with the kernel. */
  #left(queue: SendQueue, length: number): Seq | undefined {
    const seq = trace === undefined ? undefined : this.#streams().sent(length)
    queue.left(length)
    return seq
  }

  #allLeft(queue: SendQueue): void {
    if (queue.inFlight > 0) this.#left(queue, queue.inFlight)
    queue.taken()
  }

  #returnQueue(): void {
    const queue = this.#queue
    this.#queue = undefined
    if (queue !== undefined) this.reactor.turn.returnQueue(queue)
  }

  /** Nothing waits any more: whoever was held back goes on. */
  #drained(): void {
    if (this.#stalled) this.#soon('inputResumed', () => this.#goOn())
    // In a later turn: a producer that fills the queue as fast as the kernel empties it must not keep out the others.
    if (this.#producerPaused) this.#soon('resumeProducing', () => this.#resumeProducer())
    this.#advance()
  }

  #resumeProducer(): Hook {
    if (!this.#producerPaused || this.queued > 0) return
    this.#producerPaused = false
    return this.#producer?.resumeProducing()
  }

  get #mayWrite(): boolean {
    if (this.#life === Life.open && this.#output === 'open') return true
    // A producer may finish what it has begun.
    if (this.disconnected || this.#producer === undefined) return false
    return this.#output === 'open' || this.#output === 'ending'
  }

  get #maxSendQueue(): number {
    return this.#limits.maxSendQueue ?? 1024 * 1024
  }

  /* ---------------------------------------------------------------- reading */

  #adjustReading(): void {
    if (this.disconnected) return
    const heldBack = this.#protocol === undefined || this.#paused || this.#stalled
    // While closing we read on, and throw it away: unread input would turn our close into a reset.
    const wanted = this.#input === 'open' && this.#upgrade === undefined && (this.#losing || !heldBack)
    if (wanted === this.#reading) return
    this.#reading = wanted
    trace?.at('flow', this, { op: wanted ? 'resume' : 'pause', who: 'reading' })
    if (wanted) this.startReading()
    else this.stopReading()
  }

  /** In a later turn, as a FIN comes; by then the protocol may have paused again. */
  #tellOfFIN(): void {
    if (this.#input === 'finWaits') this.reactor.turn.soon(() => this.peerFinished())
  }

  /** What was held back while our answers waited is delivered now: what a receiver has kept, then the peer's end. */
  #goOn(): Hook {
    if (!this.#stalled || this.queued > 0) return
    this.#stalled = false
    this.#adjustReading()
    if (this.paused || this.disconnecting) return
    const returned = this.#protocol?.inputResumed?.()
    this.#tellOfFIN()
    return returned
  }

  #discard(chunk: Uint8Array): void {
    if (this.#output !== 'finished' || this.disconnected) return
    const ending = this.#ending
    ending.discarded += chunk.length
    if (ending.discarded > mostDiscarded) this.#stopLingering()
  }

  /** @param now bytes of what waits that are traced only now */
  #streams(now = 0): StreamTrace {
    return (this.#traced ??= new StreamTrace(this, this.queued - now))
  }

  /* ---------------------------------------------------------------- TLS in the middle */

  #beginTLS(): void {
    const upgrade = this.#upgrade
    if (upgrade === undefined || upgrade.begun || this.disconnected) return
    if (this.#queue !== undefined) return
    let pending = 0
    this.#guard('inputPending', () => {
      pending = this.#protocol?.inputPending?.() ?? 0
    })
    if (this.disconnected) return
    if (pending > 0) {
      const what = `${pending} bytes came in the clear where TLS was to begin (somebody may have put them there)`
      upgrade.error = new RemoteProtocolError(`${this.peer}: ${what}`)
      this.abortConnection(upgrade.error)
      return
    }
    upgrade.begun = true
    this.secure?.(upgrade.options).addCallbacks(
      () => this.#secured(upgrade),
      ({ value }) => {
        upgrade.error = asError(value)
        const reason = (this.#ending.reason ??= lostBecause(this.peer, upgrade.error))
        if (this.#life === Life.lost) this.#endUpgrade(reason)
      },
    )
  }

  #secured(upgrade: TLSUpgrade): void {
    if (this.disconnected) return
    this.#upgrade = undefined
    const turn = this.reactor.turn
    turn.enter()
    for (const piece of upgrade.drop()) this.#enqueue(piece)
    upgrade.secured.callback()
    turn.leave()
    this.#adjustReading()
    this.#advance()
  }

  #endUpgrade(reason: ConnectionClosed): void {
    const upgrade = this.#upgrade
    this.#upgrade = undefined
    upgrade?.fail(this.peer, reason)
  }

  /* ---------------------------------------------------------------- closing */

  /** Goes on with closing, as far as it can go now. */
  #advance(): void {
    if (this.disconnected) return
    if (this.#losing) this.#adjustReading()
    else if (this.#output === 'open') return
    if (this.#producer !== undefined) return
    if (this.#losing && this.#ending.linger === undefined) this.#startLingering()
    if (this.queued > 0 || this.#upgrade !== undefined) return
    if (this.#output === 'open' || this.#output === 'ending') {
      this.#output = 'finishing'
      this.finish()
    } else if (this.#output === 'finished' && this.#input === 'over') {
      this.#closeMedium()
    }
  }

  /** The connection comes to `life`; there is no way back. */
  #grow(life: Life): void {
    if (life > this.#life) this.#life = life
  }

  get #losing(): boolean {
    return this.#life >= Life.losing
  }

  get #ending(): Ending {
    return (this.#end ??= new Ending())
  }

  #closeMedium(): void {
    if (this.#life >= Life.closing) return
    this.#life = Life.closing
    this.#end?.stopLingering()
    if (this.#end?.closedEarly === true) this.reactor.turn.soon(() => this.closed())
    else this.close()
  }

  #startLingering(): void {
    const unsent = this.#unsent
    this.#ending.linger = this.reactor.callLater(this.#lingerTime, () => {
      const moves = this.#output !== 'finished' && this.#unsent < unsent
      if (moves) this.#startLingering()
      else this.#stopLingering()
    })
  }

  /** Bytes that are not with the kernel, as far as can be known. */
  get #unsent(): number {
    return (this.#queue?.size ?? 0) + this.stillInFlight()
  }

  /** The peer had its time. What is with the kernel by now counts as delivered; what is not, does not. */
  #stopLingering(): void {
    if (this.#output === 'finished') {
      this.#closeMedium()
      return
    }
    const timeout = new LingerTimeout(this.peer, this.#lingerTime, this.#unsent)
    this.#ending.reason ??= new ConnectionLost(`${this.peer}: connection lost: ${timeout.message}`, { cause: timeout })
    this.#grow(Life.aborted)
    this.#drop()
    this.reset()
  }

  #drop(): void {
    this.#queue?.clear()
    this.#returnQueue()
    this.#upgrade?.drop()
  }

  get #lingerTime(): number {
    return this.#limits.linger ?? 5000
  }

  #whyItEnded(): ConnectionClosed {
    return (this.#ending.reason ??= this.#reasonOfClose())
  }

  #reasonOfClose(): ConnectionClosed {
    const truncated = this.#end?.truncated
    if (truncated !== undefined) return lostBecause(this.peer, truncated)
    if (this.#output === 'finished') return withoutStack(() => new ConnectionDone())
    return new ConnectionLost(`${this.peer}: connection lost before everything was sent`)
  }

  /* ---------------------------------------------------------------- calls into user code */

  #call(what: 'inputResumed' | 'readConnectionLost' | 'writeConnectionLost' | 'stopping'): void {
    const protocol = this.#protocol
    if (protocol !== undefined) this.#guard(what, () => protocol[what]?.())
  }

  #callProducer(what: 'pauseProducing' | 'resumeProducing' | 'stopProducing'): void {
    const producer = this.#producer
    trace?.at('flow', this, { op: what, who: 'producer' })
    if (producer !== undefined) this.#guard(what, () => producer[what]())
  }

  /** Nobody will take what the registered producer makes, if there is one. */
  protected stopProducer(): void {
    if (this.#producer === undefined) return
    this.#callProducer('stopProducing')
    this.#producer = undefined
  }

  #soon(what: string, hook: () => Hook): void {
    this.reactor.turn.soon(() => {
      if (!this.disconnected) this.#guard(what, hook)
    })
  }

  #guard(what: string, hook: () => Hook): void {
    guarded(this.reactor.turn, this, what, hook, this)
  }

  /** A hook broke its promise to behave: this connection ends with that as the cause; everything else goes on. */
  hookFailed(error: unknown, what: string): void {
    let protocol = this.#protocol
    while (protocol?.wrappedProtocol !== undefined) protocol = protocol.wrappedProtocol
    const fate = this.#life === Life.lost ? '' : `, so the connection with ${this.peer} is aborted`
    const name = protocol?.constructor.name ?? 'a connection'
    report({ error, what: `${what} of ${name} failed${fate}`, subject: protocol ?? this })
    this.abortConnection(asError(error))
  }
}
