/**
 * A reactor that does nothing by itself: it writes down what it is asked for, and the test answers, in whatever order
 * and however badly it likes. Time is a ManualClock.
 */
import {
  type Accept,
  type Address,
  Deferred,
  type DelayedCall,
  type DialOptions,
  type IPAddress,
  IPv4Address,
  ipAddress,
  ListeningPort,
  type ListenOptions,
  Reactor,
  StreamConnection,
  toText,
  Turn,
} from 'couplet'
import { ManualClock } from 'couplet/testing'
import { succeed } from '../src/framework/deferred/wrapping.ts'

/** Something the reactor was asked for, and has not given yet. */
export class Question<T> {
  /** Whether the asker has lost interest, and what it gets then. */
  cancelled = false
  readonly deferred: Deferred<T>

  constructor(onCancel: (deferred: Deferred<T>) => void = () => {}) {
    this.deferred = new Deferred<T>((deferred) => {
      this.cancelled = true
      onCancel(deferred)
    })
  }

  answer(value: T): void {
    this.deferred.callback(value)
  }

  fail(error: unknown): void {
    this.deferred.errback(error)
  }
}

export class Dial extends Question<ScriptedConnection> {
  readonly address: Address
  readonly options: DialOptions
  readonly #reactor: Reactor

  constructor(reactor: Reactor, address: Address, options: DialOptions) {
    super()
    this.#reactor = reactor
    this.address = address
    this.options = options
  }

  /** The attempt succeeds. */
  connect(): ScriptedConnection {
    const connection = new ScriptedConnection(this.#reactor, this.address)
    this.answer(connection)
    return connection
  }
}

export class ScriptedConnection extends StreamConnection {
  /** All that was sent so far. */
  sent = ''
  /** How our side ended it, if it did. */
  end: 'closed' | 'reset' | undefined

  constructor(reactor: Reactor, peer: Address, ended?: (connection: StreamConnection) => void) {
    super(reactor, new IPv4Address('TCP', '10.0.0.1', 40_000), peer, {}, ended)
  }

  /** The peer sends its FIN. */
  hangUp(): void {
    this.peerFinished()
  }

  /** The network breaks. */
  break(error: Error): void {
    this.failed(error)
    this.closed()
  }

  protected override startReading(): void {}
  protected override stopReading(): void {}

  protected override transmit(pieces: readonly Uint8Array[]): boolean {
    for (const piece of pieces) this.sent += toText(piece)
    return true
  }

  protected override finish(): void {
    this.reactor.callLater(0, () => this.finished())
  }

  protected override close(): void {
    this.end = 'closed'
    this.reactor.callLater(0, () => this.closed())
  }

  protected override reset(): void {
    this.end = 'reset'
    this.reactor.callLater(0, () => this.closed())
  }
}

export class ScriptedPort extends ListeningPort {
  readonly #reactor: Reactor
  readonly options: ListenOptions
  #peers = 1024

  constructor(reactor: Reactor, host: Address, accept: Accept, options: ListenOptions) {
    super(reactor, host, accept)
    this.#reactor = reactor
    this.options = options
  }

  /** A client connects. */
  connect(): ScriptedConnection {
    const peer = new IPv4Address('TCP', '10.0.0.2', ++this.#peers)
    const connection: ScriptedConnection = new ScriptedConnection(this.#reactor, peer, () => this.ended(connection))
    this.accepted(connection)
    return connection
  }

  protected override closeListener(): void {
    this.#reactor.callLater(0, () => this.listenerClosed())
  }
}

export class ScriptedReactor extends Reactor {
  readonly #clock = new ManualClock()
  override readonly turn: Turn = new Turn({
    atEndOfTurn: (f) => void this.callLater(0, f),
    inNextTurn: (f) => void this.callLater(0, f),
  })
  /** Names that were looked up, the oldest first. */
  readonly lookups: (Question<readonly IPAddress[]> & { host?: string })[] = []
  readonly dials: Dial[] = []
  readonly ports: ScriptedPort[] = []
  /** If set, listening fails with it. */
  refusal: Error | undefined

  override now(): number {
    return this.#clock.now()
  }

  override wallTime(): number {
    return 0
  }

  override random(): number {
    return 0.5
  }

  override callLater(ms: number, f: () => unknown): DelayedCall {
    return this.#clock.callLater(ms, f)
  }

  advance(ms: number): void {
    this.#clock.advance(ms)
  }

  /** Timers that are still to come. */
  get timers(): number {
    return this.#clock.pending().length
  }

  override resolve(host: string): Deferred<readonly IPAddress[]> {
    const address = ipAddress(host)
    if (address !== undefined) return succeed([address])
    const lookup = Object.assign(new Question<readonly IPAddress[]>(), { host })
    this.lookups.push(lookup)
    return lookup.deferred
  }

  override dial(address: Address, options: DialOptions = {}): Deferred<ScriptedConnection> {
    const dial = new Dial(this, address, options)
    this.dials.push(dial)
    return dial.deferred
  }

  override listen(address: Address, accept: Accept, options: ListenOptions = {}): Deferred<ListeningPort> {
    const asked = new Question<ListeningPort>()
    this.callLater(0, () => {
      if (asked.cancelled) return
      if (this.refusal !== undefined) {
        asked.fail(this.refusal)
        return
      }
      const port = new ScriptedPort(this, address, accept, options)
      this.ports.push(port)
      asked.answer(port)
    })
    return asked.deferred
  }
}

/** What has come of `deferred` so far; it counts as handled. */
export function outcome<T>(deferred: Deferred<T>): { value?: T; error?: unknown } {
  const seen: { value?: T; error?: unknown } = {}
  deferred.addCallbacks(
    (value) => void (seen.value = value),
    ({ value }) => void (seen.error = value),
  )
  return seen
}

/** The one there is. */
export function only<T>(list: readonly T[]): T {
  const [first] = list
  if (first === undefined || list.length > 1) throw new Error(`expected one, got ${list.length}`)
  return first
}
