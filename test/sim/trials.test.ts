/** Tests that try a world with many seeds: what they find, how small they make it, and what they say about it. */
import { Deferred, Factory, type Reactor, Recorder, setTracer, TCPClientEndpoint } from 'couplet'
import {
  type Fault,
  minimise,
  type Scenario,
  type Sim,
  SimFailure,
  type SimTestOptions,
  simTestWith,
  type Stage,
} from 'couplet/sim'
import { Witness } from 'couplet/testing'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { trace } from '../../src/framework/trace/hook.ts'

afterEach(() => vi.unstubAllEnvs())

/** Runs one simTest; what it throws, or nothing. */
async function outcomeOf<Op = never>(options: SimTestOptions<Op>, stage: Stage<Op>): Promise<unknown> {
  let body: () => Promise<void> = () => Promise.resolve()
  simTestWith((_name, test) => {
    body = test
  })('the rumour spreads', options, stage)
  return body().then(
    () => undefined,
    (error: unknown) => error,
  )
}

async function failureOf<Op = never>(options: SimTestOptions<Op>, stage: Stage<Op>): Promise<SimFailure> {
  const error = await outcomeOf(options, stage)
  if (error instanceof SimFailure) return error
  throw new Error(`a SimFailure was expected, not ${String(error)}`)
}

/** A server that repeats what it hears; a client that asks once and counts what it hears. */
function rumour(sim: Sim): { client: Witness } {
  const server = sim.host('server')
  server.run((reactor) =>
    reactor.listenTCP(
      80,
      Factory.forProtocol(() => new Witness({ data: (self, chunk) => self.transport.write(chunk) })),
    ),
  )
  const client = new Witness({ made: (self) => self.transport.write('have you heard?') })
  const { reactor } = sim.host('client')
  reactor.callLater(1000, () => {
    new TCPClientEndpoint(reactor, 'server', 80).connect(Factory.forProtocol(() => client)).addErrback(() => {})
  })
  return { client }
}

