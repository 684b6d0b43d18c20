/** The SOCKS 5 example: requests in any chunking, reply codes, and what passes through. */
import { Factory, FrameBuffer, IPv4Address, join, toBytes } from 'couplet'
import { Sim } from 'couplet/sim'
import { AccumulatingProtocol, connected, everyChunking, isPattern, pattern } from 'couplet/testing'
import { describe, expect, it } from 'vitest'
import { Echo } from '../../examples/echo.ts'
import { type Said, SocksDecoder } from '../../examples/socks.ts'
import { SocksServer } from '../../examples/socks-proxy.ts'
import { reportsOfEachTest } from '../reports.ts'
import { survivesStrangers } from './strangers.ts'

const reported = reportsOfEachTest()
const greeting = new Uint8Array([5, 2, 2, 0])
const toServer = request(3, [7, ...toBytes('thinker')], 7)

function request(kind: number, address: readonly number[], port: number, command = 1): Uint8Array {
  return new Uint8Array([5, command, 0, kind, ...address, port >> 8, port & 0xff])
}

/** Somebody who speaks SOCKS by hand, and goes on listening when the other end has said all it will. */
class Client extends AccumulatingProtocol {
  override readConnectionLost(): void {}
  /** All but the answers of the proxy: two bytes, then ten. */
  get heard(): Uint8Array {
    return this.value().subarray(12)
  }
}

function world() {
  const sim = new Sim({ latency: 5 })
  const proxy = sim.host('proxy', { addresses: ['10.0.0.1', '2001:db8:1:2:3:4:5:1'] })
  const thinker = sim.host('thinker', { addresses: ['10.0.0.2', '2001:db8:1:2:3:4:5:2'] })
  proxy.reactor.listenTCP(
    1080,
    Factory.forProtocol(() => new SocksServer(proxy.reactor, (_host, port) => port !== 25)),
  )
  const host = sim.host('client')
  sim.advance(1)
  const come = (...says: Uint8Array[]): Client => {
    const client = new Client()
    host.reactor
      .dial(new IPv4Address('TCP', '10.0.0.1', 1080), { readWhileFull: true })
      .addCallback((connection) => connection.deliverTo(client))
    sim.advance(20)
    for (const bytes of says) client.transport.write(bytes)
    return client
  }
  return { sim, proxy, thinker, come }
}

