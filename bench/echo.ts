/**
 * How fast lines are echoed over TCP, beside servers that one would write by hand for `node:net`, and beside Twisted.
 *
 * Every server is a process of its own, and so is the load. In each round all servers get a short slice of load, one
 * after the other, in turning order; only slices of the same round are divided by each other, so that a machine that is
 * busy for a while slows both sides of a ratio. `npm run bench -- echo [ROUNDS [LOAD…]]`.
 *
 * The load is not what is measured as long as it is idle for a good part of a slice: its share of a core is shown beside
 * the server's.
 */
import { join } from 'node:path'
import { loadavg } from 'node:os'
import { react } from 'couplet/node'
import { Child, pythonWithTwisted, sibling } from './work/child.ts'
import type { Done, Load, Order } from './work/echo-load.ts'

const time = 500
const warmUpRounds = 3

const loads: Readonly<Record<string, Load>> = {
  pipelined: { connections: 50, window: 64, size: 64 },
  'ping-pong': { connections: 50, window: 1, size: 64 },
  bulk: { connections: 8, window: 8, size: 16 * 1024 },
  accept: { connections: 50, window: 1, size: 64, anew: true },
}

// Chunks of 64 KiB make glibc give memory back and ask for it again; whether it does is chance, it lasts as long as the
// process, and it doubles the cost of a large line. So it does not, in any of the servers.
process.env['MALLOC_TRIM_THRESHOLD_'] ??= String(1 << 28)

/** Which is divided by which. */
const comparisons: readonly (readonly [string, string])[] = [
  ['couplet, lines', 'net, by hand'],
  ['couplet, lines', 'net, corked'],
  ['couplet, lines', 'net, bytes'],
  ['couplet, bytes', 'net, bytes'],
  ['couplet, lines', 'twisted'],
]

interface Slice {
  /** Lines a second. */
  readonly rate: number
  /** CPU time of the server for a line, in microseconds. */
  readonly cost: number
  /** What the server and the load took of a core. */
  readonly serverBusy: number
  readonly loadBusy: number
}

interface Server {
  readonly child: Child
  readonly port: number
}

async function started(): Promise<ReadonlyMap<string, Server>> {
  const names = [...new Set(comparisons.flat())].filter((name) => name !== 'twisted')
  const commands = new Map(names.map((name) => [name, sibling('echo-server', name)]))
  const python = pythonWithTwisted()
  if (python === undefined) console.error('SKIPPED: Twisted, which is not installed (apt-get install python3-twisted)')
  else commands.set('twisted', [python, join(import.meta.dirname, 'work', 'echo_twisted.py')])
  const servers = new Map<string, Server>()
  for (const [name, command] of commands) {
    const child = new Child(...command)
    servers.set(name, { child, port: Number(await child.next()) })
  }
  return servers
}

async function slice({ child, port }: Server, client: Child, load: Load): Promise<Slice> {
  const order: Order = { ...load, port, time }
  const before = Number(await child.ask('cpu'))
  const done = JSON.parse(await client.ask(JSON.stringify(order))) as Done
  const used = Number(await child.ask('cpu')) - before
  const microseconds = done.time * 1000
  return {
    rate: done.lines / (done.time / 1000),
    cost: used / done.lines,
    serverBusy: used / microseconds,
    loadBusy: done.cpu / microseconds,
  }
}

async function measure(rounds: number, kinds: readonly string[]): Promise<void> {
  const servers = await started()
  const client = new Child(...sibling('echo-load'))
  const names = [...servers.keys()]
  for (const kind of kinds) {
    const load = loads[kind]
    if (load === undefined) throw new Error(`no load is called '${kind}'; there are ${Object.keys(loads).join(', ')}`)
    const slices = new Map<string, Slice[]>(names.map((name) => [name, []]))
    for (let round = -warmUpRounds; round < rounds; round++) {
      for (let turn = 0; turn < names.length; turn++) {
        const name = names[(turn + Math.abs(round)) % names.length]!
        const found = await slice(servers.get(name)!, client, load)
        if (round >= 0) slices.get(name)?.push(found)
      }
    }
    report(kind, load, slices)
  }
  for (const { child } of servers.values()) child.end()
  client.end()
}

function report(kind: string, load: Load, slices: ReadonlyMap<string, readonly Slice[]>): void {
  const { connections, window, size } = load
  const each = `${connections} connections, ${window} lines of ${size} bytes under way on each`
  const how = load.anew === true ? ', one connection for a line' : ''
  console.log(`\n${kind}: ${each}${how}; load average ${loadavg()[0]?.toFixed(1)}`)
  for (const [name, all] of slices) {
    const of = (value: (slice: Slice) => number): readonly number[] => quartiles(all.map(value))
    const [rate, cost] = [of((one) => one.rate / 1000), of((one) => one.cost)]
    const [busy, loadBusy] = [of((one) => one.serverBusy), of((one) => one.loadBusy)]
    const figures = `${shown(rate, 1)} thousand lines a second, ${shown(cost, 2)} µs of CPU a line`
    console.log(
      `  ${name.padEnd(16)}${figures}; of a core: server ${busy[1]?.toFixed(2)}, load ${loadBusy[1]?.toFixed(2)}`,
    )
  }
  for (const [one, other] of comparisons) {
    const others = slices.get(other)
    if (others === undefined) continue
    const pairs = (slices.get(one) ?? []).map((found, round) => [found, others[round]!] as const)
    const faster = quartiles(pairs.map(([a, b]) => a.rate / b.rate))
    const dearer = quartiles(pairs.map(([a, b]) => a.cost / b.cost))
    console.log(`  ${`${one} / ${other}`.padEnd(32)}rate ${shown(faster, 2)}, CPU a line ${shown(dearer, 2)}`)
  }
}

function quartiles(values: readonly number[]): readonly number[] {
  const sorted = values.toSorted((a, b) => a - b)
  return [0.25, 0.5, 0.75].map((part) => sorted[Math.floor(part * (sorted.length - 1))] ?? NaN)
}

/** The median, and in brackets where the middle half lies. */
function shown([low = NaN, median = NaN, high = NaN]: readonly number[], digits: number): string {
  return `${median.toFixed(digits)} (${low.toFixed(digits)} … ${high.toFixed(digits)})`
}

react((_, rounds = '12', ...kinds) => measure(Number(rounds), kinds.length === 0 ? Object.keys(loads) : kinds))
