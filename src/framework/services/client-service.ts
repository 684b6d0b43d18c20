/**
 * A client that stays connected: it connects, waits and tries again when that fails, and connects anew when the
 * connection is lost, until it is stopped.
 *
 * Ancestor: `twisted.application.internet.ClientService`.
 */
import type { Clock, DelayedCall } from '../core/clock.ts'
import { ConnectError, ConnectionClosed } from '../core/errors.ts'
import { type Factory, startUsing, stopUsing } from '../core/factory.ts'
import { asError } from '../core/guard.ts'
import type { Protocol } from '../core/protocol.ts'
import type { Connection } from '../core/transport.ts'
import { Deferred } from '../deferred/deferred.ts'
import { report } from '../deferred/reporter.ts'
import { execute, succeed } from '../deferred/wrapping.ts'
import { type ClientEndpoint, refuseClientFactory } from '../endpoints/endpoint.ts'
import { backoff } from '../tasks/backoff.ts'
import { trace } from '../trace/hook.ts'
import { ServiceStopped } from './errors.ts'
import { Service } from './service.ts'
import { WaitingList } from './waiting-list.ts'
import { WatchedFactory } from './watched-factory.ts'

/**
 * Milliseconds to wait before the next attempt, after so many failures in a row: 1 or more. The place to write a log,
 * too. A `Backoff` is one.
 *
 * @param reason what the attempt failed with, or why the connection ended
 */
export type RetryPolicy = (failures: number, reason: unknown) => number

/** How a {@link ClientService} connects, and leaves. */
export interface ClientServiceOptions<P extends Protocol> {
  /** How long to wait between attempts. `backoff(reactor)` unless given. */
  readonly retryPolicy?: RetryPolicy | undefined
  /**
   * Called with each new protocol, before anybody else gets it: log in here. The connection counts as made when what it
   * returns is there. If it fails, the connection is aborted with that error as the cause: a failed attempt.
   */
  readonly prepareConnection?: ((protocol: P) => unknown) | undefined
  /** Milliseconds that `prepareConnection` may take. 30,000 unless given. */
  readonly prepareTimeout?: number | undefined
  /**
   * Milliseconds that the protocol gets to finish when the service stops: its `stopping()` is called (`loseConnection`
   * where there is none), and a connection that is still open at the end is aborted. 5,000 unless given.
   */
  readonly drain?: number | undefined
}

/** How {@link ClientService.whenConnected} waits. */
export interface WhenConnectedOptions {
  /** It fails as the last of so many failed attempts from now on; unless given, however many there are, it waits. */
  readonly failAfterFailures?: number | undefined
}

/**
 * What goes on, and what ends it:
 *
 *   away        nothing: stopped; a start → connecting
 *   connecting  the endpoint has a protocol → preparing; it failed → closing
 *   preparing   `prepareConnection` is done → connected; it failed, or the connection is lost → closing
 *   connected   the connection is lost → closing
 *   closing     nothing is open any more → waiting
 *   waiting     it is time → connecting
 *   leaving     nothing is open any more → away
 *
 * A stop leads from each of them to `leaving`; what was begun is cancelled as we leave it, so nothing of it comes back.
 */
type Activity<P> =
  | { readonly is: 'away' }
  | { readonly is: 'connecting' }
  | { readonly is: 'preparing'; readonly protocol: P; work?: Deferred<unknown> }
  | { readonly is: 'connected'; readonly protocol: P; readonly since: number }
  | { readonly is: 'closing'; readonly reason: unknown }
  | { readonly is: 'waiting'; readonly retry: DelayedCall }
  | { readonly is: 'leaving'; readonly left: Deferred<void> }

/** A connection that was up for so long has shown that all is well: the next failure is the first again. */
const goodWhile = 30_000

/** Milliseconds to wait when the retry policy itself fails. */
const waitWithoutPolicy = 60_000

/**
 * Its start is done when it has begun to connect; for the connection there is {@link whenConnected}. It tries for ever,
 * and never has two connections. What the network does to an attempt is silent, except for the retry policy; any other
 * failure (of the factory, a hook, `prepareConnection`) is reported, unless somebody's `failAfterFailures` ends with it.
 *
 * @example
 * const client = new ClientService(reactor, endpoint, Factory.forProtocol(() => new ChatClient()))
 * client.startService()
 * const chat = await client.whenConnected()
 */
