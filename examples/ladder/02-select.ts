/**
 * Gets three poems at once, in a loop that asks which of its sockets have something to say.
 *
 * Look at `select`: the only line of the program that waits, and it waits for all poets. So it takes as long as the
 * slowest of them, on one thread. Such a loop is what a reactor is; it is the last one that you see on this ladder.
 * Try: let the loop compute for a second (`while (performance.now() < …);`) when a line has come: all poems wait.
 */
import { EventEmitter, once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { Reactor } from 'couplet'
import { react } from 'couplet/node'
import { startPoets } from './00-poets.ts'

/** Rings when something has happened to one of the sockets; it does not say to which. */
const bell = new EventEmitter()

/** Waits until there is something to read, or nothing any more. @returns the sockets where that is so */
async function select(sockets: ReadonlySet<Socket>): Promise<Socket[]> {
  for (;;) {
    const ready = [...sockets].filter((socket) => socket.readableLength > 0 || socket.readableEnded)
    if (ready.length > 0) return ready
    await once(bell, 'ring')
  }
}

export async function getPoems(ports: readonly number[]) {
  const start = performance.now()
  const seconds = () => `${((performance.now() - start) / 1000).toFixed(2)} s`
  const names = new Map<Socket, string>()
  for (const [index, port] of ports.entries()) {
    const socket = connect(port, '127.0.0.1').setEncoding('utf8')
    for (const event of ['readable', 'end']) socket.on(event, () => bell.emit('ring'))
    // Reading nothing is how a stream is told that somebody wants to read.
    socket.read(0)
    names.set(socket, `poem ${index + 1}`)
  }
  const open = new Set(names.keys())
  while (open.size > 0) {
    for (const socket of await select(open)) {
      const text = socket.read() as string | null
      if (text !== null) console.log(`${seconds()}  ${names.get(socket)}: ${text.trimEnd()}`)
      else if (socket.readableEnded) open.delete(socket)
    }
  }
  console.log(`${seconds()}  has them all`)
}

export async function main(reactor: Reactor, seconds = '0.25') {
  await getPoems(await startPoets(reactor, seconds))
}

if (process.argv[1] === import.meta.filename) react(main)
