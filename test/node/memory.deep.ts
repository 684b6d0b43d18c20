/** 1,000 connections that are active for a while: the server's memory does not grow. `ACTIVE_SECONDS=60` for a minute. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { serverProcess } from './child.ts'

const seconds = Number(process.env['ACTIVE_SECONDS'] ?? 20)
/** Until all is compiled and every pool is as large as it gets. */
const warmUpSeconds = 5
const line = Buffer.from(`${'x'.repeat(62)}\r\n`.repeat(4))

interface Sample {
  readonly heap: number
  readonly rss: number
  readonly open: number
}

const echo = `() => new (class extends LineReceiver {
  lineReceived(line) {
    this.sendLine(line)
  }
})()`

const answers = `() => {
  gc()
  gc()
  const { rss, heapUsed, external } = process.memoryUsage()
  return JSON.stringify({ rss, heap: heapUsed + external, open: reactor.stats().open })
}`

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
}

/** How much it grows in a second, by least squares over samples a second apart. */
function slope(values: readonly number[]): number {
  const middle = (values.length - 1) / 2
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const above = values.reduce((sum, value, index) => sum + (index - middle) * (value - mean), 0)
  const below = values.reduce((sum, _, index) => sum + (index - middle) ** 2, 0)
  return above / below
}

async function connected(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  onTestFinished(() => {
    socket.destroy()
  })
  await once(socket, 'connect')
  return socket
}

/** Sends four lines, and again whenever they are back. */
function activate(socket: Socket, count: (lines: number) => void): void {
  let missing = line.length
  socket.write(line)
  socket.on('data', (chunk: Buffer) => {
    missing -= chunk.length
    if (missing > 0) return
    count(4)
    missing = line.length
    socket.write(line)
  })
}

it(
  `1,000 active connections for ${seconds} s: memory stays as it is`,
  { timeout: seconds * 1000 + 100_000 },
  async () => {
    const server = await serverProcess(echo, answers, undefined, ['--expose-gc'])
    let lines = 0
    const sockets: Socket[] = []
    for (let count = 0; count < 1000; count++) sockets.push(await connected(server.port))
    const sample = async (): Promise<Sample> => JSON.parse(await server.ask('memory')) as Sample
    // A busy server accepts few at a time.
    while ((await sample()).open < 1000);
    for (const socket of sockets) activate(socket, (more) => (lines += more))
    const second = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1000))
    for (let count = 0; count < warmUpSeconds; count++) {
      await sample()
      await second()
    }
    const samples: Sample[] = []
    const before = lines
    for (let count = 0; count <= seconds; count++) {
      samples.push(await sample())
      await second()
    }
    const echoed = lines - before
    const [heap, rss] = [slope(samples.map((one) => one.heap)), slope(samples.map((one) => one.rss))]
    const grown = `${(heap / 1024).toFixed(1)} KiB of heap, ${(rss / 1024).toFixed(1)} KiB resident a second`
    console.log(`${echoed} lines over 1,000 connections in ${seconds} s; growth: ${grown}`)
    expect(new Set(samples.map((one) => one.open))).toEqual(new Set([1000]))
    // Even a slow machine echoes so much that a leak of four bytes a line would be more.
    expect(echoed / seconds).toBeGreaterThan(20_000)
    expect(heap).toBeLessThan(64 * 1024)
    // What the allocator holds goes up and down by megabytes; what is never given back shows between the two thirds.
    const third = Math.floor(samples.length / 3)
    const [early, late] = [samples.slice(0, third), samples.slice(-third)].map((some) =>
      median(some.map((one) => one.rss)),
    )
    expect(late! - early!).toBeLessThan(32 << 20)
  },
)
