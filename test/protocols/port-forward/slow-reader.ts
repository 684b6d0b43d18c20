/**
 * A stream through a forwarder in a process of its own, from one who sends as fast as it can to one who stops reading
 * again and again, each time until everything between the two stands still.
 */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { pattern } from 'couplet/testing'
import { onTestFinished } from 'vitest'
import { serverProcess } from '../../node/child.ts'
import { addressOf, listening } from '../../node/loopback.ts'

/** What the forwarder holds while everything stands still, in bytes. */
export interface Sample {
  readonly rss: number
  /** Of JavaScript, buffers included, after its garbage is gone. */
  readonly heap: number
  /** What waits in its transports. */
  readonly queued: number
  /** What had been sent by then, and what of that had not arrived. */
  readonly sent: number
  readonly between: number
}

export interface Streamed {
  readonly samples: readonly Sample[]
  /** What was sent and what arrived, as hashes. */
  readonly hashes: readonly [sent: string, arrived: string]
  /** Milliseconds during which it did not stand still. */
  readonly busy: number
}

/** Different from place to place, and no two blocks are alike. */
const blockSize = 256 * 1024

const forwards = (port: number): string => `() => {
  const { ProxyFactory, ProxyServer } = couplet.portForward
  globalThis.servers ??= []
  globalThis.forwarder ??= new ProxyFactory(new couplet.TCPClientEndpoint(reactor, '127.0.0.1', ${port}))
  const server = new ProxyServer(forwarder)
  servers.push(server)
  return server
}`

const answers = `() => {
  gc()
  gc()
  const { rss, heapUsed, external } = process.memoryUsage()
  const queued = servers.reduce((sum, { transport, peer }) => sum + transport.queued + (peer?.transport.queued ?? 0), 0)
  return JSON.stringify({ rss, heap: heapUsed + external, queued })
}`

/**
 * Streams `size` bytes from a client to a server; the server's answer, when the client has ended, is the hash.
 *
 * @param stretch so many bytes the server reads before it stops again
 */
export async function stream(size: number, stretch: number): Promise<Streamed> {
  const samples: Sample[] = []
  const arrived = createHash('sha1')
  let read = 0
  let sender: Socket | undefined
  let idle = 0
  /** Looks until nothing has moved between one answer of the forwarder and the next, a few times over. */
  const standstill = async (): Promise<void> => {
    const start = performance.now()
    let before = -1
    for (let still = 0; still < 3;) {
      const sent = sender!.bytesWritten - sender!.writableLength
      still = sent === before ? still + 1 : 0
      before = sent
      const said = JSON.parse(await forwarder.ask('memory')) as Pick<Sample, 'rss' | 'heap' | 'queued'>
      if (still === 3) samples.push({ ...said, sent, between: sent - read })
    }
    idle += performance.now() - start
  }
  const server = await listening(
    createServer({ allowHalfOpen: true }, (socket) => {
      let next = stretch
      socket.on('error', () => undefined)
      socket.on('data', (chunk) => {
        arrived.update(chunk)
        read += chunk.length
        if (read < next || next > size - stretch) return
        next += stretch
        socket.pause()
        void standstill().then(() => socket.resume())
      })
      socket.on('end', () => socket.end(arrived.digest('hex')))
    }),
  )
  const options = ['--expose-gc']
  const forwarder = await serverProcess(forwards(addressOf(server).port), answers, undefined, options)
  const client = connect({ port: forwarder.port, host: '127.0.0.1', allowHalfOpen: true })
  sender = client
  onTestFinished(() => void client.destroy())
  client.setEncoding('utf8')
  let answer = ''
  client.on('data', (text: string) => (answer += text))
  await once(client, 'connect')
  const start = performance.now()
  const hash = await send(client, size)
  if (!client.readableEnded) await once(client, 'end')
  return { samples, hashes: [hash, answer], busy: performance.now() - start - idle }
}

/** Sends the blocks one by one, and then that they were all. */
async function send(socket: Socket, size: number): Promise<string> {
  const hash = createHash('sha1')
  // A block is used again when the kernel has it; two are enough to be always one ahead.
  const blocks = [0, 1].map(() => ({ bytes: pattern(blockSize), free: Promise.resolve() }))
  for (let place = 0; place < size; place += blockSize) {
    const block = blocks[(place / blockSize) % blocks.length]!
    await block.free
    const view = new DataView(block.bytes.buffer)
    for (let offset = 0; offset < blockSize; offset += 4096) view.setFloat64(offset, place + offset)
    const bytes = block.bytes.subarray(0, Math.min(blockSize, size - place))
    hash.update(bytes)
    block.free = new Promise((resolve, reject) => {
      socket.write(bytes, (error) => (error instanceof Error ? reject(error) : resolve()))
    })
  }
  socket.end()
  return hash.digest('hex')
}