describe('the SOCKS proxy', () => {
  it.each([
    ['a name', 3, [7, ...toBytes('thinker')]],
    ['an IPv4 address', 1, [10, 0, 0, 2]],
    ['an IPv6 address', 4, [0x20, 1, 0x0d, 0xb8, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 2]],
  ] as const)('connects to %s, says from where, and forwards until both have said all', (_what, kind, address) => {
    const { sim, thinker, come } = world()
    thinker.reactor.listenTCP(
      7,
      Factory.forProtocol(() => new Echo()),
      kind === 4 ? { interface: '::' } : {},
    )
    const client = come(greeting, request(kind, address, 7))
    sim.advance(100)
    const where = kind === 4 ? [0, 0, 0, 0, 0, 0] : [10, 0, 0, 1, 0xc0, 0]
    expect([...client.value()]).toEqual([5, 0, 5, 0, 0, 1, ...where])
    client.transport.write('what is it?')
    client.transport.loseWriteConnection()
    sim.advance(100)
    expect(new TextDecoder().decode(client.heard)).toBe('what is it?')
    expect([client.closedReason?.name, sim.connections, sim.pending]).toEqual(['ConnectionDone', 0, 0])
    expect(reported).toEqual([])
  })

  it('forwards what came behind the request first, in its order', () => {
    const { sim, thinker, come } = world()
    thinker.reactor.listenTCP(
      7,
      Factory.forProtocol(() => new Echo()),
    )
    const client = come(join([greeting, toServer, toBytes('one, ')]), toBytes('two, '))
    client.transport.write('three')
    sim.advance(100)
    expect(new TextDecoder().decode(client.heard)).toBe('one, two, three')
  })

  it('holds back a sender whose receiver does not read, and loses nothing when it does', () => {
    const { sim, proxy, thinker, come } = world()
    const receiver = new Client()
    thinker.reactor.listenTCP(
      7,
      Factory.forProtocol(() => receiver),
    )
    const client = come(greeting, toServer)
    sim.advance(100)
    receiver.transport.pauseProducing()
    client.transport.write(pattern(900_000))
    client.transport.loseWriteConnection()
    sim.advance(60_000)
    const waiting = proxy.netstat().reduce((sum, { unsent, unread }) => sum + unsent + unread, 0)
    expect(waiting).toBeLessThan(400_000)
    receiver.transport.resumeProducing()
    sim.advance(1000)
    expect([receiver.value().length, isPattern(receiver.value())]).toEqual([900_000, true])
    receiver.transport.write('thanks')
    receiver.transport.loseConnection()
    sim.advance(100)
    expect(new TextDecoder().decode(client.heard)).toBe('thanks')
    expect(sim.connections).toBe(0)
  })

  it.each([
    ['nobody listens', 5, request(1, [10, 0, 0, 2], 9)],
    ['nobody has that name', 4, request(3, [6, ...toBytes('nobody')], 7)],
    ['that is no name', 4, request(3, [3, ...toBytes('a\n ')], 7)],
    ['that is no port', 4, request(1, [10, 0, 0, 2], 0)],
    ['one may not go there', 2, request(1, [10, 0, 0, 2], 25)],
    ['BIND is not known', 7, request(1, [10, 0, 0, 2], 7, 2)],
    ['UDP ASSOCIATE is not known', 7, request(1, [10, 0, 0, 2], 7, 3)],
    ['there is no such kind of address', 8, request(9, [1, 2], 7)],
  ])('says so when %s (%i)', (_what, code, bytes) => {
    const { sim, come } = world()
    const client = come(greeting, bytes)
    sim.advance(200)
    expect([...client.value()]).toEqual([5, 0, 5, code, 0, 1, 0, 0, 0, 0, 0, 0])
    client.transport.loseConnection()
    sim.advance(100)
    expect([client.closedReason?.name, sim.connections]).toEqual(['ConnectionDone', 0])
  })

  it('says so when no address answers, after ten seconds', () => {
    const { sim, come } = world()
    sim.rule(({ to }) => (to === 'thinker' ? 'drop' : undefined))
    const client = come(greeting, toServer)
    sim.advance(9000)
    expect(client.value().length).toBe(2)
    sim.advance(2000)
    expect(client.value()[3]).toBe(4)
  })

  it('has no password to offer, and says so', () => {
    const { sim, come } = world()
    const client = come(new Uint8Array([5, 1, 2]))
    sim.advance(100)
    expect([...client.value()]).toEqual([5, 0xff])
  })

  it('gives up connecting for a client that has gone', () => {
    const { sim, come } = world()
    sim.rule(({ to }) => (to === 'thinker' ? 'drop' : undefined))
    const client = come(greeting, toServer)
    sim.advance(100)
    client.transport.abortConnection()
    sim.advance(20)
    expect([sim.connections, reported]).toEqual([0, []])
  })

  it('passes a break on as a break, in both directions', () => {
    for (const breaks of ['client', 'thinker']) {
      const { sim, thinker, come } = world()
      const receiver = new Client()
      thinker.reactor.listenTCP(
        7,
        Factory.forProtocol(() => receiver),
      )
      const client = come(greeting, toServer)
      sim.advance(100)
      ;(breaks === 'client' ? client : receiver).transport.abortConnection()
      sim.advance(100)
      const names = [client, receiver].map(({ closedReason }) => closedReason?.name).sort()
      expect([names, sim.connections]).toEqual([['ConnectionAborted', 'ConnectionLost'], 0])
    }
  })

  it('leaves nothing of a client that ends in the middle of its greeting', () => {
    const { sim, come } = world()
    come(new Uint8Array([5, 9, 0])).transport.loseConnection()
    sim.advance(100)
    expect([sim.connections, sim.pending]).toEqual([0, 0])
  })
})

describe('what a client of SOCKS says', () => {
  it('is understood however it is cut, and no byte too many is taken', () => {
    everyChunking(join([greeting, toServer, toBytes('!')]), (chunks) => {
      const decoder = new SocksDecoder()
      const input = new FrameBuffer()
      const said: Said[] = []
      for (const chunk of chunks) {
        input.append(chunk)
        do for (let one; said.length < 2 && (one = decoder.decode(input));) said.push(one)
        while (said.length < 2 && input.more())
      }
      expect(said).toEqual([{ methods: new Uint8Array([2, 0]) }, { command: 1, host: 'thinker', port: 7 }])
      expect(new TextDecoder().decode(input.takeAll())).toBe('!')
    })
  })

  it('may be as long as it can be, and is answered however it is cut', () => {
    const { reactor } = new Sim().host('proxy')
    const methods = new Uint8Array([5, 255, ...new Uint8Array(255)])
    const asked = request(3, [255, ...toBytes('x'.repeat(255))], 25)
    const check = (chunks: readonly Uint8Array[]): void => {
      const transport = connected(new SocksServer(reactor, () => false))
      for (const chunk of chunks) transport.receive(chunk)
      expect([...transport.value()].slice(0, 4)).toEqual([5, 0, 5, 2])
    }
    const bytes = join([methods, asked])
    everyChunking(bytes, check)
    // Long pieces behind short ones, with nothing behind them that would set things going again.
    for (let cut = 1; cut < bytes.length; cut++) check([bytes.subarray(0, cut), bytes.subarray(cut)])
  })

  it('may be anything', () => {
    const { reactor } = new Sim().host('proxy')
    const words = [greeting, toServer, request(1, [1, 2, 3, 4], 7, 2), request(4, [], 7), new Uint8Array([5])]
    survivesStrangers(() => new SocksServer(reactor, () => false), words)
  })
})
