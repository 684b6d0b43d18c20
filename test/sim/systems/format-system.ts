/**
 * The edges of wire formats: the longest string that may be said, who wants no more for a while, who wants no more at
 * all, and who leaves in the middle of a string.
 */
import {
  type ConnectionClosed,
  ConnectionDone,
  Factory,
  IncompleteFrame,
  IntStringDecoder,
  LineDecoder,
  NetstringDecoder,
  StringReceiver,
  type StringDecoder,
  TCPClientEndpoint,
  toBytes,
  toText,
  VarintStringDecoder,
} from 'couplet'
import { nothingThatHangsUp, type System } from './poetry-system.ts'

/** More than one byte of a varint can say, less than one byte of an int can. */
const longest = 200

const rules = { delimiter: '\r\n', maxLength: longest }
const lines = (decoder: LineDecoder): StringDecoder => ({
  type: 'line',
  decode: (input) => decoder.decode(input),
  encode: (line) => [line, '\r\n'],
})
const formats: readonly (() => StringDecoder)[] = [
  () => new NetstringDecoder(rules),
  () => new IntStringDecoder(1, rules),
  () => new IntStringDecoder(2, rules),
  () => new IntStringDecoder(4, rules),
  () => new VarintStringDecoder(rules),
  () => lines(new LineDecoder(rules)),
]

/** What somebody says, and how they leave. */
interface Talk {
  readonly at: number
  readonly format: number
  readonly lengths: readonly number[]
  /** With a `bye`, behind which nobody listens; by the end of its side; or by that, and in the middle of a string. */
  readonly leaves: 'well' | 'early' | 'broken off'
  /** For so many milliseconds after each answer nothing is listened to. */
  readonly pause: number
}

const texts = ({ lengths }: Talk): string[] =>
  lengths.map((length, index) => `${index} `.repeat(longest).slice(0, length))

/** Says back what it hears, until it hears `bye`: after that it wants to hear nothing. */
class Parrot extends StringReceiver {
  protected override readonly decoder: StringDecoder
  readonly #open: Set<Parrot>
  readonly #complain: (what: string) => void
  #gone = false

  constructor(decoder: StringDecoder, open: Set<Parrot>, complain: (what: string) => void) {
    super()
    this.decoder = decoder
    this.#open = open
    this.#complain = complain
  }

  override connectionMade(): void {
    this.#open.add(this)
  }

  override stringReceived(string: Uint8Array): void {
    if (this.#gone) this.#complain(`"${toText(string)}" was heard after the end`)
    if (string.length > longest) this.#complain(`a string of ${string.length} bytes was heard`)
    this.sendString(string)
    if (toText(string) !== 'bye') return
    this.#gone = true
    this.transport.loseConnection()
  }

  override connectionLost(reason: ConnectionClosed): void {
    this.#open.delete(this)
    const pending = this.inputPending()
    if (!(reason instanceof ConnectionDone) || pending === 0 || this.#gone) return
    this.#complain(`a clean end in the middle of a string, after ${pending} bytes`)
  }
}

/** Says what is to be said all at once, and looks at what comes back. */
class Talker extends StringReceiver {
  protected override readonly decoder: StringDecoder
  readonly #talk: Talk
  readonly #texts: string[]
  readonly #later: (ms: number, f: () => void) => void
  readonly #over: (what: string | undefined) => void
  #heard = 0

  constructor(talk: Talk, later: (ms: number, f: () => void) => void, over: (what: string | undefined) => void) {
    super()
    this.decoder = formats[talk.format]!()
    this.#talk = talk
    this.#texts = texts(talk)
    this.#later = later
    this.#over = over
  }

  override connectionMade(): void {
    for (const text of this.#texts) this.sendString(text)
    const { leaves } = this.#talk
    if (leaves === 'well') {
      this.sendString('bye')
      this.sendString('is anybody there?')
    } else {
      const [half] = this.decoder.encode(toBytes('never said'))
      if (leaves === 'broken off') this.transport.write(half!)
      this.transport.loseWriteConnection()
    }
  }

  override stringReceived(string: Uint8Array): void {
    const expected = this.#texts[this.#heard++] ?? 'bye'
    if (toText(string) !== expected) this.#over(`"${expected}" came back as "${toText(string)}"`)
    const { pause } = this.#talk
    if (pause === 0) return
    this.pauseProducing()
    this.#later(pause, () => this.resumeProducing())
  }

  override connectionLost(reason: ConnectionClosed): void {
    const { length } = this.#texts
    const whole = this.#heard === length + (this.#talk.leaves === 'well' ? 1 : 0)
    const clean = reason instanceof ConnectionDone || reason.cause instanceof IncompleteFrame
    this.#over(
      whole || !clean ? undefined : `the end after ${this.#heard} of ${length} strings, and nobody had cut it short`,
    )
  }
}

/** Many talks, in all formats, with one host that repeats what it hears. */
export const wireFormats: System<Talk> = {
  options: {
    seeds: 200,
    faults: nothingThatHangsUp,
    operations: (random) =>
      Array.from({ length: random.between(1, 6) }, () => ({
        at: random.below(10) * 1000,
        format: random.below(formats.length),
        lengths: Array.from({ length: random.below(12) }, () =>
          random.chance(1, 3) ? random.pick([0, 1, 127, 128, longest - 1, longest]) : random.below(longest + 1),
        ),
        leaves: random.pick(['well', 'well', 'early', 'broken off']),
        pause: random.chance(1, 3) ? random.between(1, 500) : 0,
      })),
  },
  stage(sim, talks) {
    const wrong: string[] = []
    let open = talks.length
    const complain = (what: string): void => void wrong.push(what)
    const parrots = new Set<Parrot>()
    const house = sim.host('parrot')
    house.run((reactor) => {
      for (const [format, decoder] of formats.entries()) {
        const factory = Factory.forProtocol(() => new Parrot(decoder(), parrots, complain))
        reactor.listenTCP(7000 + format, factory)
      }
    })
    const { reactor } = sim.host('talkers')
    const later = (ms: number, f: () => void): void => void reactor.callLater(ms, f)
    for (const talk of talks) {
      const over = (what: string | undefined): void => {
        if (what === undefined) open--
        else complain(`${formats[talk.format]!().type}: ${what}`)
      }
      const factory = Factory.forProtocol(() => new Talker(talk, later, over))
      const endpoint = new TCPClientEndpoint(reactor, 'parrot', 7000 + talk.format)
      const begin = (): void => {
        endpoint.connect(factory).addErrback(() => later(1000, begin))
      }
      later(talk.at, begin)
    }
    sim.invariant('strings come as they were said', () => wrong[0])
    sim.invariant('no timer outlives its connection', () => {
      const left = parrots.size > 0 ? 0 : house.reactor.pendingCalls().length
      return left > 0 ? `${left} do` : undefined
    })
    sim.eventually('everybody has left', () => open === 0, 3_600_000)
    sim.eventually('nobody is connected', () => sim.connections === 0, 3_600_000)
  },
}
