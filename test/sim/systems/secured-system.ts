/**
 * Connections that begin in the clear and go on with TLS: what was said in the clear stays outside, what is secret goes
 * nowhere else, an end without a goodbye is none, and whoever waits for TLS is told.
 */
import {
  type Clock,
  type ConnectionClosed,
  ConnectionDone,
  Factory,
  LineReceiver,
  TCPClientEndpoint,
  toText,
} from 'couplet'
import { certify } from 'couplet/sim'
import { serve, type System } from './poetry-system.ts'

/** A visit to the server. */
interface Visit {
  readonly at: number
  readonly secrets: number
  /**
   * What goes wrong the first time, if anything does: somebody on the way puts a line behind the last one in the clear, as
   * if it had been said in secret; or the client has never heard of who vouches for the server.
   */
  readonly trouble: 'none' | 'sneaks' | 'stranger'
}

const identity = certify({ names: ['server'] })
const stranger = certify({ names: ['stranger'] })

/** Goes on with TLS when it is asked to, and then says again what it hears, after a while. */
class Server extends LineReceiver {
  readonly #clock: Clock
  readonly #wrong: (what: string) => void
  #secure = false

  constructor(clock: Clock, wrong: (what: string) => void) {
    super()
    this.#clock = clock
    this.#wrong = wrong
  }

  override lineReceived(line: Uint8Array): void {
    const text = toText(line)
    if (text === 'STARTTLS') {
      this.sendLine('go')
      this.transport.startTLS({ role: 'server', ...identity }).addCallbacks(
        () => (this.#secure = true),
        () => undefined,
      )
    } else if (!this.#secure || !text.startsWith('secret')) {
      this.#wrong(`${text} was heard ${this.#secure ? 'as a secret' : 'in the clear'}`)
    } else {
      this.#clock.callLater(300, () => this.sendLine(line))
    }
  }
}

/** What a client tells of its visit. */
interface Told {
  /** TLS begins. */
  begins(): void
  /** It has begun, or failed. */
  settled(): void
  over(complete: boolean): void
  wrong(what: string): void
}

/** So many secrets are said before one of them was heard. */
const first = 5

/** Says its secrets as soon as it may, in memory that it uses again, and leaves when it has heard them all. */
class Client extends LineReceiver {
  readonly #visit: Visit
  readonly #told: Told
  #secure = false
  #heard = 0

  constructor(visit: Visit, told: Told) {
    super()
    this.#visit = visit
    this.#told = told
  }

  override connectionMade(): void {
    this.transport.write(this.#visit.trouble === 'sneaks' ? 'STARTTLS\r\nsneaked\r\n' : 'STARTTLS\r\n')
  }

  override lineReceived(line: Uint8Array): void {
    const text = toText(line)
    if (text === 'go' && !this.#secure) this.#begin()
    else if (text === `secret ${this.#heard}`) this.#say(this.#heard++ + first)
    else this.#told.wrong(`${text} was heard, and secret ${this.#heard} would be next`)
    if (this.#heard === this.#visit.secrets) this.transport.loseConnection()
  }

  #begin(): void {
    this.#told.begins()
    const { cert: ca } = this.#visit.trouble === 'stranger' ? stranger : identity
    this.transport.startTLS({ role: 'client', serverName: 'server', ca }).addCallbacks(
      () => {
        this.#secure = true
        this.#told.settled()
      },
      () => this.#told.settled(),
    )
    for (let number = 0; number < first; number++) this.#say(number)
  }

  #say(number: number): void {
    if (number >= this.#visit.secrets) return
    const memory = new Uint8Array(100)
    const { written } = new TextEncoder().encodeInto(`secret ${number}\r\n`, memory)
    this.transport.write(memory.subarray(0, written))
    memory.fill(0)
  }

  override connectionLost(reason: ConnectionClosed): void {
    const complete = this.#heard === this.#visit.secrets
    if (this.#secure && reason instanceof ConnectionDone && !complete)
      this.#told.wrong(`a clean end after ${this.#heard} of ${this.#visit.secrets} secrets`)
    this.#told.over(complete)
  }
}

export const secured: System<Visit> = {
  options: {
    seeds: 150,
    // A server that is sent what is not TLS says so.
    reports: 'allowed',
    operations: (random) =>
      Array.from({ length: random.between(1, 4) }, () => ({
        at: random.below(20_000),
        secrets: random.between(1, 30),
        trouble: random.pick(['none', 'none', 'sneaks', 'stranger']),
      })),
    // A handshake has 10 s.
    knobs: ({ latency = 0, ...drawn }) => ({ ...drawn, latency: Math.min(latency, 500) }),
  },
  stage(sim, visits) {
    const wrong: string[] = []
    const complain = (what: string): void => void wrong.push(what)
    sim.host('server').run((reactor) =>
      serve(
        reactor,
        80,
        Factory.forProtocol(() => new Server(reactor, complain)),
      ),
    )
    const { reactor } = sim.host('client')
    const endpoint = new TCPClientEndpoint(reactor, 'server', 80)
    let open = visits.length
    let unsettled = 0
    for (const visit of visits) {
      const go = (present: Visit): void => {
        // Who was disturbed comes again, and is let alone.
        const again = (): void => void reactor.callLater(1000, () => go({ ...visit, trouble: 'none' }))
        const told: Told = {
          begins: () => unsettled++,
          settled: () => unsettled--,
          wrong: complain,
          over(complete) {
            if (complete && present.trouble !== 'none') complain(`all went well, although: ${present.trouble}`)
            if (complete) open--
            else again()
          },
        }
        const client = Factory.forProtocol(() => new Client(present, told))
        endpoint.connect(client).addErrback(again)
      }
      reactor.callLater(visit.at, () => go(visit))
    }
    sim.invariant('secrets are heard in order, and as such', () => wrong[0])
    sim.eventually('everybody has heard their secrets', () => open === 0, 3_600_000)
    sim.eventually('whoever waits for TLS is told', () => unsettled === 0, 3_600_000)
    sim.eventually('nobody is connected', () => sim.connections === 0, 3_600_000)
  },
}
