/** Determinism: nothing of the real world gets in, the same seed is the same world, and what always holds is watched. */
import { Deferred, Factory } from 'couplet'
import { Sim, SimEscape, type SimOptions } from 'couplet/sim'
import { pattern, Witness } from 'couplet/testing'
import { describe, expect, it, vi } from 'vitest'
import { reports } from '../reports.ts'
import { World } from './stage.ts'

describe('a program in a simulated world', () => {
  it.each<[what: string, ask: () => unknown]>([
    ['Date.now()', () => Date.now()],
    ['new Date()', () => new Date()],
    ['Date()', () => Date()],
    ['performance.now()', () => performance.now()],
    ['Math.random()', () => Math.random()],
    ['crypto.randomUUID()', () => crypto.randomUUID()],
    ['crypto.getRandomValues()', () => crypto.getRandomValues(new Uint8Array(4))],
    ['setTimeout()', () => setTimeout(() => {}, 1)],
    ['setInterval()', () => setInterval(() => {}, 1)],
    ['setImmediate()', () => setImmediate(() => {})],
  ])('may not call %s, and is told what to use instead', async (what, ask) => {
    const errors = reports()
    const sim = new Sim()
    const { reactor } = sim.host('here')
    reactor.callLater(1, ask)
    // What a hook throws is reported and nothing else; this ends the world as well.
    expect(() => sim.advance(10)).toThrow(`${what} was called in a simulated world`)
    expect(errors.map(({ error }) => (error as Error).name)).toEqual(['SimEscape'])
    reactor.callLater(1, async () => {
      await Promise.resolve()
      ask()
    })
    await expect(sim.runFor(10)).rejects.toThrow(SimEscape)
  })

  it('may do with dates whatever does not ask for the present one', () => {
    const sim = new Sim()
    const { reactor } = sim.host('here')
    let date: Date | undefined
    reactor.callLater(1, () => {
      class Day extends Date {}
      date = new Day(reactor.wallTime())
      expect(date).toBeInstanceOf(Day)
      expect(new Date(2020, 0, 1)).toBeInstanceOf(Date)
      expect(Date.UTC(2020, 0)).toBe(1_577_836_800_000)
    })
    sim.advance(1)
    expect(date?.toISOString()).toBe('2020-01-01T00:00:00.001Z')
  })

  it('may print, though the console of a test runner looks at the clock', () => {
    let printed = 0
    const info = vi.spyOn(console, 'info').mockImplementation(() => (printed = Date.now() + new Date().getTime()))
    const sim = new Sim()
    sim.host('here').reactor.callLater(1, () => console.info('hello'))
    sim.host('there').reactor.callLater(2, () => Date.now())
    reports()
    expect(() => sim.advance(2)).toThrow('Date.now()')
    expect([info.mock.calls, printed > 0]).toEqual([[['hello']], true])
    info.mockRestore()
  })

  it('may ask for everything when it is allowed to', () => {
    const sim = new Sim({ escapes: 'allowed' })
    let asked = 0
    sim.host('here').reactor.callLater(1, () => (asked = Date.now()))
    sim.advance(1)
    expect(asked).toBeGreaterThan(0)
  })

  it('leaves everything as it was', async () => {
    const before = [Date, setTimeout, setInterval, setImmediate, Math.random, Object.keys(performance)]
    const own = Object.getOwnPropertyNames(crypto)
    const sim = new Sim()
    sim.advance(1)
    await sim.runFor(1)
    const broken = new Sim()
    broken.host('here').reactor.callLater(1, () => Date.now())
    reports()
    expect(() => broken.advance(1)).toThrow(SimEscape)
    expect([Date, setTimeout, setInterval, setImmediate, Math.random, Object.keys(performance)]).toEqual(before)
    expect(Object.getOwnPropertyNames(crypto)).toEqual(own)
    expect(Date.now()).toBeGreaterThan(0)
  })
})

