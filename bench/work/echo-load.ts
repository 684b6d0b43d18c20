/**
 * The load on a server that echoes, in a process of its own: for each order, a line of JSON, it works for a while and
 * says how much came back. It only counts bytes, so that it does less for a line than any server.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { answer } from './child.ts'

/** What is to be done to a server, again and again. */
export interface Load {
  readonly connections: number
  /** Lines that each connection has under way. */
  readonly window: number
  /** Bytes of a line, with its end. */
  readonly size: number
  /** Connect anew for each window, and close after it. */
  readonly anew?: boolean
}

export interface Order extends Load {
  readonly port: number
  /** Milliseconds; one window at least. */
  readonly time: number
  /** Connect only. */
  readonly idle?: boolean
}

export interface Done {
  /** Lines that came back. */
  readonly lines: number
  /** Milliseconds. */
  readonly time: number
  /** CPU time of the load, in microseconds. */
  readonly cpu: number
}

/** One connection that always has a window of lines under way. */
class Client {
  readonly #socket: Socket
  readonly #lines: Buffer
  #missing = 0
  #windows = 0
  #end = 0
  #done: ((windows: number) => void) | undefined

  constructor(socket: Socket, { window, size }: Load) {
    this.#socket = socket
    this.#lines = Buffer.from(`${'x'.repeat(size - 2)}\r\n`.repeat(window))
    socket.on('data', (chunk: Buffer) => this.#onData(chunk))
  }

  /** @returns how many windows came back whole until then */
  run(end: number): Promise<number> {
    this.#end = end
    this.#windows = 0
    this.#send()
    return new Promise((resolve) => {
      this.#done = resolve
    })
  }

  close(): Promise<unknown> {
    this.#socket.end()
    return once(this.#socket, 'close')
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
    else this.#done?.(this.#windows)
  }
}

async function dial(port: number, load: Load): Promise<Client> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect')
  return new Client(socket, load)
}

/** Connects, sends a window, closes; one after the other. */
async function dialAnew(port: number, load: Load, end: number): Promise<number> {
  let windows = 0
  while (performance.now() < end) {
    const client = await dial(port, load)
    windows += await client.run(0)
    await client.close()
  }
  return windows
}

const open = new Map<string, Promise<Client[]>>()

async function obey({ port, time, idle, ...load }: Order): Promise<Done> {
  const each = <T>(make: () => Promise<T>): Promise<T[]> => Promise.all(Array.from({ length: load.connections }, make))
  const key = `${port} ${JSON.stringify(load)}`
  const clients = load.anew === true ? [] : await (open.get(key) ?? each(() => dial(port, load)))
  open.set(key, Promise.resolve(clients))
  const before = process.cpuUsage()
  const start = performance.now()
  const end = start + time
  const running = idle === true ? [] : clients.map((client) => client.run(end))
  const windows = load.anew === true ? await each(() => dialAnew(port, load, end)) : await Promise.all(running)
  const { user, system } = process.cpuUsage(before)
  const sum = windows.reduce((all, one) => all + one, 0)
  return { lines: sum * load.window, time: performance.now() - start, cpu: user + system }
}

answer(async (order) => JSON.stringify(await obey(JSON.parse(order) as Order)))
