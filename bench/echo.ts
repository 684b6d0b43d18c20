/**
 * How fast lines are echoed over TCP, beside servers that one would write by hand for `node:net`.
 *
 * Every server is a process of its own, and so is the load. In each round all servers get a short slice of load, one
 * after the other, in turning order; only slices of the same round are divided by each other, so that a machine that is
 * busy for a while slows both sides of a ratio. `npm run bench -- echo [ROUNDS]`.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { Factory, type IPv4Address, LineReceiver, Protocol } from 'couplet'
import { react, reactor } from 'couplet/node'

const line = `${'x'.repeat(62)}\r\n`
const sliceMs = 200
const warmUpRounds = 4

/** How many connections there are, and how many lines each has under way. */
const loads = {
  pipelined: { connections: 8, window: 128 },
  'ping-pong': { connections: 32, window: 1 },
}
type Load = keyof typeof loads

class EchoLines extends LineReceiver {
  override lineReceived(received: Uint8Array): void {
    this.sendLine(received)
  }
}

class EchoBytes extends Protocol {
  override dataReceived(chunk: Uint8Array): void {
    this.transport.write(chunk)
  }
}

/** Each opens a port of its own. The first is what the others are compared with. */
const servers: Record<string, () => Promise<number>> = {
  'net, by hand': () =>
    listen((socket) =>
      socket.on(
        'data',
        splitter((each) => void socket.write(each)),
      ),
    ),
  'net, corked': () =>
    listen((socket) => {
      const split = splitter((each) => void socket.write(each))
      socket.on('data', (chunk: Buffer) => {
        socket.cork()
        split(chunk)
        socket.uncork()
      })
    }),
  'couplet, lines': () => serve(Factory.forProtocol(() => new EchoLines())),
  'net, bytes': () => listen((socket) => socket.on('data', (chunk) => void socket.write(chunk))),
  'couplet, bytes': () => serve(Factory.forProtocol(() => new EchoBytes())),
}
/** Which is divided by which. */
const comparisons: [string, string][] = [
  ['couplet, lines', 'net, by hand'],
  ['couplet, lines', 'net, corked'],
  ['couplet, bytes', 'net, bytes'],
]

/** Lines with their ends, as a careful splitter by hand finds them. */
function splitter(onLine: (each: Buffer) => void): (chunk: Buffer) => void {
  let rest: Buffer | undefined
  return (chunk) => {
    const all = rest === undefined ? chunk : Buffer.concat([rest, chunk])
    let start = 0
    for (let end = all.indexOf(10); end >= 0; end = all.indexOf(10, start)) {
      onLine(all.subarray(start, end + 1))
      start = end + 1
    }
    rest = start < all.length ? all.subarray(start) : undefined
  }
}

