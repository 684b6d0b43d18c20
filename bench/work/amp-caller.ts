/**
 * Who calls, in a process of its own: `amp-caller.ts NAME`. For each order, a line of JSON, it keeps so many calls under
 * way on each of its connections for a while, and says how many were answered.
 *
 * The one called `bytes` encodes and decodes nothing: it sends the same questions again and again and counts bytes, so
 * that it does less for a call than any server.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { amp, connectProtocol, join, TCPClientEndpoint } from 'couplet'
import { reactor } from 'couplet/node'
import { connected } from 'couplet/testing'
import { answer } from './child.ts'
import { type Answer, splitter, Sum } from './sum.ts'

export interface Order {
  readonly port: number
  /** What is spoken there: boxes, or lines of JSON. */
  readonly speaks: 'amp' | 'json'
  readonly connections: number
  /** Calls that each connection has under way. */
  readonly window: number
  /** Milliseconds; one window at least. */
  readonly time: number
}

export interface Done {
  readonly calls: number
  /** Milliseconds. */
  readonly time: number
  /** CPU time in microseconds. */
  readonly cpu: number
}

/** Makes a window of calls at once, and says when all are answered. */
type Connection = (window: number, answered: () => void) => void

const callers: Readonly<Record<string, (order: Order) => Promise<Connection>>> = {
  couplet: async ({ port }) => {
    const endpoint = new TCPClientEndpoint(reactor, '127.0.0.1', port)
    const peer = await connectProtocol(endpoint, new amp.AMP())
    return (window, answered) => {
      let missing = window
      const one = ({ total }: { total: number }): void => {
        if (total !== 94) throw new Error(`13 and 81 are 94, not ${total}`)
        if (--missing === 0) answered()
      }
      for (let count = 0; count < window; count++) peer.callRemote(Sum, { a: 13, b: 81 }).addCallback(one)
    }
  },
  json: async ({ port }) => {
    const socket = await dial(port)
    const waiting = new Map<number, (answer: Answer) => void>()
    let id = 0
    const onLine = (line: string): void => {
      const found = JSON.parse(line) as Answer
      const one = waiting.get(found.id)
      waiting.delete(found.id)
      one?.(found)
    }
    socket.on(
      'data',
      splitter(onLine, () => {}),
    )
    const call = (method: string, params: object): Promise<Answer> =>
      new Promise((resolve) => {
        waiting.set(++id, resolve)
        socket.write(`${JSON.stringify({ id, method, params })}\n`)
      })
    return (window, answered) => {
      let missing = window
      const one = ({ result }: Answer): void => {
        if (result.total !== 94) throw new Error(`13 and 81 are 94, not ${result.total}`)
        if (--missing === 0) answered()
      }
      socket.cork()
      for (let count = 0; count < window; count++) void call('Sum', { a: 13, b: 81 }).then(one)
      socket.uncork()
    }
  },
  bytes: async ({ port, speaks, window }) => {
    const socket = await dial(port)
    const [questions, answers] = speaks === 'amp' ? boxes(window) : lines(window)
    let missing = 0
    let onAnswered = (): void => {}
    socket.on('data', (chunk: Buffer) => {
      missing -= chunk.length
      if (missing <= 0) onAnswered()
    })
    return (_, answered) => {
      onAnswered = answered
      missing = answers
      socket.write(questions)
    }
  },
}

async function dial(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect')
  return socket
}

/** A window of questions, and how many bytes their answers have. */
function boxes(window: number): [Uint8Array, number] {
  const caller = new amp.AMP()
  const asked = connected(caller)
  for (let count = 0; count < window; count++) caller.callRemote(Sum, { a: 13, b: 81 })
  const answering = connected(new amp.AMP().respond(Sum, ({ a, b }) => ({ total: a + b })))
  answering.receive(asked.value())
  return [join([asked.value()]), answering.value().length]
}

function lines(window: number): [Uint8Array, number] {
  const ids = Array.from({ length: window }, (_, index) => index + 1)
  const asked = ids.map((id) => `${JSON.stringify({ id, method: 'Sum', params: { a: 13, b: 81 } })}\n`).join('')
  const answered = ids.map((id) => `${JSON.stringify({ id, result: { total: 94 } })}\n`).join('')
  return [Buffer.from(asked), answered.length]
}

/** Window after window until `end`. @returns how many calls were answered */
function run(connection: Connection, window: number, end: number): Promise<number> {
  return new Promise((resolve) => {
    let calls = 0
    const answered = (): void => {
      calls += window
      if (performance.now() < end) connection(window, answered)
      else resolve(calls)
    }
    connection(window, answered)
  })
}

const [name = ''] = process.argv.slice(2)
const open = callers[name]
if (open === undefined) throw new Error(`no caller is called '${name}'; there are ${Object.keys(callers).join('; ')}`)
const opened = new Map<string, Connection[]>()

async function obey(order: Order): Promise<Done> {
  const key = JSON.stringify(order)
  const connections =
    opened.get(key) ?? (await Promise.all(Array.from({ length: order.connections }, () => open!(order))))
  opened.set(key, connections)
  const before = process.cpuUsage()
  const start = performance.now()
  const calls = await Promise.all(connections.map((one) => run(one, order.window, start + order.time)))
  const { user, system } = process.cpuUsage(before)
  return {
    calls: calls.reduce((sum, one) => sum + one, 0),
    time: performance.now() - start,
    cpu: user + system,
  }
}

answer(async (order) => JSON.stringify(await obey(JSON.parse(order) as Order)))
