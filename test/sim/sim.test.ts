/** The simulated world: its time, its events, and the promises of the programs that run in it. */
import { Deferred, flushUnhandled } from 'couplet'
import { Sim } from 'couplet/sim'
import { describe, expect, it, onTestFinished } from 'vitest'
import { reports } from '../reports.ts'

describe('time', () => {
  it('begins at 0, passes by what is asked for, and is the same on every host', () => {
    const sim = new Sim()
    const [one, other] = [sim.host('one').reactor, sim.host('other').reactor]
    expect([sim.now, one.now(), other.now()]).toEqual([0, 0, 0])
    sim.advance(1500.25)
    expect([sim.now, one.now(), other.now()]).toEqual([1500.25, 1500.25, 1500.25])
  })

  it('has a date that does not come from the wall', () => {
    const sim = new Sim()
    const { reactor } = sim.host('here')
    sim.advance(86_400_000)
    expect(new Date(reactor.wallTime()).toISOString()).toBe('2020-01-02T00:00:00.000Z')
    expect(new Sim({ epoch: 5 }).host('here').reactor.wallTime()).toBe(5)
  })

  it('steps to each call at its own time, and is never early', () => {
    const sim = new Sim()
    const { reactor } = sim.host('here')
    const seen: number[] = []
    for (const ms of [30, 10, 20.0001, 0.1 + 0.2, 0]) reactor.callLater(ms, () => seen.push(reactor.now()))
    sim.advance(25)
    expect(seen).toEqual([0, 0.301, 10, 20.001])
    sim.advance(5)
    expect(seen).toEqual([0, 0.301, 10, 20.001, 30])
  })

  it('makes calls of the same time in the order in which they were asked for', () => {
    const sim = new Sim()
    const { reactor } = sim.host('here')
    const order: string[] = []
    reactor.callLater(5, () => {
      order.push('a')
      reactor.callLater(0, () => order.push('d'))
    })
    reactor.callLater(5, () => order.push('b'))
    sim.advance(1)
    reactor.callLater(4, () => order.push('c'))
    sim.advance(10)
    expect(order).toEqual(['a', 'b', 'c', 'd'])
  })

  it('takes years in an instant', () => {
    const sim = new Sim()
    let called = 0
    sim.host('here').reactor.callLater(10 * 365 * 86_400_000, () => called++)
    sim.advance(10 * 365 * 86_400_000 - 1)
    expect(called).toBe(0)
    sim.advance(1)
    expect(called).toBe(1)
  })

  it('forgets a call that was cancelled, and moves one that was reset', () => {
    const sim = new Sim()
    const { reactor } = sim.host('here')
    const called: string[] = []
    const cancelled = reactor.callLater(5, () => called.push('cancelled'))
    const moved = reactor.callLater(5, () => called.push(`moved to ${reactor.now()}`))
    sim.advance(1)
    cancelled.cancel()
    moved.reset(10)
    expect(reactor.pendingCalls()).toEqual([moved])
    sim.advance(100)
    expect(called).toEqual(['moved to 11'])
    expect(sim.pending).toBe(0)
  })

  it.each([-1, NaN, Infinity])('does not pass by %s', async (ms) => {
    const sim = new Sim()
    expect(() => sim.advance(ms)).toThrow(RangeError)
    await expect(sim.runFor(ms)).rejects.toThrow(RangeError)
    expect(() => sim.host('here').reactor.callLater(ms, () => {})).toThrow(RangeError)
  })

  it('cannot be moved by what happens in it', () => {
    const sim = new Sim()
    const errors = reports()
    sim.host('here').reactor.callLater(1, () => sim.advance(1))
    sim.advance(2)
    expect(errors.map((report) => String(report.error))).toEqual([expect.stringContaining('in the world itself')])
    expect(sim.now).toBe(2)
  })
})