describe('a test of many seeds', () => {
  it('passes if every one of them does, each in a world of its own', async () => {
    const hashes = new Set<string>()
    const worlds: Sim[] = []
    const error = await outcomeOf({ seeds: 30 }, (sim) => {
      const { client } = rumour(sim)
      worlds.push(sim)
      sim.invariant('nobody adds anything', () =>
        'have you heard?'.startsWith(client.text) ? undefined : `it became ${client.text}`,
      )
    })
    for (const sim of worlds) hashes.add(sim.hash)
    expect(error).toBeUndefined()
    // Seed 0 was run twice.
    expect([worlds.length, hashes.size]).toEqual([31, 30])
  })

  it('is shown as it was drawn, if nothing is to be run again', async () => {
    const body = { seeds: 200, faults: ['crash', 'pause', 'name'] as const }
    const stage: Stage = (sim) => {
      const { client } = rumour(sim)
      sim.eventually('the client knows', () => client.text === 'have you heard?')
    }
    const [smallest, drawn] = [await failureOf(body, stage), await failureOf({ ...body, mostRuns: 0 }, stage)]
    expect(drawn.message).toContain('(made smaller in 0 runs)')
    expect(drawn.scenario.seed).toBe(smallest.scenario.seed)
    expect(drawn.scenario.faults.length).toBeGreaterThan(smallest.scenario.faults.length)
  })

  it('fails if the trace breaks a rule, unless it is told not to look', async () => {
    const stage: Stage = (sim) => {
      const { reactor } = sim.host('here')
      reactor.callLater(5, () => trace?.at('conn.lost', reactor))
    }
    const failure = await failureOf({ seeds: 1 }, stage)
    expect(failure.message).toContain('at 5 ms, "the trace keeps its rules" does not hold: event ')
    expect(failure.message).toContain('SimReactor: something happens to it, and it never began')
    expect(await outcomeOf({ seeds: 1, trace: 'unchecked' }, stage)).toBeUndefined()
  })

  it('lets whoever listens to the trace go on listening', async () => {
    const recorder = new Recorder({ now: () => 0 })
    const restore = setTracer(recorder)
    await outcomeOf({ seeds: 1 }, (sim) => void rumour(sim))
    expect(trace).toBe(recorder)
    restore()
    expect(recorder.events.some(({ k }) => k === 'bytes.recv')).toBe(true)
  })

  it('says everything about the first that fails', async () => {
    const failure = await failureOf({ seeds: 200, faults: ['crash', 'pause', 'name'] }, (sim) => {
      const { client } = rumour(sim)
      sim.eventually('the client knows', () => client.text === 'have you heard?')
    })
    const { message, scenario } = failure
    expect(scenario.faults).toHaveLength(1)
    expect(['crash', 'name']).toContain(scenario.faults[0]?.kind)
    expect(message).toMatch(/^"the rumour spreads" failed with seed \d+ \(made smaller in \d+ runs\)/)
    expect(message).toContain('"the client knows" is not true')
    expect(message).toContain(`SIM_SEED=${scenario.seed} npx vitest run -t 'the rumour spreads'`)
    expect(message).toContain(`  scenario: {\n    seed: ${scenario.seed},\n`)
    expect(message).toMatch(/The last events:\n.* 0\.000 ms server {3}proc/)
    expect(message).toMatch(/ ms client {3}fault \w+ what=(crash|name)/)
    expect(message).toContain('server  0.0.0.0:80  *       listening')
    expect(message).toMatch(/Deferreds that never fired:\n {2}(none|\d+ × at)/)
    // What it told to paste fails in the same way.
    const literal = /scenario: (\{[^]*?\n {2}\}),/.exec(message)?.[1]
    // oxlint-disable-next-line typescript/no-implied-eval
    const pasted = new Function(`return ${literal}`)() as Scenario
    expect(pasted).toEqual(scenario)
    const again = await failureOf({ scenario: pasted }, (sim) => {
      const { client } = rumour(sim)
      sim.eventually('the client knows', () => client.text === 'have you heard?')
    })
    expect(again.message).toContain('"the rumour spreads" failed with its scenario')
    expect(again.scenario).toEqual(scenario)
  })

  it('can be asked for one seed, or for more of them', async () => {
    const seeds: number[] = []
    const stage = (): void => void seeds.push(seeds.length)
    vi.stubEnv('SIM_SEEDS', '7')
    await outcomeOf({ seeds: 3 }, stage)
    expect(seeds).toHaveLength(8)
    vi.stubEnv('SIM_SEED', '5')
    await outcomeOf({ seeds: 3 }, stage)
    expect(seeds).toHaveLength(9)
  })

  it('makes operations smaller too, and the network plain', async () => {
    type Say = { readonly at: number; readonly word: string }
    const failure = await failureOf<Say>(
      {
        seeds: 50,
        operations: (random) =>
          Array.from({ length: 10 }, () => ({ at: random.below(1000), word: random.pick(['a', 'b', "don't"]) })),
      },
      (sim, operations) => {
        const said: string[] = []
        for (const { at, word } of operations) sim.after(at, () => said.push(word))
        sim.invariant('nobody is rude', () => (said.includes("don't") ? 'somebody was' : undefined))
      },
    )
    expect(failure.scenario).toMatchObject({ knobs: {}, faults: [], operations: [{ word: "don't" }] })
    expect(failure.message).toContain(`word: 'don\\'t' }`)
  })

  it('fails for what is reported, unless that is allowed', async () => {
    const stage = (sim: Sim): void => {
      sim.host('here').reactor.callLater(5, () => {
        throw new Error('no luck')
      })
      new Deferred().errback(new Error('nobody listens'))
    }
    expect((await failureOf({ seeds: 1 }, stage)).message).toContain('A delayed call failed: Error: no luck')
    expect(await outcomeOf({ seeds: 1, reports: 'allowed' }, stage)).toBeUndefined()
    const unhandled = await failureOf({ seeds: 1 }, () => {
      new Deferred().errback(new Error('nobody listens'))
    })
    expect(unhandled.message).toContain('nobody listens')
  })

  it('finds a world that is not the same the second time', async () => {
    let times = 0
    const failure = await failureOf({ seeds: 1 }, (sim) => void sim.host('here').reactor.callLater(++times, () => {}))
    expect(failure.message).toContain('the world of seed 0 was not the same the second time')
  })

  it('waits for promises where there are some', async () => {
    let finished = 0
    const error = await outcomeOf({ seeds: 5, promises: true, faults: [] }, (sim) => {
      const { reactor } = sim.host('here')
      let done = false
      const walk = async (): Promise<void> => {
        for (let steps = 0; steps < 3; steps++) await sleep(reactor, 10_000)
        done = true
        finished++
      }
      void walk()
      sim.eventually('it is done', () => done)
    })
    expect([error, finished]).toEqual([undefined, 6])
  })

  it('lets a test turn the knobs itself', async () => {
    const seen: number[] = []
    await outcomeOf({ seeds: 3, faults: [], knobs: () => ({ latency: 7 }) }, (sim) => {
      sim.host('server')
      const { reactor } = sim.host('client')
      reactor.dial(sim.hosts[0]!.addresses[0]!.withPort(1)).addErrback(() => void seen.push(sim.now))
    })
    expect(seen).toEqual([14, 14, 14, 14])
  })
})

describe('making a scenario smaller', () => {
  const fault = (at: number): Fault => ({ at, kind: 'reset', pick: 0 })
  const large: Scenario<number> = {
    seed: 3,
    knobs: { latency: 5, jitter: 3, loss: 1 },
    operations: Array.from({ length: 20 }, (_, index) => index),
    faults: Array.from({ length: 12 }, (_, index) => fault(index)),
  }

  it('leaves what is needed, wherever it is, and nothing else', async () => {
    const { scenario, runs } = await minimise(large, ({ knobs, operations, faults }) => {
      const [ats, turned] = [faults.map(({ at }) => at), Object.keys(knobs)]
      return ats.includes(2) && ats.includes(11) && operations.includes(7) && turned.includes('jitter')
    })
    expect(scenario).toEqual({ seed: 3, knobs: { jitter: 3 }, operations: [7], faults: [fault(2), fault(11)] })
    expect(runs).toBeLessThan(100)
  })

  it('never gives back what does not fail, and stops when it was tried often enough', async () => {
    let tried = 0
    const { scenario, runs } = await minimise(large, () => (tried++, false), 10)
    expect([scenario, runs, tried]).toEqual([large, 10, 10])
    expect((await minimise(large, () => true)).scenario).toEqual({ seed: 3, knobs: {}, operations: [], faults: [] })
  })
})

function sleep(reactor: Reactor, ms: number): Deferred<void> {
  const slept = new Deferred<void>()
  reactor.callLater(ms, () => slept.callback())
  return slept
}
