/**
 * Framing and policies on bad networks and under faults: what a receiver is given is always a beginning of what was said,
 * a frame that was cut short is never a clean end, and every policy keeps its word.
 */
import {
  backoff,
  ClientService,
  type ConnectionClosed,
  ConnectionDone,
  type Data,
  equal,
  Factory,
  type Hook,
  IdleTimeout,
  idleTimeout,
  IncompleteFrame,
  IPv4Address,
  Layer,
  LineReceiver,
  limitConnections,
  type Policy,
  type Protocol,
  proxyProtocol,
  sendProxyHeader,
  TCPClientEndpoint,
  throttle,
  toText,
  withPolicies,
} from 'couplet'
import { lines, type Receiver, strings } from 'couplet/rx'
import type { RandomStream, Sim } from 'couplet/sim'
import { pattern } from 'couplet/testing'
import { serve, type System } from './poetry-system.ts'
import { Watch } from './watch.ts'

type Framing = 'line' | 'netstring' | 'int8' | 'int16' | 'int32' | 'varint'
const framings: readonly Framing[] = ['line', 'netstring', 'int8', 'int16', 'int32', 'varint']

/** A frame of some framing, of bytes that no other frame has. */
interface Saying {
  readonly framing: Framing
  readonly length: number
}

/** Counts what comes in below a receiver. */
class Counting extends Layer {
  received = 0

  override dataReceived(chunk: Uint8Array): Hook {
    this.received += chunk.length
    return super.dataReceived(chunk)
  }
}

/** What one side of one connection hears. */
interface Ear {
  readonly frames: Uint8Array[]
  send: (frame: Data) => void
}

/**
 * A factory of one side: `hears` is called for each frame, with all that came before it.
 *
 * @param said what the other side says, in order
 * @param wrong is told what must not be
 */
function side(
  receiver: Receiver<Uint8Array, Data>,
  overhead: (length: number) => number,
  said: readonly Uint8Array[],
  hooks: { made?: (ear: Ear) => void; heard: (ear: Ear, frame: Uint8Array) => void },
  wrong: (what: string) => void,
): Factory {
  const layers: Counting[] = []
  const lost = (ear: Ear, layer: Counting | undefined, reason: ConnectionClosed): void => {
    const whole = ear.frames.reduce((sum, { length }) => sum + length + overhead(length), 0)
    const received = layer?.received ?? 0
    if (reason instanceof ConnectionDone && received !== whole)
      wrong(`a clean end after ${received} bytes, of which ${whole} are frames`)
    if (reason.cause instanceof IncompleteFrame && received === whole) wrong('an IncompleteFrame, and all are complete')
  }
  const factory = Factory.forProtocol(() => {
    const layer = layers.shift()
    const ear: Ear = { frames: [], send: () => {} }
    const speaker = receiver({
      made: () => hooks.made?.(ear),
      received(frame) {
        const expected = said[ear.frames.length]
        if (expected === undefined || !equal(frame, expected)) wrong(`frame ${ear.frames.length} is not what was said`)
        ear.frames.push(frame.slice())
        hooks.heard(ear, frame)
      },
      lost: (reason) => lost(ear, layer, reason),
    })
    ear.send = (frame) => speaker.send(frame)
    return speaker.protocol
  })
  const count: Policy = (connection) => {
    const layer = new Counting(connection)
    layers.push(layer)
    return layer
  }
  return withPolicies(factory, count)
}

const overheads: Readonly<Record<Framing, (length: number) => number>> = {
  line: () => 2,
  netstring: (length) => String(length).length + 2,
  int8: () => 1,
  int16: () => 2,
  int32: () => 4,
  varint: (length) => (length < 128 ? 1 : 2),
}

/** A line may hold anything but its own end, and here nothing that looks like a part of it. */
function frameOf(length: number, index: number, framing: Framing): Uint8Array {
  const bytes = pattern(length, 7 * index)
  return framing === 'line' ? bytes.map((byte) => 32 + (byte % 90)) : bytes
}

/** Everything that is said comes back, and both sides hear a beginning of it until they have heard all. */
export const framing: System<Saying> = {
  options: {
    seeds: 150,
    operations: (random) => {
      const framing = random.pick(framings)
      return Array.from({ length: random.between(1, 30) }, () => ({
        framing,
        length: random.chance(1, 3) ? random.below(3) : random.below(framing === 'int8' ? 256 : 700),
      }))
    },
  },
  stage(sim, sayings) {
    const watch = new Watch()
    const wrong: string[] = []
    const complain = (what: string): void => void wrong.push(what)
    const used = sayings[0]?.framing ?? 'line'
    const receiver = used === 'line' ? lines() : strings(used)
    const said = sayings.map(({ length }, index) => frameOf(length, index, used))
    const overhead = overheads[used]
    sim.host('server').run((reactor) => {
      const echo = side(receiver, overhead, said, { heard: (ear, frame) => ear.send(frame) }, complain)
      serve(reactor, 80, withPolicies(echo, watch.server))
    })
    const { reactor } = sim.host('client')
    let complete = said.length === 0
    const client = side(
      receiver,
      overhead,
      said,
      {
        made: (ear) => said.forEach((frame) => ear.send(frame)),
        heard(ear) {
          if (ear.frames.length < said.length) return
          complete = true
          service.stopService()
        },
      },
      complain,
    )
    const endpoint = new TCPClientEndpoint(reactor, 'server', 80)
    const service = new ClientService(
      reactor,
      endpoint,
      withPolicies(client, watch.client, idleTimeout(reactor, 60_000)),
    )
    if (!complete) service.startService()
    expectTalk(sim, watch, wrong)
    sim.eventually('everything that was said is heard', () => complete, 3_600_000)
  },
}

