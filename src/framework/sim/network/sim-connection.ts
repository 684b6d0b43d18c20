/**
 * One end of a simulated connection: a StreamConnection whose kernel is two pipes.
 *
 * It does what Linux does: the end travels behind the data, a reset overtakes and destroys it, closing with unread input
 * resets, and so does writing to a socket that is closed. Ancestor: `twisted.test.iosim.FakeTransport`.
 */
import type { Address } from '../../core/address.ts'
import { type TLSError, withoutStack } from '../../core/errors.ts'
import { type ConnectionLimits, StreamConnection } from '../../core/stream-connection.ts'
import type { StartTLSOptions, TLSFacts } from '../../core/tls.ts'
import { Deferred } from '../../deferred/deferred.ts'
import type { Seq } from '../../trace/hook.ts'
import { type RandomStream, scrambled } from '../random-stream.ts'
import type { SimHost } from '../sim-host.ts'
import type { SimProcess } from '../sim-process.ts'
import type { SimReactor } from '../sim-reactor.ts'
import { SimEvent, type Timeline } from '../timeline.ts'
import { goodbye, sealed } from '../tls/record.ts'
import { TLSSession } from '../tls/session.ts'
import { KeepAlive } from './keep-alive.ts'
import { Outgoing } from './outgoing.ts'
import type { Path } from './path.ts'
import { Pipe, type PipeReceiver, type PipeSender } from './pipe.ts'

/** Which of the two ends of a connection this is, and whose. */
export interface SimEnd {
  readonly timeline: Timeline
  readonly machine: SimHost
  readonly reactor: SimReactor
  readonly host: Address
  readonly peer: Address
  readonly limits: ConnectionLimits
  /** Called last of all, after `connectionLost`. */
  readonly ended: (connection: SimConnection) => void
  /** The connection's name, the same at both ends. */
  readonly name: string
  /** A number for this end, the same in every world with this seed. */
  readonly key: number
}

/** What lies between the two ends. */
export interface SimWays {
  readonly there: Path
  readonly back: Path
  /** A stream of numbers with this name. */
  readonly random: (name: string) => RandomStream
}

/** Where an end stands, as `netstat` says it. @inline */
export type SocketState = 'open' | 'end sent' | 'end received' | 'closing' | 'closed'

export class SimConnection extends StreamConnection implements PipeSender, PipeReceiver {
  /** The connection's name, the same at both ends. */
  readonly name: string
  readonly machine: SimHost
  readonly process: SimProcess
  readonly #timeline: Timeline
  /** The pipes there and back; set by {@link join}. */
  #out!: Pipe
  #in!: Pipe
  #keepAlive!: KeepAlive
  #other!: SimConnection

  /** What {@link transmit} was given and the send buffer had no room for; set by {@link join}. */
  #outgoing!: Outgoing
  /** TLS, once it has begun. */
  #session: TLSSession | undefined
  /** Whether the protocol wants what TLS has deciphered. */
  #wanted = false
  readonly #deciphers: SimEvent

  /** The socket is closed, or was reset by either side. */
  #gone = false
  #isFinished = false
  readonly #finished: SimEvent
  readonly #closed: SimEvent

