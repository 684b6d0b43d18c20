/** Faults as data: each kind begins and ends, a schedule is the same every time, and healing makes everything well. */
import { Deferred, Factory } from 'couplet'
import { type Fault, type Packet, Sim } from 'couplet/sim'
import { pattern, Witness } from 'couplet/testing'
import { describe, expect, it } from 'vitest'
import { outcome, World } from './stage.ts'

const between = ['client', 'server'] as const

/** What arrives at the server when the client says something every 100 ms, for 3 seconds. */
function arrivals(faults: Fault[], seed = 0): number[] {
  const world = new World({ latency: 10, seed })
  const times: number[] = []
  const { near } = world.connect({}, { data: (_self, chunk) => chunk.forEach(() => times.push(world.sim.now - 1000)) })
  for (let count = 1; count <= 30; count++) world.client.reactor.callLater(count * 100, () => near.transport.write('x'))
  world.sim.faults(faults.map((fault) => ({ ...fault, at: fault.at + 1000 })))
  world.sim.advance(30_000)
  return times
}

describe('a fault', () => {
  it.each<[Fault, late: number[]]>([
    [{ at: 1000, kind: 'hold', between, for: 500 }, [1500, 1500, 1500, 1500, 1500]],
    [{ at: 1000, kind: 'pause', host: 'server', for: 500 }, [1500, 1500, 1500, 1500, 1500]],
    [{ at: 1000, kind: 'busy', host: 'server', for: 500 }, [1500, 1500, 1500, 1500, 1500]],
    [{ at: 1000, kind: 'slow', between, times: 10, for: 250 }, [1100, 1200, 1300]],
    [{ at: 1000, kind: 'hold', between: ['server', 'client'], oneWay: true, for: 500 }, []],
  ])('%o delays what is sent meanwhile', (fault, late) => {
    const times = arrivals([fault])
    expect(times).toHaveLength(30)
    const calm = arrivals([])
    expect(times.filter((time, index) => time !== calm[index])).toEqual(late)
  })

  it('that partitions delays until TCP sends again', () => {
    const times = arrivals([{ at: 1000, kind: 'partition', between, for: 500 }])
    expect(times).toHaveLength(30)
    expect(times.filter((time) => time > 1010 && time < 1500)).toEqual([])
  })

  it.each<[Fault, near: string, far: string]>([
    [{ at: 500, kind: 'reset', pick: 7 }, 'ConnectionLost', 'ConnectionLost'],
    [{ at: 590, kind: 'reset', pick: 0, side: 'client' }, 'ConnectionLost', 'undefined'],
    [{ at: 590, kind: 'reset', pick: 0, side: 'server' }, 'undefined', 'ConnectionLost'],
    [{ at: 500, kind: 'cut', pick: 0, side: 'server', after: 10 }, 'ConnectionLost', 'ConnectionLost'],
    [{ at: 500, kind: 'crash', host: 'server', how: 'process', for: 10 }, 'ConnectionDone', 'undefined'],
  ])('%o breaks a connection', (fault, nearEnd, farEnd) => {
    const world = new World({ latency: 10 })
    world.sim.faults([fault])
    const { near, far } = world.connect({}, {}, 100)
    world.sim.advance(400)
    near.transport.write(pattern(100))
    world.sim.advance(100)
    expect([near, far].map(({ reason }) => String(reason?.name))).toEqual([nearEnd, farEnd])
    if (fault.kind === 'cut') expect(far.size).toBe(10)
  })

  it('that one end alone was told of is found out by the other one, whatever else got lost', () => {
    const world = new World({ latency: 10 })
    const { near, far } = world.connect()
    world.sim.link('client', 'server').oneWay.partition()
    far.transport.write('an answer')
    world.sim.advance(20)
    world.sim.faults([{ at: 0, kind: 'reset', pick: 0, side: 'client' }])
    world.sim.advance(1)
    expect([near.reason?.name, far.reason]).toEqual(['ConnectionLost', undefined])
    world.sim.quiesce()
    expect(far.reason).toMatchObject({ name: 'ConnectionLost' })
  })

  it('with nothing to happen to does nothing', () => {
    const world = new World()
    world.sim.faults([
      { at: 1, kind: 'reset', pick: 3 },
      { at: 1, kind: 'cut', pick: 3, side: 'client', after: 5 },
    ])
    world.sim.advance(10)
    expect(world.sim.pending).toBe(0)
  })

  it('of names and descriptors ends, also inside another one', () => {
    const world = new World()
    world.listen()
    world.sim.faults([
      { at: 10, kind: 'name', name: 'server', answer: 'unknown', for: 100 },
      { at: 20, kind: 'name', name: 'server', answer: ['192.0.2.1'], for: 10 },
      { at: 10, kind: 'descriptors', host: 'client', limit: 0, for: 100 },
      { at: 20, kind: 'descriptors', host: 'client', limit: 5, for: 10 },
    ])
    const seen = [15, 25, 35, 120].map((ms) => {
      world.sim.advance(ms - world.sim.now)
      const [found, dialed] = [outcome(world.client.reactor.resolve('server')), world.dial()]
      world.sim.advance()
      return [String(found.value?.[0]?.host), dialed.error === undefined]
    })
    expect(seen).toEqual([
      ['undefined', false],
      ['192.0.2.1', false],
      ['undefined', false],
      ['10.0.0.1', true],
    ])
  })

  it('of a host that is down or still already changes nothing', () => {
    const world = new World()
    world.sim.faults([
      { at: 10, kind: 'crash', host: 'server', how: 'power', for: 100 },
      { at: 20, kind: 'crash', host: 'server', how: 'process', for: 10 },
      { at: 20, kind: 'pause', host: 'server', for: 200 },
      { at: 10, kind: 'pause', host: 'client', for: 100 },
      { at: 20, kind: 'pause', host: 'client', for: 10 },
      { at: 50, kind: 'crash', host: 'client', how: 'process', for: 10 },
    ])
    const states = [40, 105, 115].map((ms) => {
      world.sim.advance(ms - world.sim.now)
      return [world.server.crashed, world.client.paused]
    })
    expect(states).toEqual([
      [true, true],
      [true, false],
      [false, false],
    ])
  })

  it('that swizzles holds every link for some time, in an order that the seed decides', () => {
    const run = (seed: number): string[] => {
      const sim = new Sim({ seed, latency: 1 })
      const hosts = ['a', 'b', 'c', 'd'].map((name) => sim.host(name))
      const late: string[] = []
      sim.rule(({ kind, from, to }: Packet) =>
        kind === 'connect' ? void late.push(`${from}${to} ${sim.now}`) : undefined,
      )
      sim.faults([{ at: 0, kind: 'swizzle', hosts: ['a', 'b', 'c', 'd'], for: 1000 }])
      for (const from of hosts) {
        for (const to of hosts) {
          if (from !== to)
            sim.after(500, () => void from.reactor.dial(to.addresses[0]!.withPort(1)).addErrback(() => {}))
        }
      }
      sim.advance(5000)
      return late
    }
    expect(run(1)).toHaveLength(12)
    expect(run(1)).toEqual(run(1))
    expect(run(1)).not.toEqual(run(2))
    expect(run(1).every((line) => Number(line.split(' ')[1]) > 501)).toBe(true)
  })

  it('is about hosts that are there, at a time that can be', () => {
    const { sim } = new World()
    expect(() => sim.faults([{ at: 0, kind: 'pause', host: 'nobody', for: 1 }])).toThrow('there is no host nobody')
    expect(() => sim.faults([{ at: 0, kind: 'hold', between: ['client', 'nobody'], for: 1 }])).toThrow('nobody')
    expect(() => sim.faults([{ at: -1, kind: 'reset', pick: 0 }])).toThrow(RangeError)
    expect(() => sim.faults([{ at: 0, kind: 'pause', host: 'client', for: Infinity }])).toThrow(RangeError)
    expect(sim.pending).toBe(0)
  })
})

