/**
 * How fast a port is forwarded, beside two pipes of `node:net` and beside Twisted's forwarder.
 *
 * Every forwarder is a process of its own, and so are the two ends. In each round all forwarders get a short slice, one
 * after the other, in turning order; only slices of the same round are divided by each other. CPU time is that of the
 * forwarder. `npm run bench -- port-forward [ROUNDS [KIND…]]`.
 */
import { join } from 'node:path'
import { loadavg } from 'node:os'
import { react } from 'couplet/node'
import { Child, pythonWithTwisted, sibling } from './work/child.ts'
import type { Done, Order } from './work/forward-ends.ts'

const warmUpRounds = 2

/** What is done, and what it is counted in. */
const kinds = {
  stream: { order: { connections: 1, time: 1000 }, unit: 'MB/s', scale: 1e6, per: 1e6, cost: 'CPU µs/MB' },
  streams: { order: { connections: 20, time: 1000 }, unit: 'MB/s', scale: 1e6, per: 1e6, cost: 'CPU µs/MB' },
  exchanges: {
    order: { connections: 20, time: 500, exchange: 64 },
    unit: 'exchanges/s',
    scale: 1,
    per: 1,
    cost: 'CPU µs each',
  },
} as const

interface Slice {
  readonly rate: number
  readonly cost: number
}

async function slice(forwarder: Child, port: number, ends: Child, order: Omit<Order, 'port'>): Promise<Slice> {
  const before = Number(await forwarder.ask('cpu'))
  const done = JSON.parse(await ends.ask(JSON.stringify({ ...order, port }))) as Done
  const used = Number(await forwarder.ask('cpu')) - before
  return { rate: done.count / (done.time / 1000), cost: used / done.count }
}

async function measure(rounds: number, wanted: readonly string[]): Promise<void> {
  const ends = new Child(...sibling('forward-ends'))
  const target = await ends.next()
  const commands = new Map(['couplet', 'net, pipe'].map((name) => [name, sibling('forwarder', name, target)]))
  const python = pythonWithTwisted()
  if (python === undefined) console.error('SKIPPED: Twisted, which is not installed (apt-get install python3-twisted)')
  else commands.set('twisted', [python, join(import.meta.dirname, 'work', 'forward_twisted.py'), target])
  const forwarders = new Map<string, Child>()
  const ports = new Map<string, number>()
  for (const [name, command] of commands) {
    const child = new Child(...command)
    forwarders.set(name, child)
    ports.set(name, Number(await child.next()))
  }
  const names = [...forwarders.keys()]
  for (const [kind, { order, unit, scale, per, cost }] of Object.entries(kinds)) {
    if (wanted.length > 0 && !wanted.includes(kind)) continue
    const slices = new Map<string, Slice[]>(names.map((name) => [name, []]))
    for (let round = -warmUpRounds; round < rounds; round++) {
      for (let turn = 0; turn < names.length; turn++) {
        const name = names[(turn + Math.abs(round)) % names.length]!
        const found = await slice(forwarders.get(name)!, ports.get(name)!, ends, order)
        if (round >= 0) slices.get(name)!.push(found)
      }
    }
    const { connections } = order
    console.log(`\n${kind}: ${connections} connections, ${rounds} rounds; load average ${loadavg()[0]?.toFixed(1)}`)
    console.log(`${''.padEnd(12)}${unit.padStart(14)}${cost.padStart(14)}${'couplet is'.padStart(14)}`)
    for (const name of names) {
      const mine = slices.get('couplet')!
      const own = slices.get(name)!
      const ratio = median(own.map(({ rate }, round) => mine[round]!.rate / rate))
      const cells = [
        (median(own.map(({ rate }) => rate)) / scale).toFixed(0),
        (median(own.map(({ cost: each }) => each)) * per).toFixed(1),
        name === 'couplet' ? '' : `${ratio.toFixed(2)}x`,
      ]
      console.log(name.padEnd(12) + cells.map((cell) => cell.padStart(14)).join(''))
    }
  }
  for (const child of [ends, ...forwarders.values()]) child.end()
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
}

react(async (_reactor, rounds = '9', ...wanted) => await measure(Number(rounds), wanted))