  constructor({ timeline, machine, reactor, host, peer, limits, ended, name, key }: SimEnd) {
    super(reactor, host, peer, limits, () => ended(this))
    this.name = name
    this.machine = machine
    this.process = reactor.process
    this.#timeline = timeline
    this.#finished = new SimEvent(reactor.process, 'program', scrambled(key + 1), () => {
      this.#isFinished = true
      this.finished()
      this.#closesItself()
    })
    this.#closed = new SimEvent(reactor.process, 'program', scrambled(key + 2), () => this.closed())
    this.#deciphers = new SimEvent(reactor.process, 'program', scrambled(key + 3), () => this.#session?.read())
    machine.ends.add(this)
  }

  /** Lays the pipes between two ends. */
  static join(one: SimConnection, other: SimConnection, { there, back, random }: SimWays, key: number): void {
    const timeline = one.#timeline
    const connection = one.name
    const drawn = (way: string): (() => RandomStream) => {
      let stream: RandomStream | undefined
      return () => (stream ??= random(`connection:${connection}:${way}`))
    }
    const plan = { timeline, connection }
    const out = { ...plan, there, back, key: scrambled(key + 10), random: drawn('there') }
    one.#out = other.#in = new Pipe(out, one, other)
    const home = { ...plan, there: back, back: there, key: scrambled(key + 20), random: drawn('back') }
    other.#out = one.#in = new Pipe(home, other, one)
    for (const end of [one, other]) end.#outgoing = new Outgoing(end.#out, (length) => end.progressed(length))
    one.#other = other
    other.#other = one
    one.#keepAlive = new KeepAlive(timeline, one, there, back, scrambled(key + 30))
    other.#keepAlive = new KeepAlive(timeline, other, back, there, scrambled(key + 40))
  }

  /** The other end, which may have gone. */
  get otherEnd(): SimConnection {
    return this.#other
  }

  /** Bytes in its kernel: written and not on the wire; arrived and not read. */
  get unsent(): number {
    return this.#out.unsent
  }

  get unread(): number {
    return this.#in.unread
  }

  get gone(): boolean {
    return this.#gone
  }

  get state(): SocketState {
    if (this.#gone) return 'closed'
    if (this.#out.endSent) return this.#in.endArrived ? 'closing' : 'end sent'
    return this.#in.endArrived ? 'end received' : 'open'
  }

  /* ---------------------------------------------------------------- what StreamConnection asks for */

  protected override startReading(): void {
    this.#wanted = true
    if (this.#session !== undefined && !this.#gone) this.#timeline.schedule(this.#deciphers)
    this.#in.startReading()
  }

  protected override stopReading(): void {
    this.#wanted = false
    this.#timeline.cancel(this.#deciphers)
    this.#in.stopReading()
  }

  protected override transmit(pieces: readonly Uint8Array[]): boolean {
    // The program has died, and what is left of it writes.
    if (this.#gone) return false
    const then = (): void => this.transmitted()
    if (this.#session === undefined) return this.#outgoing.send(pieces, then)
    const records = pieces.flatMap((piece) => sealed(piece))
    return this.#outgoing.send(
      records.map(({ bytes }) => bytes),
      then,
      records.map(({ length }) => length),
    )
  }

  protected override finish(): void {
    const finish = (): void => {
      this.#out.finish()
      this.#timeline.schedule(this.#finished)
    }
    if (this.#session === undefined || this.#sendRecord(goodbye(), finish)) finish()
  }

  protected override close(): void {
    this.#goneWith(this.#in.unread > 0)
  }

  protected override reset(): void {
    this.#goneWith(true)
  }

  /* ---------------------------------------------------------------- TLS */

  /** A peer that speaks no TLS, and waits for us to speak, would take a plain end for an answer. */
  #endsUnsecured({ code }: TLSError): void {
    if (code === 'ERR_TLS_HANDSHAKE_TIMEOUT') this.reset()
    else this.dismiss()
  }

  override get tls(): TLSFacts | undefined {
    return this.#session?.facts
  }

  protected override secure(options: StartTLSOptions): Deferred<TLSFacts> {
    return this.shakeHands(options)
  }

  /**
   * Goes on with TLS, before anybody listens or in the middle.
   *
   * @returns fails with TLSError, and then this end is closed
   */
  shakeHands(options: StartTLSOptions): Deferred<TLSFacts> {
    const secured = new Deferred<TLSFacts>(() => this.abortConnection())
    const { reactor, peer } = this
    const wanted = (): boolean => this.#wanted
    this.#session = new TLSSession(
      {
        reactor,
        peer,
        get reading() {
          return wanted()
        },
        send: (record) => void this.#sendRecord(record),
        secured: (facts) => {
          this.#in.stopReading()
          secured.callback(facts)
        },
        unsecured: (error) => {
          if (!this.#gone) this.#endsUnsecured(error)
          if (!secured.called) secured.errback(error)
        },
        heard: (bytes) => this.received(bytes),
        ended: (cut) => this.peerFinished(cut),
        broken: (error) => {
          this.failed(error)
          this.#goneWith(true)
        },
      },
      options,
    )
    this.#in.startReading()
    this.#session.begin()
    return secured
  }

  /** @returns whether it has left; otherwise `then` is called when it has */
  #sendRecord(record: Uint8Array, then = (): void => {}): boolean {
    return this.#gone || this.#outgoing.send([record], then, [0])
  }

  protected override closed(): void {
    // What we have broken off ourselves is no news about TLS.
    if (this.disconnected) super.closed()
    this.#session?.lost()
    super.closed()
  }

  /* ---------------------------------------------------------------- what the pipes say */

  hasRoom(): void {
    this.#outgoing.hasRoom()
  }

  arrives(length: number, by: Seq | undefined): Seq | undefined {
    // What is in the records of TLS arrives when it is deciphered. Those of a handshake stand for nothing that was sent,
    // and may be here before our side of it has begun.
    const inTheClear = this.#session === undefined && (by !== undefined || this.#other.#session === undefined)
    return inTheClear ? this.arrived(length, by) : undefined
  }

  reads(bytes: Uint8Array, arrived: Seq | undefined): void {
    if (this.#session === undefined) this.received(bytes, arrived)
    else this.#session.append(bytes)
  }

  readsEnd(): void {
    if (this.#session === undefined) this.peerFinished()
    else this.#session.inputEnds()
    this.#closesItself()
  }

  refuses(): void {
    this.#out.reset()
  }

  resets(): void {
    this.#in.clear()
    this.#out.clear()
    if (this.#gone) return
    this.#leave()
    this.#breaks(withoutStack(() => new ResetByPeer()))
  }

  timesOut(): void {
    this.#givesUp(withoutStack(() => new NoAnswer()))
  }

  isReset(): void {
    this.#givesUp(withoutStack(() => new ResetByPeer()))
  }

  /* ---------------------------------------------------------------- what else may happen to it */

  /** It was never given to the program: closed, as the kernel closes it. */
  dismiss(): void {
    this.close()
    this.#out.finish()
  }

  /** The program has died, and its kernel closes what it had open. */
  abandon(): void {
    if (this.#gone) return
    const { unread } = this.#in
    this.#leave()
    if (unread > 0) this.#out.reset()
    else this.#out.finish()
  }

  /** The program for which it was meant has died before it could take it. */
  disown(): void {
    this.#leave()
    this.#out.reset()
  }

  /** The machine lost its power: what had left it is on its way, and nothing else of it is left. */
  vanish(): void {
    this.#leave()
    this.#out.closeSender()
    this.#other.#keepAlive.begin()
  }

  /** Something may have happened to the way between the ends: TCP asks now and then whether the other one is there. */
  wonders(): void {
    if (!this.#gone) this.#keepAlive.begin()
  }

  /** Whether something that it sent got lost and was not answered since. */
  get resends(): boolean {
    return this.#out.resends
  }

  /** The other end does not know of this connection any more, and says so. */
  isUnknownThere(): boolean {
    return this.#other.#gone
  }

  /** The connection breaks after so many bytes more have arrived here: both ends are reset. */
  cutAfter(bytes: number): void {
    this.#in.cutAfter(bytes, () => {
      this.isReset()
      this.#other.isReset()
    })
  }

  /* ---------------------------------------------------------------- the kernel */

  #goneWith(reset: boolean): void {
    if (this.#gone) return
    if (reset) this.#out.reset()
    this.#leave()
    this.#timeline.schedule(this.#closed)
  }

  /** The socket is the process's no more; what is in the send buffer still goes its way. */
  #leave(): void {
    if (this.#gone) return
    this.#gone = true
    this.#outgoing.clear()
    this.#timeline.cancel(this.#finished)
    this.#timeline.cancel(this.#deciphers)
    this.#in.closeReceiver()
    this.#keepAlive.end()
    this.machine.ends.delete(this)
  }

  /** This end is over, and the other one is not told. */
  #givesUp(error: Error): void {
    if (this.#gone) return
    this.#leave()
    this.#out.closeSender()
    this.#breaks(error)
  }

  /** Both ends have ended, which the program, where it does not read, may not have heard yet. */
  #closesItself(): void {
    if (this.#isFinished && this.#in.endRead && this.#session === undefined) this.#goneWith(false)
  }

  /** The kernel gives it up; the program hears of it now, or as soon as it can. */
  #breaks(error: Error): void {
    if (this.process.dead) return
    this.failed(error)
    if (this.process.ready) this.closed()
    else this.#timeline.schedule(this.#closed)
  }
}

/** What the kernel says when the peer's reset arrives; the `cause` of the ConnectionLost. */
class ResetByPeer extends Error {
  static {
    this.prototype.name = 'ResetByPeer'
  }
  readonly code = 'ECONNRESET'

  constructor() {
    super('connection reset by peer')
  }
}

/** What the kernel says when what was sent has got lost too often. */
class NoAnswer extends Error {
  static {
    this.prototype.name = 'NoAnswer'
  }
  readonly code = 'ETIMEDOUT'

  constructor() {
    super('the peer does not answer any more')
  }
}