describe('a livelock', () => {
  it('is found and explained', () => {
    const sim = new Sim()
    const { reactor } = sim.host('here')
    const again = (): void => void reactor.callLater(0, again)
    reactor.callLater(7, again)
    expect(() => sim.advance(100)).toThrow(/at 7 ms, 10001 events followed from each other and no time passed/)
  })

  it('is not what many independent events of one instant are', () => {
    const sim = new Sim()
    const { reactor } = sim.host('here')
    let called = 0
    for (let calls = 0; calls < 20_000; calls++) reactor.callLater(1, () => called++)
    sim.advance(1)
    expect(called).toBe(20_000)
  })

  it('of two that keep each other going is found too, over the network or not', () => {
    const sim = new Sim()
    const [one, other] = [sim.host('one').reactor, sim.host('other').reactor]
    const ping = (): void => void other.callLater(0, pong)
    const pong = (): void => void one.callLater(0, ping)
    ping()
    ping()
    expect(() => sim.advance(100)).toThrow(/no time passed/)
  })
})

describe('a host', () => {
  it('has an address of its own, unless it is told which', () => {
    const sim = new Sim()
    const addresses = ['one', 'two', 'three'].map((name) => String(sim.host(name).addresses[0]))
    expect(addresses).toEqual(['10.0.0.1:0', '10.0.0.2:0', '10.0.0.3:0'])
    const server = sim.host('server', { addresses: ['192.0.2.1', '2001:db8::1'] })
    expect(server.addresses.map(({ host }) => host)).toEqual(['192.0.2.1', '2001:db8::1'])
  })

  it('has a name and addresses that nobody else has', () => {
    const sim = new Sim()
    sim.host('server', { addresses: ['10.0.0.1'] })
    expect(() => sim.host('Server')).toThrow('there is a host Server already')
    expect(() => sim.host('other', { addresses: ['10.0.0.1'] })).toThrow('10.0.0.1 belongs to server already')
    expect(() => sim.host('other', { addresses: ['server'] })).toThrow('server is not an IP address')
    expect(String(sim.host('other').addresses[0])).toBe('10.0.0.2:0')
  })
})

describe('chance', () => {
  const draw = (sim: Sim, name: string): number[] => {
    const { reactor } = sim.host(name)
    return Array.from({ length: 1000 }, () => reactor.random())
  }

  it('is the same for the same seed, and different for another', () => {
    expect(draw(new Sim({ seed: 7 }), 'a')).toEqual(draw(new Sim({ seed: 7 }), 'a'))
    expect(draw(new Sim({ seed: 'seven' }), 'a')).not.toEqual(draw(new Sim({ seed: 7 }), 'a'))
    expect(draw(new Sim({ seed: 7 }), 'a')).not.toEqual(draw(new Sim({ seed: 7 }), 'b'))
  })

  it('of one host does not depend on the others', () => {
    const sim = new Sim()
    draw(sim, 'another')
    expect(draw(sim, 'a')).toEqual(draw(new Sim(), 'a'))
  })

  it('is spread evenly from 0 to 1', () => {
    const numbers = Array.from({ length: 50 }, (_, seed) => draw(new Sim({ seed }), 'a')).flat()
    const counts = Array.from({ length: 20 }, () => 0)
    for (const number of numbers) counts[Math.floor(number * 20)]!++
    expect(new Set(numbers).size).toBeGreaterThan(numbers.length - 3)
    for (const count of counts) expect(Math.abs(count - 2500)).toBeLessThan(250)
  })
})

