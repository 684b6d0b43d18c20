/** The caching proxy: one fetch for all, nothing broken kept, and nobody works for nobody. */
import * as fc from 'fast-check'
import {
  CancelledError,
  connectProtocol,
  Deferred,
  Factory,
  flushUnhandled,
  Protocol,
  TCPClientEndpoint,
  toBytes,
  toText,
} from 'couplet'
import { getPoetryBytes, PoemCache, PoemCutOff, PoetryProtocol, PoetryProxyFactory } from 'couplet/poetry'
import { Sim } from 'couplet/sim'
import { assertNoResult, failureResultOf, ManualClock, successResultOf } from 'couplet/testing'
import { afterEach, describe, expect, it } from 'vitest'

afterEach(() => expect(flushUnhandled()).toEqual([]))

const poem = toBytes('one\ntwo\nthree\nfour\n')

/** A cache whose fetches end when the test says so. */
function cacheOf(options = {}) {
  const clock = new ManualClock()
  const fetches: Deferred<Uint8Array>[] = []
  const cancelled: number[] = []
  const cache = new PoemCache(
    clock,
    () => {
      const index = fetches.length
      const fetch = new Deferred<Uint8Array>(() => cancelled.push(index))
      fetches.push(fetch)
      return fetch
    },
    options,
  )
  return { cache, cancelled, clock, fetches }
}

describe('a poem that is kept', () => {
  it('is fetched once for all who ask before it is there, and never for those who ask afterwards', () => {
    const { cache, fetches } = cacheOf()
    const early = Array.from({ length: 100 }, () => cache.getPoem())
    expect([fetches.length, cache.waiting]).toEqual([1, 100])
    for (const one of early) assertNoResult(one)
    fetches[0]?.callback(poem)
    for (const one of [...early, cache.getPoem()]) expect(successResultOf(one)).toBe(poem)
    expect([fetches.length, cache.waiting]).toEqual([1, 0])
  })

  it('is not fetched before somebody asks', () => {
    expect(cacheOf().fetches).toEqual([])
  })

  it('may be there at once', () => {
    const done = new PoemCache(new ManualClock(), () => {
      const here = new Deferred<Uint8Array>()
      here.callback(poem)
      return here
    })
    expect(successResultOf(done.getPoem())).toBe(poem)
    expect(successResultOf(done.getPoem())).toBe(poem)
  })

  it('is not what failed: all who wait hear of it, and the next one to ask has it fetched again', () => {
    const { cache, fetches } = cacheOf()
    const waiting = [cache.getPoem(), cache.getPoem()]
    const broken = new Error('broken')
    fetches[0]?.errback(broken)
    for (const one of waiting) expect(failureResultOf(one).value).toBe(broken)
    const again = cache.getPoem()
    fetches[1]?.callback(poem)
    expect(successResultOf(again)).toBe(poem)
  })

  it('may be asked for again by those who hear of a failure, and that is one new fetch', () => {
    const { cache, fetches } = cacheOf()
    const second: Deferred<Uint8Array>[] = []
    for (let count = 0; count < 3; count++) {
      cache.getPoem().addErrback(() => {
        second.push(cache.getPoem())
      })
    }
    fetches[0]?.errback(new Error('broken'))
    expect([fetches.length, second.length]).toEqual([2, 3])
    fetches[1]?.callback(poem)
    for (const one of second) expect(successResultOf(one)).toBe(poem)
  })

  it('goes on being fetched when one leaves, and not when the last one does', () => {
    const { cache, cancelled, fetches } = cacheOf()
    const waiting = [cache.getPoem(), cache.getPoem(), cache.getPoem()]
    waiting[1]?.cancel()
    waiting[0]?.cancel()
    expect(cancelled).toEqual([])
    waiting[2]?.cancel()
    expect(cancelled).toEqual([0])
    for (const one of waiting) failureResultOf(one, CancelledError)
    const again = cache.getPoem()
    fetches[1]?.callback(poem)
    expect(successResultOf(again)).toBe(poem)
  })

  it('comes to somebody who asks in the middle of the last one’s leaving', () => {
    const clock = new ManualClock()
    const fetches: Deferred<Uint8Array>[] = []
    let late: Deferred<Uint8Array> | undefined
    const cache = new PoemCache(clock, () => {
      const fetch = new Deferred<Uint8Array>(() => {
        late = cache.getPoem()
      })
      fetches.push(fetch)
      return fetch
    })
    const first = cache.getPoem()
    first.cancel()
    failureResultOf(first, CancelledError)
    expect(fetches.length).toBe(2)
    fetches[1]?.callback(poem)
    expect(successResultOf(late!)).toBe(poem)
  })

  it('is good for so long, and then fetched again', () => {
    const { cache, clock, fetches } = cacheOf({ maxAge: 1000 })
    const first = cache.getPoem()
    clock.advance(5000)
    fetches[0]?.callback(poem)
    successResultOf(first)
    clock.advance(999)
    successResultOf(cache.getPoem())
    clock.advance(1)
    const second = cache.getPoem()
    assertNoResult(second)
    const other = toBytes('another')
    fetches[1]?.callback(other)
    expect(successResultOf(second)).toBe(other)
  })

  it('never fails to be told, fetched twice at once, or left behind, whatever people do', () => {
    const step = fc.oneof(
      fc.constantFrom('ask' as const, 'succeed' as const, 'fail' as const, 'wait' as const),
      fc.nat(20),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { cache, cancelled, clock, fetches } = cacheOf({ maxAge: 100 })
        const asked: { one: Deferred<Uint8Array>; ended: unknown; left: boolean }[] = []
        const open = () => fetches.filter((fetch) => !fetch.called)
        for (const what of steps) {
          if (what === 'ask') {
            const one = cache.getPoem()
            const record = { one, ended: undefined as unknown, left: false }
            asked.push(record)
            one.addBoth((result) => {
              expect(record.ended).toBeUndefined()
              record.ended = result
            })
          } else if (what === 'succeed') open()[0]?.callback(poem)
          else if (what === 'fail') open()[0]?.errback(new Error('broken'))
          else if (what === 'wait') clock.advance(60)
          else {
            const record = asked[what]
            if (record?.ended === undefined) {
              record?.one.cancel()
              if (record !== undefined) record.left = true
            }
          }
          expect(open().length).toBeLessThanOrEqual(1)
          const waiting = asked.filter(({ ended }) => ended === undefined).length
          expect(cache.waiting).toBe(waiting)
          expect(open().length > 0).toBe(waiting > 0)
        }
        expect(cancelled.length).toBeLessThanOrEqual(fetches.length)
      }),
    )
  })

  it('has an age that is a time', () => {
    expect(() => cacheOf({ maxAge: -1 })).toThrow(RangeError)
    expect(() => cacheOf({ maxAge: NaN })).toThrow(RangeError)
  })
})

