/**
 * Questions over UDP, each asked until it is answered: a datagram comes whole, from whom it says, and to whom it was sent,
 * or not at all; who knocks at a closed door is told so each time; and of a port that was closed nothing is left.
 */
import { DatagramProtocol, type Hook, type IPAddress, IPv4Address, type Reactor, toText } from 'couplet'
import type { System } from './poetry-system.ts'

interface Question {
  readonly at: number
  readonly length: number
  /** Whether it is asked over a port that hears its server only. */
  readonly connects: boolean
  /** Whether nobody listens where it is asked. */
  readonly closed: boolean
}

const server = '10.0.0.1'
const [open, closed] = [53, 99]
const longest = 1000
const udp = (host: string, port: number): IPv4Address => new IPv4Address('UDP', host, port)

/** Says again what it hears, each time in the same memory. */
class Echo extends DatagramProtocol {
  readonly #memory = new Uint8Array(longest)
  readonly #wrong: (what: string) => void

  constructor(wrong: (what: string) => void) {
    super()
    this.#wrong = wrong
  }

  override datagramReceived(datagram: Uint8Array, from: IPAddress): void {
    const text = toText(datagram)
    if (datagram.length > longest) this.#wrong(`${datagram.length} bytes came, and ${longest} are the most`)
    else if (/^(\d+:x*|noise)$/.test(text)) this.transport.write(this.#copy(datagram), from)
    else this.#wrong(`"${text}" came`)
    this.#memory.fill(0)
  }

  #copy(datagram: Uint8Array): Uint8Array {
    this.#memory.set(datagram)
    return this.#memory.subarray(0, datagram.length)
  }
}

/** Asks once a second until it is answered, or told twice that nobody is there. */
class Asking extends DatagramProtocol {
  readonly #reactor: Reactor
  readonly #text: string
  readonly #question: Question
  readonly #wrong: (what: string) => void
  readonly #over: () => void
  #refusals = 0
  #done = false
  #ended = false

  constructor(reactor: Reactor, index: number, question: Question, wrong: (what: string) => void, over: () => void) {
    super()
    this.#reactor = reactor
    this.#text = `${index}:${'x'.repeat(question.length)}`
    this.#question = question
    this.#wrong = wrong
    this.#over = over
  }

  override startProtocol(): Hook {
    const { connects, closed: knocks } = this.#question
    const door = knocks ? closed : open
    if (!connects) this.#ask(udp(server, door))
    else this.transport.connect(server, door).addCallback(() => this.#ask(undefined))
  }

  override datagramReceived(datagram: Uint8Array, from: IPAddress): void {
    const { connects } = this.#question
    if (this.#ended) this.#wrong('a datagram came after the end')
    const isServer = from.host === server && from.port === open
    if (connects && !isServer) this.#wrong(`${String(from)} was heard, and only the server should be`)
    if (!isServer || toText(datagram) !== this.#text) return
    this.#finish()
  }

  override connectionRefused(): void {
    if (!this.#question.connects) this.#wrong('refused, and it was not connected')
    if (++this.#refusals === 2) this.#finish()
  }

  override datagramLost(): void {}

  override stopProtocol(): void {
    if (this.#ended) this.#wrong('stopProtocol came twice')
    this.#ended = true
    this.#over()
  }

  #ask(to: IPAddress | undefined): void {
    if (this.#done) return
    this.transport.write(this.#text, to)
    this.#reactor.callLater(1000, () => this.#ask(to))
  }

  #finish(): void {
    if (this.#done) return
    this.#done = true
    const { transport } = this
    transport.stopListening().addCallback(() => {
      if (!this.#ended) this.#wrong('it was stopped before its protocol was told')
    })
  }
}

/** Sends to ports that are not its business, and to the server what is too long. */
class Noise extends DatagramProtocol {
  override datagramReceived(): void {}
  override datagramLost(): void {}
}

export const datagrams: System<Question> = {
  options: {
    seeds: 150,
    // What is too long is reported.
    reports: 'allowed',
    faults: ['partition', 'hold', 'slow', 'swizzle', 'crash', 'pause', 'busy', 'clock'],
    operations: (random) =>
      Array.from({ length: random.between(1, 6) }, () => {
        const connects = random.chance(1, 2)
        return {
          at: random.below(30_000),
          length: random.below(900),
          connects,
          closed: connects && random.chance(1, 3),
        }
      }),
  },
  stage(sim, questions) {
    const wrong: string[] = []
    const complain = (what: string): void => void wrong.push(what)
    sim.host('server', { addresses: [server] }).run((reactor) => {
      reactor.listenUDP(open, new Echo(complain), { maxPacketSize: longest })
    })
    const client = sim.host('client', { addresses: ['10.0.0.2'] })
    const noise = new Noise()
    sim.host('stranger', { addresses: ['10.0.0.3'] }).reactor.listenUDP(7, noise)
    let unanswered = questions.length
    for (const [index, question] of questions.entries()) {
      client.reactor.callLater(question.at, () => {
        const asking = new Asking(client.reactor, index, question, complain, () => unanswered--)
        client.reactor.listenUDP(0, asking)
        for (const ms of [100, 1100, 2100]) {
          sim.after(ms, () => {
            noise.transport.write(
              `${index}:${'x'.repeat(question.length)}`,
              udp('10.0.0.2', asking.transport.host.port),
            )
            noise.transport.write('y'.repeat(longest + 1), udp(server, open))
          })
        }
      })
    }
    sim.invariant('datagrams come whole, and from whom they say', () => wrong[0])
    sim.eventually('every question has its answer', () => unanswered === 0, 3_600_000)
    sim.eventually('no port is left', () => client.netstat().length === 0, 3_600_000)
  },
}
