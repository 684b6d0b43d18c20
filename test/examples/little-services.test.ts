/** Echo, discard and quote of the day: in virtual time, and with datagrams over a port that only remembers. */
import { ConnectionDone, Factory, IPv4Address, type Reactor, throttle, toBytes, withPolicies } from 'couplet'
import { Sim } from 'couplet/sim'
import { AccumulatingProtocol, connected, everyChunking, isPattern, ManualClock, pattern } from 'couplet/testing'
import { describe, expect, it } from 'vitest'
import { Discard, DiscardDatagrams } from '../../examples/discard.ts'
import { Echo, EchoDatagrams } from '../../examples/echo.ts'
import { Quote, QuoteDatagrams, quoteOfTheDay } from '../../examples/qotd.ts'
import { DatagramPortInMemory } from './datagram-port.ts'

const somebody = new IPv4Address('UDP', '10.0.0.7', 5000)
const service = new IPv4Address('UDP', '10.0.0.7', 7)

/** Sends so much at once, says that it was all, and does not read until it is told to. */
class Sender extends AccumulatingProtocol {
  readonly #size: number

  constructor(size: number) {
    super()
    this.#size = size
  }

  /** Connects to the first host, on a connection that is read from although much waits to be sent. */
  static connect(reactor: Reactor, port: number, size: number): Sender {
    const sender = new Sender(size)
    reactor
      .dial(new IPv4Address('TCP', '10.0.0.1', port), { readWhileFull: true })
      .addCallback((connection) => connection.deliverTo(sender))
    return sender
  }

  override connectionMade(): void {
    this.transport.write(pattern(this.#size))
    this.transport.loseWriteConnection()
    this.transport.pauseProducing()
  }

  override readConnectionLost(): void {}
}

describe('echo', () => {
  it('sends back what comes, however it comes', () => {
    everyChunking(toBytes('hello\0world'), (chunks) => {
      const transport = connected(new Echo())
      for (const chunk of chunks) transport.receive(chunk)
      expect(transport.text()).toBe('hello\0world')
    })
  })

  it('holds back a client that does not read, and loses nothing of its echo when it does', () => {
    const sim = new Sim({ latency: 5 })
    const server = sim.host('server')
    server.reactor.listenTCP(
      7,
      Factory.forProtocol(() => new Echo()),
    )
    const sender = Sender.connect(sim.host('client').reactor, 7, 900_000)
    sim.advance(60_000)
    const waiting = server.netstat().find(({ state }) => state !== 'listening')
    expect(waiting?.unsent).toBeLessThan(300_000)
    expect(sender.value().length).toBe(0)
    sender.transport.resumeProducing()
    sim.advance(60_000)
    expect([sender.value().length, isPattern(sender.value())]).toEqual([900_000, true])
    expect(sender.closedReason).toBeInstanceOf(ConnectionDone)
    expect(sim.connections).toBe(0)
  })

  it('answers each datagram, but not one that seems to come from another service', () => {
    const port = new DatagramPortInMemory(new EchoDatagrams())
    port.arrive('hello', somebody)
    port.arrive('', somebody)
    port.arrive('hello', service)
    expect(port.sent).toEqual([
      ['hello', '10.0.0.7:5000'],
      ['', '10.0.0.7:5000'],
    ])
  })
})

describe('discard', () => {
  it('counts what comes, no faster than it may, and says nothing', () => {
    const sim = new Sim({ latency: 5 })
    const log: string[] = []
    const discard = Factory.forProtocol(() => new Discard((line) => log.push(`${sim.now / 1000} s ${line}`)))
    const server = sim.host('server').reactor
    server.listenTCP(9, withPolicies(discard, throttle(server, { read: 100_000, shared: true })))
    const sender = Sender.connect(sim.host('client').reactor, 9, 900_000)
    sim.advance(60_000)
    expect(log).toEqual([expect.stringMatching(/^8 s 10\.0\.0\.2:\d+: 900000 bytes \(connection closed cleanly\)$/)])
    sender.transport.resumeProducing()
    sim.advance(60_000)
    expect([sender.text(), sim.connections]).toEqual(['', 0])
  })

  it('answers no datagram', () => {
    const port = new DatagramPortInMemory(new DiscardDatagrams())
    port.arrive('hello', somebody)
    expect(port.sent).toEqual([])
  })
})

describe('quote of the day', () => {
  it('says the same all day and something else the next day', () => {
    const quotes = [0, 86_399_999, 86_400_000].map((wallTime) => quoteOfTheDay({ wallTime: () => wallTime }))
    expect(quotes[0]).toBe(quotes[1])
    expect(quotes[2]).not.toBe(quotes[0])
    for (const quote of quotes) expect(quote).toMatch(/^[ -~]{1,510}\r\n$/)
  })

  it('sends its quote and closes, whatever the client says', () => {
    const sim = new Sim({ epoch: 0 })
    const server = sim.host('server').reactor
    server.listenTCP(
      17,
      Factory.forProtocol(() => new Quote(quoteOfTheDay(server))),
    )
    const reader = new AccumulatingProtocol()
    sim
      .host('client')
      .reactor.dial(new IPv4Address('TCP', '10.0.0.1', 17))
      .addCallback((connection) => {
        connection.deliverTo(reader)
        reader.transport.write('what is it?\r\n')
      })
    sim.advance(10_000)
    expect(reader.text()).toBe(quoteOfTheDay({ wallTime: () => 0 }))
    expect(reader.closedReason).toBeInstanceOf(ConnectionDone)
  })

  it('answers ten datagrams a second, and no service', () => {
    const clock = new ManualClock()
    const reactor = { now: () => clock.now(), wallTime: () => 0 }
    const port = new DatagramPortInMemory(new QuoteDatagrams(reactor))
    for (let ms = 0; ms < 1000; ms += 10) {
      port.arrive('', ms % 20 === 0 ? service : somebody)
      port.arrive('', somebody)
      clock.advance(10)
    }
    expect(port.sent.length).toBe(10)
    expect(port.sent[0]).toEqual([quoteOfTheDay(reactor), '10.0.0.7:5000'])
  })
})
