/**
 * Both ends of what is forwarded, in a process of their own: a server that takes or says back, and clients that send.
 * It says the server's port; each line that it is asked is an {@link Order}, and it answers with {@link Done}.
 */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { answer } from './child.ts'

/** What to do for a while. */
export interface Order {
  readonly port: number
  readonly connections: number
  /** Milliseconds. */
  readonly time: number
  /** Bytes that are answered before the next ones are sent; without it, as many as the network takes, unanswered. */
  readonly exchange?: number
}

/** What came of it: bytes through the forwarder one way, or exchanges; and how long it took, in milliseconds. */
export interface Done {
  readonly count: number
  readonly time: number
}

let arrived = 0
const open = new Set<Socket>()
const server = createServer({ noDelay: true }, (socket) => {
  open.add(socket.on('error', () => undefined).on('close', () => open.delete(socket)))
  // The first byte says what it is for.
  socket.once('data', (first) => {
    if (first[0] === 0) socket.on('data', (chunk) => void (arrived += chunk.length))
    else socket.on('data', (chunk) => void socket.write(chunk))
  })
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
console.log((server.address() as AddressInfo).port)

const block = Buffer.alloc(256 * 1024, 'poem')

async function connected(port: number, kind: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  socket.write(Buffer.from([kind]))
  // Where the first byte is to come alone.
  await new Promise((resolve) => setTimeout(resolve, 20))
  return socket
}

function pour(socket: Socket): void {
  while (!socket.destroyed && socket.write(block));
  socket.once('drain', () => pour(socket))
}

function exchange(socket: Socket, size: number, counted: () => void): void {
  const question = block.subarray(0, size)
  let missing = size
  socket.on('data', (chunk: Buffer) => {
    missing -= chunk.length
    if (missing > 0) return
    missing = size
    counted()
    socket.write(question)
  })
  socket.write(question)
}

answer(async (text) => {
  const { port, connections, time, exchange: size } = JSON.parse(text) as Order
  const sockets = await Promise.all(
    Array.from({ length: connections }, () => connected(port, size === undefined ? 0 : 1)),
  )
  let exchanged = 0
  const before = arrived
  const start = performance.now()
  for (const socket of sockets) {
    if (size === undefined) pour(socket)
    else exchange(socket, size, () => exchanged++)
  }
  await new Promise((resolve) => setTimeout(resolve, time))
  const done: Done = { count: size === undefined ? arrived - before : exchanged, time: performance.now() - start }
  for (const socket of sockets) socket.resetAndDestroy()
  while (open.size > 0) await new Promise((resolve) => setTimeout(resolve, 5))
  return JSON.stringify(done)
})