/** What holds for both systems. */
function expectTalk(sim: Sim, watch: Watch, wrong: readonly string[]): void {
  sim.invariant('hooks come in order, and bytes as they were sent', watch.isSilent)
  sim.invariant('nobody hears what was not said', () => wrong[0])
  sim.eventually('nobody is connected', () => sim.connections === 0, 3_600_000)
}

interface Visit {
  readonly client: number
  readonly at: number
  readonly version: 1 | 2
  readonly length: number
}

const most = 2
const idle = 5000

/** Says in capitals what it hears, and keeps an eye on the policies that it is behind. */
class Shouting extends LineReceiver {
  readonly #now: () => number
  readonly #open: Set<Protocol>
  readonly #wrong: (what: string) => void
  #active = 0

  constructor(now: () => number, open: Set<Protocol>, wrong: (what: string) => void) {
    super()
    this.#now = now
    this.#open = open
    this.#wrong = wrong
  }

  override connectionMade(): void {
    this.#active = this.#now()
    this.#open.add(this)
    if (this.#open.size > most) this.#wrong(`${this.#open.size} are connected`)
    const { host } = this.transport.peer as IPv4Address
    if (!host.startsWith('192.0.2.')) this.#wrong(`the client's address is ${host}, which is the proxy's`)
  }

  override lineReceived(line: Uint8Array): void {
    this.#active = this.#now()
    const { host } = this.transport.peer as IPv4Address
    const text = toText(line)
    if (!text.startsWith(`${host} `)) this.#wrong(`${text.slice(0, 20)} was said by ${host}`)
    this.sendLine(text.toUpperCase())
  }

  override connectionLost({ cause }: ConnectionClosed): void {
    this.#open.delete(this)
    const quiet = this.#now() - this.#active
    if (cause instanceof IdleTimeout && quiet < idle) this.#wrong(`it was idle for ${quiet} ms only`)
  }
}

class Visitor extends LineReceiver {
  readonly #question: string
  readonly #answered: (answer: string) => void

  constructor(question: string, answered: (answer: string) => void) {
    super()
    this.#question = question
    this.#answered = answered
  }

  override connectionMade(): void {
    this.sendLine(this.#question)
  }

  override lineReceived(line: Uint8Array): void {
    this.#answered(toText(line))
  }
}

/** Clients through a proxy to a slow server with few places: each is served in the end, and is who it says it is. */
export const policies: System<Visit> = {
  options: {
    seeds: 150,
    operations: (random: RandomStream) =>
      Array.from({ length: random.between(1, 6) }, (_, client) => ({
        client,
        at: random.below(20_000),
        version: random.pick([1, 2]),
        length: random.below(1500),
      })),
    // A header has 5 s, and a question and its answer are to go by with no pause of the idle time.
    knobs: ({ segmentSize: _segmentSize, latency = 0, bandwidth = 1e6, ...drawn }) => ({
      ...drawn,
      latency: Math.min(latency, 100),
      bandwidth: Math.max(bandwidth, 50_000),
    }),
  },
  stage(sim, visits) {
    const watch = new Watch()
    const wrong: string[] = []
    const complain = (what: string): void => void wrong.push(what)
    sim.host('server').run((reactor) => {
      const open = new Set<Protocol>()
      const shouting = Factory.forProtocol(() => new Shouting(() => reactor.now(), open, complain))
      serve(
        reactor,
        80,
        withPolicies(
          shouting,
          watch.server,
          proxyProtocol({ trusted: ['10.0.0.0/8'], clock: reactor }),
          limitConnections(most),
          idleTimeout(reactor, idle),
          throttle(reactor, { read: 5000, write: 5000, burst: 500 }),
        ),
      )
    })
    const { reactor } = sim.host('proxy')
    const endpoint = new TCPClientEndpoint(reactor, 'server', 80)
    let open = visits.length
    for (const { client, at, version, length } of visits) {
      const question = `192.0.2.${client} ${'x'.repeat(length)}`
      const source = new IPv4Address('TCP', `192.0.2.${client}`, 1000 + client)
      const factory = Factory.forProtocol(
        () =>
          new Visitor(question, (answer) => {
            if (answer !== question.toUpperCase()) complain(`${question.slice(0, 20)} was answered ${answer}`)
            if (!service.running) return
            open--
            service.stopService()
          }),
      )
      const header = sendProxyHeader(version, { source, destination: new IPv4Address('TCP', '192.0.2.200', 80) })
      // Who is turned away comes again soon.
      const retryPolicy = backoff(reactor, { maxDelay: 5000 })
      const through = withPolicies(factory, watch.client, header, idleTimeout(reactor, 60_000))
      const service = new ClientService(reactor, endpoint, through, { retryPolicy })
      reactor.callLater(at, () => service.startService())
    }
    expectTalk(sim, watch, wrong)
    sim.eventually('everybody is answered', () => open === 0, 3_600_000)
  },
}