export class ClientService<P extends Protocol> extends Service {
  readonly #clock: Clock
  readonly #endpoint: ClientEndpoint
  readonly #factory: Factory<P>
  readonly #retryPolicy: RetryPolicy
  readonly #prepare: ((protocol: P) => unknown) | undefined
  readonly #prepareTimeout: number
  readonly #drain: number
  #activity: Activity<P> = { is: 'away' }
  /** The endpoint's answer, until it is there. */
  #attempt: Deferred<unknown> | undefined
  /** Connections of ours that are open, wanted or not: one, unless the endpoint tries several. */
  readonly #open = new Set<Connection>()
  /** Why the last of them ended. */
  #lastReason: ConnectionClosed | undefined
  readonly #waiting = new WaitingList<P>()
  /** Failures in a row. */
  #failures = 0
  #usesFactory = false
  #neverStarted = true

  /**
   * @param reactor or as much of it as is needed: its time, and its chance for the waits
   * @throws TypeError for a ClientFactory: nobody would call its hooks; RangeError for a time that is none
   */
  constructor(
    reactor: Clock & { random(): number },
    endpoint: ClientEndpoint,
    factory: Factory<P>,
    options: ClientServiceOptions<P> = {},
  ) {
    super()
    const { prepareTimeout = 30_000, drain = 5000 } = options
    refuseClientFactory(factory)
    for (const ms of [prepareTimeout, drain])
      if (!(ms >= 0 && ms < Infinity)) throw new RangeError(`a time is 0 or more milliseconds, not ${ms}`)
    this.#clock = reactor
    this.#endpoint = endpoint
    this.#factory = factory
    this.#retryPolicy = options.retryPolicy ?? backoff(reactor)
    this.#prepare = options.prepareConnection
    this.#prepareTimeout = prepareTimeout
    this.#drain = drain
  }

