/**
 * A policy that watches every connection of a world, at both of its ends: that hooks come in their order and once, that
 * the bytes that arrive are those that were sent, and that producers are paused and resumed in turn.
 */
import {
  type Connection,
  type ConnectionClosed,
  ConnectionDone,
  type Data,
  equal,
  type Hook,
  Layer,
  type LoseOptions,
  type Policy,
  type Protocol,
  type PullProducer,
  type PushProducer,
  toBytes,
} from 'couplet'

/** What one end has written: all of it, in order. */
class Sent {
  #bytes = new Uint8Array(256)
  length = 0

  add(data: Data): void {
    const bytes = toBytes(data)
    const length = this.length + bytes.length
    if (length > this.#bytes.length) {
      const larger = new Uint8Array(2 * length)
      larger.set(this.#bytes)
      this.#bytes = larger
    }
    this.#bytes.set(bytes, this.length)
    this.length = length
  }

  has(chunk: Uint8Array, at: number): boolean {
    return at + chunk.length <= this.length && equal(chunk, this.#bytes.subarray(at, at + chunk.length))
  }
}

/** The two ends of one connection, as soon as they are there. */
interface Pair {
  client?: Watched
  server?: Watched
}

/** Everything that is watched, and what was wrong. */
export class Watch {
  readonly complaints: string[] = []
  /** How many connections were made, over all. */
  made = 0
  /** How many servers' ends are open, as far as their programs know. One that was killed knows nothing. */
  serving = 0
  readonly #pairs = new Map<string, Pair>()

  /** For an invariant. */
  readonly isSilent = (): string | undefined => this.complaints[0]

  readonly client: Policy = (connection) => this.#watch(connection, 'client')
  readonly server: Policy = (connection) => this.#watch(connection, 'server')

  #watch(connection: Connection, side: 'client' | 'server'): Connection {
    const ends = [connection.host, connection.peer].map(String)
    const key = (side === 'client' ? ends : ends.reverse()).join(' > ')
    let pair = this.#pairs.get(key)
    // The same port again is another connection.
    if (pair === undefined || pair[side] !== undefined) this.#pairs.set(key, (pair = {}))
    return (pair[side] = new Watched(this, connection, `${side} of ${key}`, pair, side))
  }
}

class Watched extends Layer {
  readonly sent = new Sent()
  received = 0
  reason: ConnectionClosed | undefined
  /** It was closed from this side: what comes after that is read and thrown away. */
  #leaves = false
  readonly #watch: Watch
  readonly #name: string
  readonly #pair: Pair
  readonly #side: 'client' | 'server'
  #calls: string[] = []
  #producer: Alternating | undefined

  constructor(watch: Watch, connection: Connection, name: string, pair: Pair, side: 'client' | 'server') {
    super(connection)
    this.#watch = watch
    this.#name = name
    this.#pair = pair
    this.#side = side
  }

  complain(what: string): void {
    this.#watch.complaints.push(`${this.#name}: ${what} (after ${this.#calls.join(' ') || 'nothing'})`)
  }

  override connectionMade(): Hook {
    if (this.#calls.length > 0) this.complain('connectionMade')
    this.#calls.push('made')
    this.#watch.made++
    if (this.#side === 'server') this.#watch.serving++
    return super.connectionMade()
  }

  override dataReceived(chunk: Uint8Array): Hook {
    if (this.#calls.at(-1) !== 'made') this.complain('dataReceived')
    if (chunk.length === 0) this.complain('an empty chunk')
    if (this.#other?.sent.has(chunk, this.received) !== true)
      this.complain(`bytes that were not sent, at ${this.received}`)
    this.received += chunk.length
    return super.dataReceived(chunk)
  }

  override connectionLost(reason: ConnectionClosed): Hook {
    if (this.#calls[0] !== 'made' || this.#calls.includes('lost')) this.complain('connectionLost')
    this.#calls.push('lost')
    if (this.#side === 'server') this.#watch.serving--
    this.reason = reason
    const other = this.#other
    if (reason instanceof ConnectionDone && other?.reason instanceof ConnectionDone) {
      this.#hasAll(other)
      other.#hasAll(this)
    }
    return super.connectionLost(reason)
  }

  override loseConnection(options?: LoseOptions): void {
    this.#leaves = true
    super.loseConnection(options)
  }

  override write(data: Data): void {
    this.#producer?.mayWrite()
    if (!this.disconnecting || this.queued > 0) this.sent.add(data)
    super.write(data)
  }

  override registerProducer(producer: PushProducer, streaming: true): void
  override registerProducer(producer: PullProducer, streaming: false): void
  override registerProducer(producer: PushProducer | PullProducer, streaming: boolean): void {
    if (streaming) super.registerProducer((this.#producer = new Alternating(producer as PushProducer, this)), true)
    else super.registerProducer(producer, false)
  }

  override unregisterProducer(): void {
    this.#producer = undefined
    super.unregisterProducer()
  }

  protected override wrap(protocol: Protocol): void {
    super.wrap(protocol)
  }

  get #other(): Watched | undefined {
    return this.#side === 'client' ? this.#pair.server : this.#pair.client
  }

  /** Both ends say that all went well. */
  #hasAll(other: Watched): void {
    if (this.received !== other.sent.length && !this.#leaves)
      this.complain(`a clean end with ${this.received} of ${other.sent.length} bytes`)
  }
}

/** A producer that may only be paused when it runs, resumed when it is paused, and stopped once. */
class Alternating implements PushProducer {
  readonly #producer: PushProducer
  readonly #watched: Watched
  #state: 'runs' | 'paused' | 'stopped' = 'runs'

  constructor(producer: PushProducer, watched: Watched) {
    this.#producer = producer
    this.#watched = watched
  }

  pauseProducing(): Hook {
    this.#is('runs', 'pauseProducing')
    this.#state = 'paused'
    return this.#producer.pauseProducing()
  }

  resumeProducing(): Hook {
    this.#is('paused', 'resumeProducing')
    this.#state = 'runs'
    return this.#producer.resumeProducing()
  }

  stopProducing(): Hook {
    if (this.#state === 'stopped') this.#watched.complain('stopProducing a second time')
    this.#state = 'stopped'
    return this.#producer.stopProducing()
  }

  /** Who is the producer writes only as one. */
  mayWrite(): void {
    this.#is('runs', 'a write')
  }

  #is(state: 'runs' | 'paused', what: string): void {
    if (this.#state !== state) this.#watched.complain(`${what} of a producer that is ${this.#state}`)
  }
}
