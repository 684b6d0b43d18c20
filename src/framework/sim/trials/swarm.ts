/**
 * Draws what a run is like: for each seed only some of all that could be, so that rare combinations come up too.
 *
 * No ancestor; the idea is that of swarm testing (Groce and others, 2012), the ranges are those of systems that live
 * from it. Everything is drawn from a stream of its own, so that one thing more does not change the others.
 */
import type { Fault, Trouble } from '../faults/fault.ts'
import { RandomStream } from '../random-stream.ts'
import type { Knobs } from './scenario.ts'

/**
 * The kinds of faults that are drawn: filter them for a test in which not everything may happen, and add `kill` to them
 * for one with child processes.
 */
export const faultKinds: readonly Trouble['kind'][] = [
  'partition',
  'hold',
  'slow',
  'swizzle',
  'reset',
  'cut',
  'crash',
  'pause',
  'busy',
  'descriptors',
  'name',
  'clock',
]

/** Each knob, with its chance out of 12 to be turned, and what to. */
const turns: readonly [times: number, turn: (random: RandomStream) => Knobs][] = [
  [10, (random) => ({ latency: random.chance(1, 20) ? random.between(300, 3000) : random.between(1, 500) / 10 })],
  [6, (random) => ({ jitter: random.between(1, 300) / 10 })],
  [4, (random) => ({ bandwidth: random.between(1250, 125_000) * random.pick([1, 10]) })],
  [3, (random) => ({ segmentSize: random.between(1, 20) })],
  [3, () => ({ segmentSize: 1460 })],
  [6, (random) => ({ delivery: random.pick(['bytes', 'random', 'joined']) })],
  [4, (random) => ({ sendBuffer: random.between(100, 65_536) })],
  [4, (random) => ({ receiveBuffer: random.between(100, 65_536) })],
  [4, (random) => ({ loss: random.between(1, 50) / 10 })],
  [10, () => ({ ties: 'shuffled' })],
  [4, (random) => ({ duplicates: random.between(1, 50) })],
  [4, (random) => ({ stragglers: random.between(1, 50) })],
  [6, () => ({ ends: 'at once' })],
]

/** What the world of this seed is like. */
export function drawKnobs(seed: number): Knobs {
  const drawn = turns.map(([times, turn], index) => {
    const random = new RandomStream(seed, `swarm:knob:${index}`)
    return random.chance(times, 12) ? turn(random) : {}
  })
  return Object.assign({}, ...drawn) as Knobs
}

/** What may go wrong. */
export interface Dangers {
  readonly kinds: readonly Trouble['kind'][]
  /** How many faults at most. */
  readonly most: number
  /** The faults begin within so many milliseconds, and last as long at most. */
  readonly within: number
  readonly hosts: readonly string[]
  /** The hosts whose program can be started again. */
  readonly restartable: readonly string[]
}

/** What goes wrong with this seed: one seed in four has nothing but a bad network. */
export function drawFaults(seed: number, dangers: Dangers): Fault[] {
  const random = new RandomStream(seed, 'swarm:faults')
  const kinds = dangers.kinds.filter(() => random.chance(1, 2)).filter((kind) => isPossible(kind, dangers))
  if (kinds.length === 0 || random.chance(1, 4)) return []
  const count = random.between(1, dangers.most)
  return Array.from({ length: count }, (_, index) =>
    drawFault(new RandomStream(seed, `swarm:fault:${index}`), kinds, dangers),
  )
}

function isPossible(kind: Trouble['kind'], { hosts, restartable }: Dangers): boolean {
  if (kind === 'partition' || kind === 'hold' || kind === 'slow' || kind === 'swizzle') return hosts.length > 1
  return kind === 'crash' ? restartable.length > 0 : hosts.length > 0
}

function drawFault(random: RandomStream, kinds: readonly Trouble['kind'][], dangers: Dangers): Fault {
  const { within, hosts, restartable } = dangers
  const at = random.below(within)
  // Mostly short: what is over before anybody notices finds as much as what is not.
  const lasts = Math.max(1, Math.floor(within / 2 ** random.between(1, 10)))
  const host = random.pick(hosts)
  const between = [host, random.pick(hosts.length > 1 ? hosts.filter((other) => other !== host) : hosts)] as const
  const way = random.chance(1, 3) ? { oneWay: true } : {}
  const pick = random.below(100)
  const kind = random.pick(kinds)
  switch (kind) {
    case 'partition':
    case 'hold':
      return { at, kind, between, ...way, for: lasts }
    case 'slow':
      return {
        at,
        kind,
        between,
        ...way,
        times: random.between(2, 20),
        bandwidth: random.between(500, 50_000),
        for: lasts,
      }
    case 'swizzle':
      return { at, kind, hosts, for: lasts }
    case 'reset':
      return { at, kind, pick, ...random.pick([{}, { side: 'client' as const }, { side: 'server' as const }]) }
    case 'cut':
      return { at, kind, pick, side: random.pick(['client', 'server']), after: random.below(2000) }
    case 'crash':
      return { at, kind, host: random.pick(restartable), how: random.pick(['process', 'power']), for: lasts }
    case 'pause':
    case 'busy':
      return { at, kind, host, for: lasts }
    case 'kill':
      return { at, kind, host }
    case 'descriptors':
      return { at, kind, host, limit: random.below(4), for: lasts }
    case 'clock':
      return { at, kind, host, by: random.pick([1, -1]) * 10 ** random.between(1, 8), for: lasts }
    default: {
      const answer = random.pick(['unknown', 'unavailable', 'silent', []] as const)
      return { at, kind, name: random.pick(hosts), answer, for: lasts }
    }
  }
}