  /**
   * A protocol that can be used, now or when there is one. Ask again after it was lost.
   *
   * @returns fires with the protocol when its connection is made and prepared. Before the first start it waits for that.
   *   Fails with ServiceStopped if the service is stopped, or already was; with `failAfterFailures`, as an attempt did.
   *   A fresh Deferred each time
   * @throws RangeError if `failAfterFailures` is less than 1
   */
  whenConnected({ failAfterFailures = Infinity }: WhenConnectedOptions = {}): Deferred<P> {
    if (!(failAfterFailures >= 1)) throw new RangeError(`failAfterFailures is 1 or more, not ${failAfterFailures}`)
    const activity = this.#activity
    if (activity.is === 'connected' && this.#isUsable()) return succeed(activity.protocol)
    const connected = this.#waiting.add(failAfterFailures)
    if (!this.wanted && !this.#neverStarted) connected.cancel(new ServiceStopped(String(this)))
    return connected
  }

  protected override starting(): void {
    startUsing(this.#factory)
    this.#usesFactory = true
    this.#neverStarted = false
    this.#failures = 0
    this.#connect()
  }

  protected override stopping(): Deferred<void> {
    const left = new Deferred<void>()
    this.#become({ is: 'leaving', left })
    this.#waiting.stop(new ServiceStopped(String(this)))
    for (const connection of this.#open) connection.askToStop()
    const deadline = this.#clock.callLater(this.#drain, () => {
      for (const connection of this.#open) connection.abortConnection()
    })
    this.#goOn()
    return left.addCallback(() => {
      if (deadline.active()) deadline.cancel()
      if (!this.#usesFactory) return
      this.#usesFactory = false
      stopUsing(this.#factory)
    })
  }

  #connect(): void {
    const activity: Activity<P> = { is: 'connecting' }
    this.#become(activity)
    this.#lastReason = undefined
    const factory = new WatchedFactory(this.#factory, (connection) => this.#opened(activity, connection))
    const attempt = execute(() => this.#endpoint.connect(factory))
    // A hook that the endpoint called may have stopped us.
    if (this.#activity === activity) this.#attempt = attempt
    else attempt.cancel()
    const answered = (): void => {
      if (this.#attempt === attempt) this.#attempt = undefined
    }
    attempt.addCallbacks(
      (protocol) => {
        answered()
        this.#made(activity, protocol)
      },
      ({ value }) => {
        answered()
        this.#failed(activity, value)
      },
    )
  }

  /** @returns whether this connection is wanted */
  #opened(activity: Activity<P>, connection: Connection): boolean {
    if (!this.#isPresent(activity)) return false
    this.#open.add(connection)
    connection.whenLost().addCallback((reason) => {
      this.#open.delete(connection)
      this.#lastReason = reason
      if (this.#open.size === 0) this.#lost(reason)
    })
    return true
  }

  #made(activity: Activity<P>, protocol: P): void {
    if (!this.#isPresent(activity)) this.#goOn()
    else if (this.#open.size === 0) this.#failed(activity, this.#lastReason ?? this.#noConnection())
    else if (this.#prepare === undefined) this.#connected(protocol)
    else this.#prepareIt(protocol, this.#prepare)
  }

  #prepareIt(protocol: P, prepare: (protocol: P) => unknown): void {
    const activity: Activity<P> = { is: 'preparing', protocol }
    this.#become(activity)
    activity.work = execute(() => prepare(protocol)).addTimeout(this.#prepareTimeout, this.#clock)
    if (this.#activity !== activity) activity.work.cancel()
    activity.work.addCallbacks(
      () => {
        if (this.#isPresent(activity)) this.#connected(protocol)
      },
      ({ value }) => this.#failed(activity, value),
    )
  }

  #connected(protocol: P): void {
    const activity: Activity<P> = { is: 'connected', protocol, since: this.#clock.now() }
    this.#become(activity)
    // Whoever prepared it, or is told of it, may close it; the others have the next one.
    this.#waiting.succeed(protocol, () => this.#isPresent(activity) && this.#isUsable())
  }

  /** An attempt failed, at whatever stage of it. */
  #failed(activity: Activity<P>, reason: unknown): void {
    if (!this.#isPresent(activity)) {
      this.#goOn()
      return
    }
    this.#failures++
    this.#become({ is: 'closing', reason })
    for (const connection of this.#open) connection.abortConnection(asError(reason))
    const expected = reason instanceof ConnectError || reason instanceof ConnectionClosed
    if (!this.#waiting.fail(reason) && !expected)
      report({ error: reason, what: `${this} could not connect to ${this.#endpoint}`, subject: this })
    this.#goOn()
  }

  /** No connection is open any more. */
  #lost(reason: unknown): void {
    const activity = this.#activity
    if (activity.is === 'preparing') {
      this.#failed(activity, reason)
      return
    }
    if (activity.is === 'connected') {
      if (this.#clock.now() - activity.since >= goodWhile) this.#failures = 0
      this.#failures++
      this.#become({ is: 'closing', reason })
    }
    this.#goOn()
  }

  /** Takes the next step, if it was only waiting for what was open. */
  #goOn(): void {
    const activity = this.#activity
    if (this.#open.size > 0 || this.#attempt !== undefined) return
    if (activity.is === 'closing') {
      const ms = this.#delay(activity.reason)
      // The policy may have stopped us.
      if (this.#isPresent(activity))
        this.#become({ is: 'waiting', retry: this.#clock.callLater(ms, () => this.#connect()) }, ms)
    } else if (activity.is === 'leaving') {
      this.#become({ is: 'away' })
      activity.left.callback()
    }
  }

  #delay(reason: unknown): number {
    try {
      const ms = this.#retryPolicy(this.#failures, reason)
      if (Number.isFinite(ms) && ms >= 0) return ms
      throw new RangeError(`a retry policy gives milliseconds, 0 or more, not ${ms}`)
    } catch (error) {
      report({ error, what: `The retry policy of ${this} failed`, subject: this })
      return waitWithoutPolicy
    }
  }

  /** Whether what was begun for `activity` still matters. In a start that was given up, nothing does. */
  #isPresent(activity: Activity<P>): boolean {
    return this.#activity === activity && (this.state === 'starting' || this.state === 'running')
  }

  #noConnection(): Error {
    return new Error(`${this.#endpoint} gave a protocol without a connection (an endpoint uses attach())`)
  }

  #isUsable(): boolean {
    return [...this.#open].some((connection) => !connection.disconnecting)
  }

  #become(next: Activity<P>, ms?: number): void {
    const before = this.#activity
    this.#activity = next
    trace?.at('service', this, { connection: next.is, label: String(this), failures: this.#failures, ms })
    if (before.is === 'connecting') this.#attempt?.cancel()
    else if (before.is === 'preparing') before.work?.cancel()
    else if (before.is === 'waiting' && before.retry.active()) before.retry.cancel()
  }
}