/** A slow poet, a proxy before it, and clients, each on a host of its own. */
function network({ delay = 1000 } = {}) {
  const sim = new Sim({ latency: 5, maxEventsAtOnce: 1_000_000 })
  const [server, proxy, client] = [sim.host('server'), sim.host('proxy'), sim.host('client')].map((h) => h.reactor)
  let connections = 0
  let open = 0
  class WatchedProtocol extends PoetryProtocol {
    override connectionMade(): void {
      connections++
      open++
      super.connectionMade()
    }
    override connectionLost(): void {
      open--
    }
  }
  const poets = Factory.forProtocol(() => new WatchedProtocol(server!, poem, { delay }))
  const listening = server!.listenTCP(10_000, poets)
  const upstream = new TCPClientEndpoint(proxy!, 'server', 10_000, { timeout: 1000 })
  const cache = new PoemCache(proxy!, () => getPoetryBytes(upstream))
  const proxied = proxy!.listenTCP(12_000, new PoetryProxyFactory(cache))
  sim.advance()
  const endpoint = new TCPClientEndpoint(client!, 'proxy', 12_000)
  return {
    cache,
    clock: client!,
    endpoint,
    sim,
    get: () => getPoetryBytes(endpoint),
    upstream: () => ({ connections, open }),
    /** The server stops, at once, as if it were killed. */
    kill: () => void listening.addCallback((port) => void port.stopListening({ drain: 0 })),
    stopProxy: (drain: number) => void proxied.addCallback((port) => void port.stopListening({ drain })),
  }
}

