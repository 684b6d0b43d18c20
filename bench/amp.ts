/**
 * How many calls a second AMP answers and makes, beside Twisted's AMP and beside lines of JSON as one would write them by
 * hand for `node:net`.
 *
 * Everybody is a process of its own. In each round all get a short slice of work, one after the other, in turning order;
 * only slices of the same round are divided by each other. `answering` loads each server with questions from one that
 * only counts bytes; `asking` lets each caller call the server that speaks its language, ours for AMP. The CPU time is
 * that of the one in question, so that a busy machine changes it little. `npm run bench -- amp [ROUNDS [KIND…]]`.
 */
import { join } from 'node:path'
import { loadavg } from 'node:os'
import { react } from 'couplet/node'
import type { Done, Order } from './work/amp-caller.ts'
import { Child, pythonWithTwisted, sibling } from './work/child.ts'

const time = 300
const warmUpRounds = 3

type Speaks = Order['speaks']

/** Who is looked at, what it speaks, and the command that starts it. */
interface Subject {
  readonly name: string
  readonly speaks: Speaks
  readonly command: readonly string[]
}

interface Slice {
  /** Calls a second. */
  readonly rate: number
  /** CPU time for a call, in microseconds. */
  readonly cost: number
}

const windows = { pipelined: { connections: 8, window: 64 }, 'one by one': { connections: 8, window: 1 } }

const python = pythonWithTwisted()
if (python === undefined) console.error('SKIPPED: Twisted, which is not installed (apt-get install python3-twisted)')

function twisted(role: 'server' | 'caller'): Subject[] {
  const script = join(import.meta.dirname, 'work', 'amp_twisted.py')
  return python === undefined ? [] : [{ name: 'twisted', speaks: 'amp', command: [python, script, role] }]
}

function ours(role: 'server' | 'caller', name: string, speaks: Speaks): Subject {
  return { name, speaks, command: sibling(`amp-${role}`, name) }
}

const servers = [
  ours('server', 'couplet', 'amp'),
  ours('server', 'json, by hand', 'json'),
  ours('server', 'json, gathered', 'json'),
  ...twisted('server'),
]
const callers = [ours('caller', 'couplet', 'amp'), ours('caller', 'json', 'json'), ...twisted('caller')]

/** One slice of work of the subject of this number. */
type Measure = (subject: number, work: { connections: number; window: number }) => Promise<Slice>

async function answering(children: Child[]): Promise<Measure> {
  const load = new Child(...sibling('amp-caller', 'bytes'))
  const started = servers.map(({ command }) => new Child(...command))
  children.push(load, ...started)
  const ports = await Promise.all(started.map(async (child) => Number(await child.next())))
  return async (subject, work) => {
    const child = started[subject]!
    const before = Number(await child.ask('cpu'))
    const { calls, time: took } = await obeyed(load, { ...work, port: ports[subject]!, ...servers[subject]!, time })
    const used = Number(await child.ask('cpu')) - before
    return { rate: calls / took, cost: used / calls }
  }
}

async function asking(children: Child[]): Promise<Measure> {
  const answeringThem = { amp: servers[0]!, json: servers[2]! }
  const targets = Object.values(answeringThem).map(({ command }) => new Child(...command))
  const started = callers.map(({ command }) => new Child(...command))
  children.push(...targets, ...started)
  const [amp = 0, json = 0] = await Promise.all(targets.map(async (child) => Number(await child.next())))
  const ports = { amp, json }
  return async (subject, work) => {
    const { speaks } = callers[subject]!
    const done = await obeyed(started[subject]!, { ...work, port: ports[speaks], speaks, time })
    return { rate: done.calls / done.time, cost: done.cpu / done.calls }
  }
}

async function obeyed(child: Child, { port, speaks, connections, window, time }: Order): Promise<Done> {
  return JSON.parse(await child.ask(JSON.stringify({ port, speaks, connections, window, time }))) as Done
}

const kinds = { answering: { subjects: servers, prepare: answering }, asking: { subjects: callers, prepare: asking } }

async function measure(rounds: number, wanted: readonly string[]): Promise<void> {
  for (const [kind, { subjects, prepare }] of Object.entries(kinds)) {
    if (wanted.length > 0 && !wanted.includes(kind)) continue
    const children: Child[] = []
    const slice = await prepare(children)
    for (const [name, work] of Object.entries(windows)) {
      const slices: Slice[][] = subjects.map(() => [])
      for (let round = -warmUpRounds; round < rounds; round++) {
        for (let turn = 0; turn < subjects.length; turn++) {
          const subject = (turn + Math.abs(round)) % subjects.length
          const found = await slice(subject, work)
          if (round >= 0) slices[subject]!.push(found)
        }
      }
      console.log(
        `\n${kind}, ${name}: ${work.connections} connections, ${work.window} calls under way on each; ` +
          `load average ${loadavg()[0]?.toFixed(1)}`,
      )
      report(subjects, slices)
    }
    for (const child of children) child.end()
  }
}

function report(subjects: readonly Subject[], slices: readonly (readonly Slice[])[]): void {
  const [first = []] = slices
  for (const [index, { name }] of subjects.entries()) {
    const all = slices[index] ?? []
    const rate = shown(all.map((one) => one.rate))
    const cost = shown(all.map((one) => one.cost))
    console.log(`  ${name.padEnd(16)}${rate} thousand calls a second, ${cost} µs of CPU a call`)
  }
  for (const [index, { name }] of subjects.entries()) {
    if (index === 0) continue
    const pairs = first.map((one, round) => [one, slices[index]![round]!] as const)
    const faster = shown(pairs.map(([a, b]) => a.rate / b.rate))
    const dearer = shown(pairs.map(([a, b]) => a.cost / b.cost))
    console.log(`  ${`${subjects[0]!.name} / ${name}`.padEnd(26)}rate ${faster}, CPU a call ${dearer}`)
  }
}

/** The median, and in brackets where the middle half lies. */
function shown(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b)
  const [low = NaN, median = NaN, high = NaN] = [0.25, 0.5, 0.75].map(
    (part) => sorted[Math.floor(part * (sorted.length - 1))],
  )
  return `${median.toFixed(2)} (${low.toFixed(2)} … ${high.toFixed(2)})`
}

react((_, rounds = '12', ...wanted) => measure(Number(rounds), wanted))
