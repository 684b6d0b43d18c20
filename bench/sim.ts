/**
 * How fast simulated worlds run: events a second of CPU time in the three poetry systems of the tests, under faults, with
 * the linter of traces in every run and without it.
 *
 * They take turns, some seeds at a time, so that a busy moment of the machine is shared by all. The goal is 0.4 million
 * events a second, over the three of them. `npm run bench -- sim [ROUNDS [SEEDS]]`.
 */
import { react } from 'couplet/node'
import { simTestWith } from 'couplet/sim'
import { proxiedPoet, slowPoet, type System, transforms } from '../test/sim/systems/poetry-system.ts'

/** What some runs came to. */
interface Work {
  readonly events: number
  /** Milliseconds of virtual time. */
  readonly ms: number
  /** Microseconds of CPU time. */
  readonly cpu: number
}

type Way = (seeds: number) => Promise<Work>

function way<Operation>({ options, stage }: System<Operation>, trace: 'checked' | 'unchecked'): Way {
  return async (seeds) => {
    let [events, ms] = [0, 0]
    let run = (): Promise<void> => Promise.resolve()
    const simTest = simTestWith((_name, body) => (run = body))
    const ran = (one: { readonly events: number; readonly ms: number }): void => {
      events += one.events
      ms += one.ms
    }
    simTest('a benchmark', { ...options, seeds, trace, ran }, stage)
    const before = process.cpuUsage()
    await run()
    const { user, system } = process.cpuUsage(before)
    return { events, ms, cpu: user + system }
  }
}

const ways = new Map<string, Way>()
for (const trace of ['checked', 'unchecked'] as const) {
  ways.set(`slow poet, ${trace}`, way(slowPoet, trace))
  ways.set(`proxy, ${trace}`, way(proxiedPoet, trace))
  ways.set(`transforms, ${trace}`, way(transforms, trace))
}

async function measure(rounds: number, seeds: number): Promise<void> {
  const found = new Map<string, Work[]>()
  for (let round = -1; round < rounds; round++) {
    for (const [name, run] of ways) {
      const work = await run(seeds)
      // The first round compiles.
      if (round >= 0) found.set(name, [...(found.get(name) ?? []), work])
    }
  }
  console.log(`${rounds} rounds of ${seeds} seeds; millions of events for a second of CPU: median (quartiles)`)
  for (const [name, works] of found) say(name, works)
  for (const trace of ['checked', 'unchecked']) {
    const all = [...found].filter(([name]) => name.endsWith(`, ${trace}`)).map(([, works]) => works)
    say(
      `all, ${trace}`,
      all[0]!.map((_, round) => sum(all.map((works) => works[round]!))),
    )
  }
}

function sum(works: readonly Work[]): Work {
  return works.reduce((one, other) => ({
    events: one.events + other.events,
    ms: one.ms + other.ms,
    cpu: one.cpu + other.cpu,
  }))
}

function say(name: string, works: readonly Work[]): void {
  const rates = works.map(({ events, cpu }) => events / cpu).toSorted((a, b) => a - b)
  const [low, middle, high] = [0.25, 0.5, 0.75].map((part) => rates[Math.floor((rates.length - 1) * part)]!.toFixed(2))
  const { ms, cpu } = sum(works)
  const faster = Math.round((ms / cpu) * 1000).toLocaleString('en')
  console.log(`  ${name.padEnd(22)}${middle} (${low} to ${high}); ${faster} times as fast as the clock`)
}

react((_, rounds = '7', seeds = '200') => measure(Number(rounds), Number(seeds)))
