import { connectProtocol, equal, gatherResults, type IPAddress, Protocol, TCPClientEndpoint, toBytes } from 'couplet'
import type { PoetryProtocol } from 'couplet/poetry'
import { experiment, type Experiment, getPoetryBytes, PoetryFactory } from 'couplet/poetry'
import { Sim } from 'couplet/sim'
import { describe, expect, it } from 'vitest'

/** Many connections do something at the same instant, and that is no endless loop. */
const busy = { maxEventsAtOnce: 1_000_000 }

/** A poem of so many lines, which differs from every other. */
function poemOf(lines: number, name: string): Uint8Array {
  return toBytes(Array.from({ length: lines }, (_, index) => `line ${index} of ${name}\n`).join(''))
}

/** A server of one poem, on a host of its own. */
function serve(sim: Sim, poem: Uint8Array, options = {}) {
  const protocols: PoetryProtocol[] = []
  const host = sim.host('server')
  class WatchedFactory extends PoetryFactory {
    override buildProtocol(): PoetryProtocol {
      const protocol = super.buildProtocol()
      protocols.push(protocol)
      return protocol
    }
  }
  let address: IPAddress | undefined
  host.reactor.listenTCP(0, new WatchedFactory(host.reactor, poem, options)).addCallback((port) => {
    address = port.host as IPAddress
  })
  sim.advance()
  if (address === undefined) throw new Error('it does not listen')
  const [{ host: ip } = { host: '' }] = host.addresses
  return { protocols, host: ip, port: address.port }
}

/** Connects, and never reads. */
class DeafProtocol extends Protocol {
  override connectionMade(): void {
    this.transport.pauseProducing()
  }
}

describe('one slow poet', () => {
  it('has a thousand listeners at once, and each hears the whole poem in the time of one', () => {
    const sim = new Sim(busy)
    const poem = poemOf(4, 'all')
    const { host, port, protocols } = serve(sim, poem)
    const { reactor } = sim.host('clients')
    let got: readonly Uint8Array[] = []
    let took = NaN
    const start = reactor.now()
    const endpoint = new TCPClientEndpoint(reactor, host, port)
    gatherResults(Array.from({ length: 1000 }, () => getPoetryBytes(endpoint))).addCallback((poems) => {
      got = poems
      took = reactor.now() - start
    })
    sim.advance(10_000)
    expect([protocols.length, took]).toEqual([1000, 4000])
    expect(got.every((one) => equal(one, poem))).toBe(true)
    expect(sim.pending).toBe(0)
  })

  it('is not delayed by a listener that never reads, and holds little for it', () => {
    const sim = new Sim()
    const poem = poemOf(50_000, 'a long winter')
    const { host, port, protocols } = serve(sim, poem, { delay: 1 })
    const { reactor } = sim.host('clients')
    const endpoint = new TCPClientEndpoint(reactor, host, port)
    connectProtocol(endpoint, new DeafProtocol())
    let most = 0
    let took = NaN
    sim.advance()
    getPoetryBytes(endpoint, {
      received: () => {
        most = Math.max(most, protocols[0]?.transport.queued ?? 0)
      },
    }).addCallback(() => {
      took = reactor.now()
    })
    sim.advance(60_000)
    expect(took).toBe(50_000)
    // The kernel's buffers on both sides are full, the queue above its mark by less than a piece, and the poet silent.
    expect(most).toBeGreaterThan(64 * 1024)
    expect(most).toBeLessThan(64 * 1024 + 100)
    expect(sim.pending).toBe(0)
  })

  it('stops in the middle when its listener vanishes', () => {
    const sim = new Sim()
    const { host, port } = serve(sim, poemOf(100, 'nobody'))
    const { reactor } = sim.host('clients')
    const poem = getPoetryBytes(new TCPClientEndpoint(reactor, host, port))
    sim.advance(2500)
    expect(sim.pending).toBeGreaterThan(0)
    poem.cancel()
    sim.advance()
    expect(sim.pending).toBe(0)
    poem.addErrback(() => undefined)
  })
})

describe('a thousand slow poets', () => {
  it('together take as long as the slowest of them, and 2 % more at most', () => {
    const sim = new Sim({ ...busy, latency: 20 })
    const poems = Array.from({ length: 1000 }, (_, index) => poemOf(1 + (index % 10), `poet ${index}`))
    const poets = sim.host('poets')
    const reader = sim.host('reader')
    let result: Experiment | undefined
    experiment({
      poets: poets.reactor,
      reader: reader.reactor,
      interface: poets.addresses[0]?.host,
      poems,
    }).addCallback((value) => {
      result = value
    })
    sim.advance(6_000_000)
    const [sequential, together] = [result?.sequential, result?.concurrent]
    expect(together?.ms).toBeGreaterThanOrEqual(10_000)
    expect(together?.ms).toBeLessThanOrEqual(10_200)
    expect(sequential?.ms).toBeGreaterThanOrEqual(5_500_000)
    for (const run of [sequential, together]) {
      expect(run?.poems).toHaveLength(1000)
      expect(run?.poems.every((poem, index) => equal(poem, poems[index] ?? poem.subarray(1)))).toBe(true)
    }
  })
})