describe('the caching proxy', () => {
  it('has one upstream fetch for a thousand clients who come while it is on, and none for the next', () => {
    const { get, sim, upstream } = network()
    const clients: Deferred<Uint8Array>[] = []
    for (let count = 0; count < 1000; count++) {
      clients.push(get())
      if (count % 250 === 249) sim.advance(900)
    }
    sim.advance(10_000)
    expect(clients.filter((one) => toText(successResultOf(one)) === toText(poem))).toHaveLength(1000)
    const late = get()
    sim.advance(50)
    expect(toText(successResultOf(late))).toBe(toText(poem))
    expect(upstream()).toEqual({ connections: 1, open: 0 })
    expect(sim.pending).toBe(0)
  })

  it('tells every client that waits, once, when the server is killed, and the next fetch works', () => {
    const { cache, get, kill, sim, upstream } = network()
    const clients = Array.from({ length: 100 }, get)
    sim.advance(2500)
    kill()
    sim.advance(100)
    for (const one of clients) {
      const { value } = failureResultOf(one, PoemCutOff)
      expect((value as Error).message).toMatch(/^10\.0\.0\.2:12000: incomplete: only 0 bytes of the poem arrived \(/)
    }
    expect(cache.waiting).toBe(0)
    const refused = get()
    sim.advance(100)
    failureResultOf(refused, PoemCutOff)
    expect(upstream()).toEqual({ connections: 1, open: 0 })
    expect(sim.pending).toBe(0)
  })

  it('lets the others wait on when one of them goes', () => {
    const { get, sim, upstream } = network()
    const clients = [get(), get(), get()]
    sim.advance(1500)
    clients[0]?.cancel()
    sim.advance(1000)
    expect(upstream()).toEqual({ connections: 1, open: 1 })
    sim.advance(10_000)
    failureResultOf(clients[0]!, CancelledError)
    for (const one of clients.slice(1)) expect(toText(successResultOf(one))).toBe(toText(poem))
    expect(sim.pending).toBe(0)
  })

  it('hangs up when the last client has gone, and the poet falls silent', () => {
    const { get, sim, upstream } = network()
    const clients = [get(), get()]
    sim.advance(1500)
    clients[0]?.cancel()
    clients[1]?.cancel()
    sim.advance(100)
    expect(upstream()).toEqual({ connections: 1, open: 0 })
    expect(sim.pending).toBe(0)
    const again = get()
    sim.advance(10_000)
    expect(toText(successResultOf(again))).toBe(toText(poem))
    expect(upstream()).toEqual({ connections: 2, open: 0 })
    for (const one of clients) failureResultOf(one, CancelledError)
  })

  it('takes the end of a client’s side for its leaving, because a client that is killed looks like that', () => {
    const { clock, endpoint, sim, upstream } = network()
    class HalfClosing extends Protocol {
      reason: Error | undefined
      override connectionMade(): void {
        clock.callLater(1500, () => this.transport.loseWriteConnection())
      }
      override connectionLost(reason: Error): void {
        this.reason = reason
      }
    }
    const client = new HalfClosing()
    connectProtocol(endpoint, client)
    sim.advance(1400)
    expect(upstream()).toEqual({ connections: 1, open: 1 })
    sim.advance(200)
    expect(upstream()).toEqual({ connections: 1, open: 0 })
    // A reset, and no clean end: nobody is to take nothing for a poem.
    expect(client.reason?.name).toBe('ConnectionLost')
    expect(sim.pending).toBe(0)
  })

  it('gives those who wait their poem when it is stopped, or a reset when the time is over', () => {
    for (const [drain, whole] of [
      [5000, true],
      [1000, false],
    ] as const) {
      const { get, sim, stopProxy, upstream } = network()
      const waiting = get()
      sim.advance(500)
      stopProxy(drain)
      sim.advance(10_000)
      if (whole) expect(toText(successResultOf(waiting))).toBe(toText(poem))
      else failureResultOf(waiting, PoemCutOff)
      expect(upstream()).toEqual({ connections: 1, open: 0 })
      expect(sim.pending).toBe(0)
    }
  })
})
