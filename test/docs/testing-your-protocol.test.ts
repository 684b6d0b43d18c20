/**
 * What docs/testing-your-protocol.md shows is what runs: each of its blocks stands here, line by line, as a test.
 */
import { readFileSync } from 'node:fs'
import {
  type Clock,
  type ConnectionClosed,
  connectProtocol,
  Deferred,
  type DelayedCall,
  Factory,
  type IPv4Address,
  LineReceiver,
  TCPClientEndpoint,
  toBytes,
  toText,
} from 'couplet'
import { NodeReactor } from 'couplet/node'
import { Sim, simTestWith } from 'couplet/sim'
import {
  AccumulatingProtocol,
  assertNoResult,
  connected,
  everyChunking,
  failureResultOf,
  flushUnhandled,
  ManualClock,
  successResultOf,
} from 'couplet/testing'
import { afterEach, describe, expect, it } from 'vitest'
import { pageNamed } from './page.ts'

class Doorman extends LineReceiver {
  readonly #clock: Clock
  #patience: DelayedCall | undefined

  constructor(clock: Clock) {
    super()
    this.#clock = clock
  }

  override connectionMade() {
    this.sendLine('who is there?')
    this.#patience = this.#clock.callLater(30_000, () => this.transport.loseConnection())
  }

  override lineReceived(name: Uint8Array) {
    this.#calm()
    this.sendLine(`good evening, ${toText(name)}`)
  }

  override connectionLost() {
    this.#calm()
  }

  #calm() {
    if (this.#patience?.active() === true) this.#patience.cancel()
  }
}

class Guest extends LineReceiver {
  readonly #greeting = new Deferred<string>()

  /** Says who is there. To be called once. */
  introduce(name: string): Deferred<string> {
    this.sendLine(name)
    return this.#greeting
  }

  override lineReceived(line: Uint8Array) {
    const text = toText(line)
    if (text.startsWith('good evening')) this.#greeting.callback(text)
  }

  override connectionLost(reason: ConnectionClosed) {
    if (!this.#greeting.called) this.#greeting.errback(reason)
  }
}

it('greets by name', () => {
  const transport = connected(new Doorman(new ManualClock()))
  transport.receive('Ada\r\n')
  expect(transport.text()).toBe('who is there?\r\ngood evening, Ada\r\n')
})

it('greets by name, however the bytes arrive', () => {
  everyChunking(toBytes('Ada\r\nBen\r\n'), (chunks) => {
    const transport = connected(new Doorman(new ManualClock()))
    transport.clear()
    for (const chunk of chunks) transport.receive(chunk)
    expect(transport.text()).toBe('good evening, Ada\r\ngood evening, Ben\r\n')
  })
})

it('sends away whoever says nothing for half a minute', () => {
  const clock = new ManualClock()
  const transport = connected(new Doorman(clock))
  clock.advance(29_999)
  expect(transport.disconnecting).toBe(false)
  clock.advance(1)
  expect(transport.disconnecting).toBe(true)
})

it('leaves no timer behind', () => {
  const clock = new ManualClock()
  const transport = connected(new Doorman(clock))
  transport.end()
  expect(clock.pending()).toEqual([])
})

it('is greeted', () => {
  const guest = new Guest()
  const transport = connected(guest)
  const greeting = guest.introduce('Ada')
  transport.receive('who is there?\r\n')
  assertNoResult(greeting)
  transport.receive('good evening, Ada\r\n')
  expect(successResultOf(greeting)).toBe('good evening, Ada')
})

it('is told if the line is cut', () => {
  const guest = new Guest()
  const transport = connected(guest)
  const greeting = guest.introduce('Ada')
  transport.receive('good eve')
  transport.end()
  expect(failureResultOf(greeting).getErrorMessage()).toMatch(/in the middle of a frame: 8 bytes had arrived/)
})

it('is greeted over a network, in good time', () => {
  const sim = new Sim({ latency: 50 })
  const house = sim.host('house').reactor
  house.listenTCP(
    23,
    Factory.forProtocol(() => new Doorman(house)),
  )
  sim.advance()
  const guest = connectProtocol(new TCPClientEndpoint(sim.host('street').reactor, 'house', 23), new Guest())
  const greeting = guest.addCallback((protocol) => protocol.introduce('Ada'))
  sim.advance(200)
  expect(successResultOf(greeting)).toBe('good evening, Ada')
})

const simTest = simTestWith(it)

simTest('is greeted or told why not, whatever happens', { seeds: 20 }, (sim) => {
  sim.host('house').run((house) =>
    house.listenTCP(
      23,
      Factory.forProtocol(() => new Doorman(house)),
    ),
  )
  const street = sim.host('street').reactor
  let outcomes = 0
  street.callLater(5000, () =>
    connectProtocol(new TCPClientEndpoint(street, 'house', 23), new Guest())
      .addCallback((guest) => guest.introduce('Ada').addBoth(() => guest.transport.loseConnection()))
      .addBoth(() => void outcomes++),
  )
  sim.invariant('there is one outcome at most', () => (outcomes > 1 ? `${outcomes}` : undefined))
  sim.eventually('there is one', () => outcomes === 1)
})

it('greets over a socket', async () => {
  const reactor = new NodeReactor()
  const factory = Factory.forProtocol(() => new Doorman(reactor))
  const port = await reactor.listenTCP(0, factory, { interface: '127.0.0.1' })
  const { host } = port
  const client = await connectProtocol(
    new TCPClientEndpoint(reactor, '127.0.0.1', (host as IPv4Address).port),
    new Guest(),
  )
  expect(await client.introduce('Ada')).toBe('good evening, Ada')
  await port.stopListening({ drain: 1000 })
})

afterEach(() => {
  expect(flushUnhandled()).toEqual([])
})

const here = readFileSync(import.meta.filename, 'utf8')
const page = pageNamed('testing-your-protocol')

describe('docs/testing-your-protocol.md', () => {
  const blocks = [...page.matchAll(/^```ts\n([^]*?)^```/gm)].map(([, block = '']) => block)

  it('has a block of each kind', () => {
    expect(blocks.length).toBeGreaterThan(8)
  })

  it.each(blocks)('shows code that stands in this file: %#', (block) => {
    expect(here).toContain(block)
  })

  it('shows every test of this file', () => {
    const [ours = ''] = here.split('\nconst here =')
    for (const [, name = ''] of ours.matchAll(/^(?:it|simTest)\('(.*?)'/gm)) expect(page).toContain(name)
  })
})

it('the other end remembers', () => {
  const other = new AccumulatingProtocol()
  connected(other).receive('good evening')
  expect(other.text()).toBe('good evening')
})
