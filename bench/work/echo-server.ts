/**
 * A server that echoes, in a process of its own: `echo-server.ts NAME`. It says its port, and then, when it is asked,
 * its CPU time in microseconds (`cpu`) or its memory in bytes (`memory`).
 */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { Factory, type IPv4Address, LineReceiver, Protocol } from 'couplet'
import { reactor } from 'couplet/node'
import { answer } from './child.ts'

/** What a server holds, in bytes, after its garbage is gone. */
export interface Memory {
  readonly rss: number
  readonly heap: number
}

/** A line may be so long, in bytes; what a LineReceiver takes, and its end. */
const longest = 16_384 + 2

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

/** Each opens a port of its own. */
const servers: Readonly<Record<string, () => Promise<number>>> = {
  'net, by hand': () =>
    listen((socket) =>
      socket.on(
        'data',
        splitter(socket, (each) => socket.write(each)),
      ),
    ),
  'net, corked': () =>
    listen((socket) => {
      const split = splitter(socket, (each) => socket.write(each))
      socket.on('data', (chunk: Buffer) => {
        socket.cork()
        split(chunk)
        socket.uncork()
      })
    }),
  'net, bytes': () => listen((socket) => socket.on('data', (chunk) => void socket.write(chunk))),
  'couplet, lines': () => serve(Factory.forProtocol(() => new EchoLines())),
  'couplet, bytes': () => serve(Factory.forProtocol(() => new EchoBytes())),
}

/**
 * Lines with their ends, as a careful splitter by hand finds them: what is left over waits, a line without end is refused,
 * and who does not take the answers is not read from.
 */
function splitter(socket: Socket, onLine: (each: Buffer) => boolean): (chunk: Buffer) => void {
  let rest: Buffer | undefined
  socket.on('drain', () => void socket.resume())
  return (chunk) => {
    const all = rest === undefined ? chunk : Buffer.concat([rest, chunk])
    let start = 0
    let more = true
    for (let end = all.indexOf(10); end >= 0 && !socket.destroyed; end = all.indexOf(10, start)) {
      if (end - start > longest) socket.destroy()
      else more = onLine(all.subarray(start, end + 1))
      start = end + 1
    }
    rest = start < all.length ? all.subarray(start) : undefined
    if (rest !== undefined && rest.length > longest) socket.destroy()
    else if (!more) socket.pause()
  }
}

async function listen(onConnection: (socket: Socket) => void): Promise<number> {
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => {})
    onConnection(socket)
  })
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 })
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

async function serve(factory: Factory): Promise<number> {
  const port = await reactor.listenTCP(0, factory, { interface: '127.0.0.1', backlog: 4096 })
  return (port.host as IPv4Address).port
}

function memory(): Memory {
  const collect = (globalThis as { gc?: () => void }).gc
  for (let times = 0; times < 4; times++) collect?.()
  const { rss, heapUsed: heap } = process.memoryUsage()
  return { rss, heap }
}

const [name = ''] = process.argv.slice(2)
const open = servers[name]
if (open === undefined) throw new Error(`no server is called '${name}'; there are ${Object.keys(servers).join('; ')}`)
answer((question) => {
  if (question === 'memory') return JSON.stringify(memory())
  const { user, system } = process.cpuUsage()
  return user + system
})
console.log(await open())