describe('a program with promises', () => {
  it('goes on between events, however many promises it waits for', async () => {
    const sim = new Sim()
    const { reactor } = sim.host('here')
    const sleep = (ms: number): Deferred<void> => {
      const slept = new Deferred<void>()
      reactor.callLater(ms, () => slept.callback())
      return slept
    }
    const seen: [string, number][] = []
    const walk = async (name: string, ms: number): Promise<void> => {
      for (let steps = 0; steps < 3; steps++) {
        await sleep(ms)
        for (let hops = 0; hops < 20; hops++) await Promise.resolve()
        seen.push([name, reactor.now()])
      }
    }
    await sim.runUntil(Promise.all([walk('a', 10), walk('b', 15)]))
    expect(seen).toEqual([
      ['a', 10],
      ['b', 15],
      ['a', 20],
      ['b', 30],
      ['a', 30],
      ['b', 45],
    ])
    expect(sim.now).toBe(45)
  })

  it('runs until nothing is left to happen', async () => {
    const sim = new Sim()
    const { reactor } = sim.host('here')
    let called = 0
    reactor.callLater(5, async () => {
      await Promise.resolve()
      reactor.callLater(5, () => called++)
    })
    await sim.run()
    expect([called, sim.now, sim.pending]).toEqual([1, 10, 0])
  })

  it('runs for some time, and time has passed then', async () => {
    const sim = new Sim()
    let called = 0
    sim.host('here').reactor.callLater(100, () => called++)
    await sim.runFor(99)
    expect([called, sim.now]).toEqual([0, 99])
    await sim.runFor(1)
    expect([called, sim.now]).toEqual([1, 100])
  })

  it('that waits for its outcome gets it, value or error, at once', async () => {
    const sim = new Sim()
    const { reactor } = sim.host('here')
    const good = new Deferred<string>()
    const bad = new Deferred<string>()
    reactor.callLater(10, () => good.callback('done'))
    reactor.callLater(20, () => bad.errback(new Error('no luck')))
    reactor.callLater(1000, () => {})
    expect(await sim.runUntil(good)).toBe('done')
    expect(sim.now).toBe(10)
    await expect(sim.runUntil(bad)).rejects.toThrow('no luck')
    expect(sim.now).toBe(20)
  })

  it('that waits for what never comes is told so', async () => {
    const sim = new Sim()
    const { reactor } = sim.host('here')
    reactor.callLater(10, () => {})
    const never = new Deferred()
    onTestFinished(() => never.cancel())
    await expect(sim.runUntil(never)).rejects.toThrow(/at 10 ms, nothing is left to happen/)
    const again = (): void => void reactor.callLater(1000, again)
    again()
    await expect(sim.runUntil(never, 5000)).rejects.toThrow(/5000 ms are over/)
  })

  it('has an unhandled failure reported at the same moment of virtual time whenever it runs', async () => {
    const seen: [string, number][][] = []
    for (let times = 0; times < 3; times++) {
      const sim = new Sim()
      const { reactor } = sim.host('here')
      const order: [string, number][] = []
      const errors = reports()
      const handled = new Deferred<void>()
      reactor.callLater(10, () => {
        new Deferred<void>().errback(new Error('nobody listens'))
        // A promise takes it in time.
        handled.errback(new Error('somebody does'))
        void handled.then(undefined, () => order.push(['handled', reactor.now()]))
      })
      reactor.callLater(10, () => order.push([`${errors.length} reported`, reactor.now()]))
      await sim.run()
      expect(errors.map((report) => String(report.error))).toEqual(['Error: nobody listens'])
      seen.push(order)
    }
    expect(seen[0]).toEqual([
      ['handled', 10],
      ['1 reported', 10],
    ])
    expect(seen[1]).toEqual(seen[0])
    expect(seen[2]).toEqual(seen[0])
    expect(flushUnhandled()).toEqual([])
  })

  it('may run beside another world', async () => {
    const worlds = [new Sim(), new Sim()]
    for (const sim of worlds) {
      const { reactor } = sim.host('here')
      let left = 100
      const again = (): void => void (left-- > 0 && reactor.callLater(1, again))
      again()
    }
    await Promise.all(worlds.map((sim) => sim.run()))
    expect(worlds.map((sim) => sim.now)).toEqual([100, 100])
  })
})