async function listen(onConnection: (socket: Socket) => void): Promise<number> {
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => {})
    onConnection(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

async function serve(factory: Factory): Promise<number> {
  const port = await reactor.listenTCP(0, factory, { interface: '127.0.0.1' })
  return (port.host as IPv4Address).port
}

/* ------------------------------------------------------------------ the processes */

interface Order {
  readonly port: number
  readonly load: Load
}

/** A server says its port, and then, whenever it is asked, how much CPU time it has used, in microseconds. */
async function beServer(name: string): Promise<void> {
  const port = await servers[name]?.()
  process.on('message', () => {
    const { user, system } = process.cpuUsage()
    process.send?.(user + system)
  })
  process.send?.(port)
}

/** The load does one slice for each order, and says how many lines came back. */
function beLoad(): void {
  const open = new Map<string, Promise<Client[]>>()
  process.on('message', (order: Order) => {
    void work(order).then((lines) => process.send?.(lines))
  })

  async function work({ port, load }: Order): Promise<number> {
    const key = `${port} ${load}`
    const { connections, window } = loads[load]
    const clients = open.get(key) ?? Promise.all(Array.from({ length: connections }, () => dial(port, window)))
    open.set(key, clients)
    const end = performance.now() + sliceMs
    const counts = await Promise.all((await clients).map((client) => client.run(end)))
    return counts.reduce((sum, count) => sum + count)
  }
}

/** One connection that always has so many lines under way. */
class Client {
  readonly #socket: Socket
  readonly #lines: Buffer
  #end = 0
  #missing = 0
  #windows = 0
  #done: ((lines: number) => void) | undefined
  readonly #window: number

  constructor(socket: Socket, window: number) {
    this.#socket = socket
    this.#window = window
    this.#lines = Buffer.from(line.repeat(window))
    socket.on('data', (chunk: Buffer) => this.#onData(chunk))
  }

  run(end: number): Promise<number> {
    this.#end = end
    this.#windows = 0
    this.#send()
    return new Promise((resolve) => {
      this.#done = resolve
    })
  }

  #send(): void {
    this.#missing = this.#lines.length
    this.#socket.write(this.#lines)
  }

  #onData(chunk: Buffer): void {
    this.#missing -= chunk.length
    if (this.#missing > 0) return
    this.#windows++
    if (performance.now() < this.#end) this.#send()
    else this.#done?.(this.#windows * this.#window)
  }
}

async function dial(port: number, window: number): Promise<Client> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect')
  return new Client(socket, window)
}

/* ------------------------------------------------------------------ the measurement */

class Child {
  readonly #process: ChildProcess

  constructor(...args: string[]) {
    const program = [...process.execArgv, import.meta.filename, ...args]
    this.#process = spawn(process.execPath, program, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  }

  async next(): Promise<number> {
    const [answer] = (await once(this.#process, 'message')) as [number]
    return answer
  }

  ask(question: Order | 'cpu'): Promise<number> {
    const answer = this.next()
    this.#process.send(question)
    return answer
  }

  end(): void {
    this.#process.kill()
  }
}

interface Slice {
  /** Lines a second. */
  readonly rate: number
  /** CPU time of the server for a line, in microseconds. */
  readonly cost: number
}

async function measure(rounds: number): Promise<void> {
  const load = new Child('load')
  const names = Object.keys(servers)
  const children = new Map(names.map((name) => [name, new Child('server', name)]))
  const ports = new Map<string, number>()
  for (const [name, child] of children) ports.set(name, await child.next())

  for (const kind of Object.keys(loads) as Load[]) {
    const slices = new Map<string, Slice[]>(names.map((name) => [name, []]))
    for (let round = -warmUpRounds; round < rounds; round++) {
      for (let turn = 0; turn < names.length; turn++) {
        const name = names[(turn + Math.abs(round)) % names.length] ?? ''
        const child = children.get(name)
        if (child === undefined) continue
        const before = await child.ask('cpu')
        const started = performance.now()
        const lines = await load.ask({ port: ports.get(name) ?? 0, load: kind })
        const seconds = (performance.now() - started) / 1000
        const used = (await child.ask('cpu')) - before
        if (round >= 0) slices.get(name)?.push({ rate: lines / seconds, cost: used / lines })
      }
    }
    report(kind, slices)
  }
  for (const child of [load, ...children.values()]) child.end()
}

function report(kind: Load, slices: ReadonlyMap<string, readonly Slice[]>): void {
  const { connections, window } = loads[kind]
  console.log(`\n${kind}: ${connections} connections, ${window} of ${line.length} bytes under way on each`)
  for (const [name, all] of slices) {
    const rate = quartiles(all.map((slice) => slice.rate / 1000))
    const cost = quartiles(all.map((slice) => slice.cost))
    console.log(`  ${name.padEnd(16)}${shown(rate, 0)} thousand lines a second, ${shown(cost, 2)} µs of CPU a line`)
  }
  for (const [one, other] of comparisons) {
    const pairs = (slices.get(one) ?? []).map((slice, round) => [slice, slices.get(other)?.[round] ?? slice] as const)
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

const [role, name = ''] = process.argv.slice(2)
if (role === 'server') await beServer(name)
else if (role === 'load') beLoad()
else react((_, rounds = '15') => measure(Number(rounds)))
