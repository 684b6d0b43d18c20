/**
 * Quote of the day (RFC 865), over TCP and over UDP: run it with `npm run example -- qotd`, then `nc 127.0.0.1 7017`.
 *
 * Look at the two clocks: the date, which decides the quote and may jump, and the time that passes, which decides how
 * often strangers are answered. Try: in a test, `new Sim({ epoch })` is any day you like.
 */
import { DatagramProtocol, Factory, type IPAddress, Protocol, type Reactor } from 'couplet'
import { react } from 'couplet/node'

/** At most 512 characters each, says the RFC. */
const quotes = [
  'What is a Deferred? A promise that nobody has made yet.',
  'Do not communicate by waiting; wait by communicating.',
  'The network is reliable, said the simulation, and smiled.',
]

export function quoteOfTheDay(reactor: Pick<Reactor, 'wallTime'>): string {
  const day = Math.floor(reactor.wallTime() / 86_400_000)
  return `${quotes[day % quotes.length]}\r\n`
}

export class Quote extends Protocol {
  readonly #quote: string

  constructor(quote: string) {
    super()
    this.#quote = quote
  }

  override connectionMade(): void {
    this.transport.write(this.#quote)
    this.transport.loseConnection()
  }
}

/** An answer is longer than its question, and the sender may be forged: so ten answers a second, and no more. */
export class QuoteDatagrams extends DatagramProtocol {
  readonly #reactor: Pick<Reactor, 'now' | 'wallTime'>
  #next = -Infinity

  constructor(reactor: Pick<Reactor, 'now' | 'wallTime'>) {
    super()
    this.#reactor = reactor
  }

  override datagramReceived(_question: Uint8Array, from: IPAddress): void {
    const now = this.#reactor.now()
    if (now < this.#next || from.port < 1024) return
    this.#next = now + 100
    this.transport.write(quoteOfTheDay(this.#reactor), from)
  }

  override datagramLost(): void {}
}

if (process.argv[1] === import.meta.filename) {
  react(async (reactor, port = '7017') => {
    const local = { interface: '127.0.0.1' }
    const quote = Factory.forProtocol(() => new Quote(quoteOfTheDay(reactor)))
    const stream = await reactor.listenTCP(Number(port), quote, local)
    const datagrams = await reactor.listenUDP(Number(port), new QuoteDatagrams(reactor), local)
    console.log(`listening on ${stream.host}, datagrams on ${datagrams.host}`)
    await reactor.whenStopped()
  })
}