describe('the same seed', () => {
  const run = (options: SimOptions): { hash: string; events: number; order: string[] } => {
    const { sim, server, client } = new World({ latency: 2, jitter: 3, loss: 5, delivery: 'random', ...options })
    const order: string[] = []
    server.run((reactor) =>
      reactor.listenTCP(
        80,
        Factory.forProtocol(() => new Witness({ data: (self, chunk) => self.transport.write(chunk) })),
      ),
    )
    for (let count = 0; count < 10; count++) {
      client.reactor.callLater(10, () => {
        client.reactor.dial(server.addresses[0]!.withPort(80)).addCallback((connection) => {
          const witness = new Witness({
            made: (self) => self.transport.write(pattern(1000)),
            data: (self) => (self.size === 1000 ? self.transport.loseConnection() : undefined),
            lost: (self) => void order.push(`${count} ${self.reason?.name} ${sim.now}`),
          })
          connection.deliverTo(witness)
        })
      })
    }
    sim.advance(100_000)
    return { hash: sim.hash, events: sim.events, order }
  }

  it('is the same world, event for event', () => {
    const [one, other] = [run({ seed: 7 }), run({ seed: 7 })]
    expect(one).toEqual(other)
    expect(one.events).toBeGreaterThan(200)
    expect(one.hash).toMatch(/^[0-9a-f]{16}$/)
    expect(run({ seed: 8 }).hash).not.toBe(one.hash)
  })

  it('decides the order of what happens at one instant, if that is wanted', () => {
    const calm = { latency: 1, jitter: 0, loss: 0, delivery: 'as sent' } as const
    expect(run({ ...calm, seed: 1 }).order).toEqual(run({ ...calm, seed: 2 }).order)
    const shuffled = [1, 2, 3, 4].map((seed) => run({ ...calm, seed, ties: 'shuffled' }))
    expect(new Set(shuffled.map(({ order }) => order.join())).size).toBeGreaterThan(1)
    expect(run({ ...calm, seed: 1, ties: 'shuffled' })).toEqual(shuffled[0])
  })

  it('gives streams of numbers that know nothing of each other', () => {
    const draw = (sim: Sim, name: string): number[] => {
      const stream = sim.random(name)
      return Array.from({ length: 100 }, () => stream.between(1, 6))
    }
    const sim = new Sim({ seed: 3 })
    expect(draw(sim, 'dice')).toEqual(draw(new Sim({ seed: 3 }), 'dice'))
    expect(draw(sim, 'dice')).not.toEqual(draw(sim, 'other dice'))
    expect(new Set(draw(sim, 'dice'))).toEqual(new Set([1, 2, 3, 4, 5, 6]))
    const stream = sim.random('more')
    expect([stream.pick(['a']), stream.below(1), stream.chance(1, 1), stream.chance(0, 1)]).toEqual([
      'a',
      0,
      true,
      false,
    ])
    for (const end of [0, 1.5, 2 ** 33, NaN]) expect(() => stream.below(end)).toThrow(RangeError)
  })
})

describe('an invariant', () => {
  it('is looked at after every event, and says when it broke', () => {
    const sim = new Sim()
    let balance = 10
    sim.invariant('nobody owes anything', () => (balance < 0 ? `the balance is ${balance}` : undefined))
    const { reactor } = sim.host('bank')
    for (const ms of [5, 6, 7]) reactor.callLater(ms, () => (balance -= 6))
    expect(() => sim.advance(100)).toThrow('at 6 ms, "nobody owes anything" does not hold: the balance is -2')
    expect(sim.now).toBe(6)
  })

  it('may throw what an assertion throws', async () => {
    const sim = new Sim()
    sim.invariant('it holds', () => expect(sim.now).toBeLessThan(5))
    sim.host('here').reactor.callLater(7, () => {})
    await expect(sim.run()).rejects.toMatchObject({ name: 'InvariantBroken', invariant: 'it holds' })
  })
})

describe('a world that stands still', () => {
  it('says what it waits for', async () => {
    const sim = new Sim()
    const host = sim.host('here')
    host.reactor.callLater(3_600_000, () => {})
    const never = new Deferred()
    await expect(sim.runUntil(never, 1000)).rejects.toThrow(
      /1000 ms are over[^]*here: runs, 1 timers, the next at 3600000/,
    )
    never.cancel()
    expect(sim.explain()).toContain('1 events are to come')
  })
})