describe('healing', () => {
  it('ends everything that is wrong, and what was to come', () => {
    const world = new World({ latency: 1 })
    world.server.run((reactor) =>
      reactor.listenTCP(
        80,
        Factory.forProtocol(() => new Witness()),
      ),
    )
    world.sim.faults([
      { at: 10, kind: 'partition', between, for: 1_000_000 },
      { at: 10, kind: 'name', name: 'server', answer: 'silent', for: 1_000_000 },
      { at: 10, kind: 'crash', host: 'server', how: 'power', for: 1_000_000 },
      { at: 10, kind: 'descriptors', host: 'client', limit: 0, for: 1_000_000 },
      { at: 5000, kind: 'crash', host: 'client', how: 'process', for: 1_000_000 },
    ])
    world.sim.link('client', 'server').hold()
    world.sim.rule(() => 'drop')
    world.client.pause()
    world.sim.advance(100)
    world.sim.heal()
    const found = outcome(world.client.reactor.resolve('server'))
    const dialed = world.dial()
    world.sim.advance(10_000)
    expect(found.value).toHaveLength(1)
    expect(dialed.value).toBeDefined()
    expect(world.client.reactor.generation).toBe(1)
  })

  it('and rest is what a world comes to when its programs do', () => {
    const world = new World({ latency: 1 })
    const { near } = world.connect()
    world.sim.faults([{ at: 1000, kind: 'partition', between, for: 100_000 }])
    near.transport.write('hello')
    near.transport.loseConnection()
    world.sim.advance(10)
    world.sim.eventually('the connection is gone', () => world.sim.connections === 0)
    world.sim.quiesce()
    expect([world.sim.pending, world.served[0]?.text]).toEqual([0, 'hello'])
  })

  it('shows what never comes true, and what is open then', () => {
    const world = new World({ latency: 1 })
    world.connect()
    world.sim.eventually('the connection is gone', () => world.sim.connections === 0)
    expect(() => world.sim.quiesce()).toThrow(
      /although everything is well again, nothing is left to happen, and "the connection is gone" is not true[^]*10\.0\.0\.2:49152/,
    )
  })

  it('shows what comes true too late, and a world that never rests', async () => {
    const late = new World()
    late.client.reactor.callLater(5000, () => {})
    late.sim.eventually('it is over', () => late.sim.now > 4000, 1000)
    expect(() => late.sim.quiesce()).toThrow('"it is over" has not come true within 1000 ms')
    const restless = new World()
    const tick = (): void => void restless.client.reactor.callLater(1000, tick)
    tick()
    await expect(restless.sim.runToQuiescence(10_000)).rejects.toThrow('the world has not come to rest')
  })

  it('waits for programs with promises too', async () => {
    const world = new World()
    let done = false
    const slept = new Deferred<void>()
    world.client.reactor.callLater(1000, () => slept.callback())
    void (async () => {
      await slept
      await Promise.resolve()
      world.client.reactor.callLater(1000, () => (done = true))
    })()
    world.sim.eventually('it is done', () => done)
    await world.sim.runToQuiescence()
    expect(world.sim.now).toBe(2000)
  })
})
