/**
 * What an idle connection costs a server: 10,000 of them, beside as many bare sockets that have a listener for data.
 *
 * Each server is a process of its own, and a fresh one each time; the clients are in another. Afterwards every client
 * sends a line and has it back, so that none is counted that was lost. `npm run bench -- idle [CONNECTIONS [TIMES]]`.
 */
import { react } from 'couplet/node'
import { Child, sibling } from './work/child.ts'
import type { Done, Order } from './work/echo-load.ts'
import type { Memory } from './work/echo-server.ts'

const goal = 1.3
// What a process takes once, by chance, is no matter of a connection. V8 doubles the memory in which all objects begin as
// soon as many live on, up to 32 MiB; and a compiler that runs beside in threads leaves its own memory resident.
const flags = ['--max-semi-space-size=1', '--single-threaded']
const names = ['net, bytes', 'couplet, bytes', 'couplet, lines']

/** Bytes for one connection. */
async function weigh(name: string, connections: number): Promise<Memory> {
  const [node = '', ...rest] = sibling('echo-server', name)
  const server = new Child(node, ...flags, ...rest)
  const client = new Child(...sibling('echo-load'))
  try {
    const port = Number(await server.next())
    // What is needed once (compiled code, pools) is there before anything is weighed; so are these connections.
    const some: Order = { port, time: 0, connections: 200, window: 1, size: 64 }
    await ask(client, some)
    const before = await held(server)
    const idle: Order = { ...some, connections, idle: true }
    await ask(client, idle)
    const after = await held(server)
    const { lines } = await ask(client, { ...idle, idle: false })
    if (lines !== connections) throw new Error(`${name}: ${connections - lines} connections were lost`)
    return { rss: (after.rss - before.rss) / connections, heap: (after.heap - before.heap) / connections }
  } finally {
    client.end()
    server.end()
  }
}

async function ask(client: Child, order: Order): Promise<Done> {
  return JSON.parse(await client.ask(JSON.stringify(order))) as Done
}

async function held(server: Child): Promise<Memory> {
  return JSON.parse(await server.ask('memory')) as Memory
}

async function measure(connections: number, times: number): Promise<void> {
  const found = new Map<string, Memory[]>(names.map((name) => [name, []]))
  for (let time = 0; time < times; time++) {
    for (const name of names) found.get(name)?.push(await weigh(name, connections))
  }
  console.log(`${connections} idle connections, none lost; bytes of each, median of ${times} fresh processes`)
  for (const name of names) {
    const one = (what: keyof Memory): string => {
      const values = found.get(name)!.map((memory) => memory[what])
      const ratios = values.map((value, time) => value / found.get(names[0]!)![time]![what])
      const [low, middle, high] = [0.25, 0.5, 0.75].map((part) => quantile(ratios, part).toFixed(2))
      return `${quantile(values, 0.5).toFixed(0)}, of the first ${middle} (${low} to ${high})`
    }
    console.log(`  ${name.padEnd(16)}resident ${one('rss')}; heap ${one('heap')}`)
  }
  console.log(`goal: at most ${goal} of resident memory`)
}

function quantile(values: readonly number[], part: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) * part)] ?? NaN
}

react((_, connections = '10000', times = '5') => measure(Number(connections), Number(times)))
