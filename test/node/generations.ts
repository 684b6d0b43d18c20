/** A socket that this process holds and never accepts from, and servers, processes of their own, that inherit it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import * as net from 'node:net'
import { createInterface } from 'node:readline'
import { onTestFinished } from 'vitest'

/** A listening socket; whoever has a copy of it can accept, and it lives as long as any copy is open. */
export interface HeldSocket {
  readonly descriptor: number
  /** 0 if it is at a path. */
  readonly port: number
  readonly dial: () => net.Socket
}

/** Node's own handle of a server. */
interface ServerHandle {
  readonly fd: number
  getsockname(out: { port?: number }): number
  close(): void
}

/**
 * Binds a socket, to any free port or to a path; it listens as soon as the first server does. Node's public servers
 * would accept from it.
 */
export function heldSocket(path?: string): HeldSocket {
  const create = Reflect.get(net, '_createServerHandle') as (host: string, port: number, family: number) => ServerHandle
  const handle = path === undefined ? create('127.0.0.1', 0, 4) : create(path, -1, -1)
  onTestFinished(() => handle.close())
  const bound: { port?: number } = {}
  if (path === undefined) handle.getsockname(bound)
  const { port = 0 } = bound
  return {
    descriptor: handle.fd,
    port,
    dial: () => (path === undefined ? net.connect(port, '127.0.0.1') : net.connect(path)),
  }
}

/** A server that has inherited a socket. */
export interface Generation {
  /** Where it listens, or why it does not. */
  readonly host: string
  /** What it says next: `connection` for each, or an answer. */
  next(): Promise<string>
  /** Answers `stop` (drains), `listen` (again), `environment` (what is left of systemd's there). */
  ask(question: string): Promise<string>
  /** Closes its stdin, which ends it. @returns its exit code */
  end(): Promise<number | null>
}

/** The program: it echoes one line to each connection, with its name in front, and says goodbye. */
const program = `
  import { createInterface } from 'node:readline'
  import { Factory, LineReceiver, serverFromString, toText } from 'couplet'
  import { react } from 'couplet/node'

  class Echo extends LineReceiver {
    lineReceived(line) {
      this.sendLine(NAME + ' ' + toText(line))
      this.transport.loseConnection()
    }
    // Whoever has come is served: its line is on its way.
    stopping() {}
  }
  const factory = Factory.forProtocol(() => new Echo())

  react(async (reactor) => {
    const listen = () => serverFromString(reactor, ENDPOINT).listen(factory)
    const port = await listen().addErrback(({ value }) => ({ host: value.name + ': ' + value.message }))
    console.log(String(port.host))
    for await (const question of createInterface(process.stdin)) {
      if (question === 'stop') console.log(await port.stopListening({ drain: 1e6 }).addCallback(() => 'stopped'))
      if (question === 'listen') console.log(await listen().addCallbacks(() => 'again', ({ value }) => value.message))
      if (question === 'environment')
        console.log(JSON.stringify(Object.keys(process.env).filter((name) => name.startsWith('LISTEN_'))))
    }
  }, [], { drain: 1e6 })`

/** The command line of a server that listens at `endpoint`. */
export function serverCommand(endpoint: string, name: string): readonly [string, ...string[]] {
  const text = program.replace('NAME', JSON.stringify(name)).replace('ENDPOINT', JSON.stringify(endpoint))
  // Nothing in between: systemd passes sockets to one process.
  return [process.execPath, '-C', '@couplet/source', '--import', 'tsx', '--input-type=module', '--eval', text]
}

/** A command line that finds the descriptor 3 as systemd would pass it, under this name. */
export function activated(name: string, command: readonly string[]): readonly [string, ...string[]] {
  return ['/bin/sh', '-c', `LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=${name} exec "$@"`, 'sh', ...command]
}

/** Starts a server that finds `descriptor` as systemd would pass it, under the name `poem`. */
export function generation(descriptor: number, endpoint: string, name = 'server'): Promise<Generation> {
  const [command, ...args] = activated('poem', serverCommand(endpoint, name))
  return conversation(spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit', descriptor] }))
}

/** Speaks with a server that was started, and ends it with the test. */
export async function conversation(child: ChildProcess): Promise<Generation> {
  const { stdin, stdout } = child
  if (stdin === null || stdout === null) throw new Error('its pipes are missing')
  const ended = once(child, 'exit') as Promise<[number | null]>
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await ended
  })
  const lines = createInterface(stdout)[Symbol.asyncIterator]()
  const next = async (): Promise<string> => {
    const { value, done } = await lines.next()
    if (done === true) throw new Error('the server has ended')
    return value
  }
  return {
    host: await next(),
    next,
    ask: (question) => {
      stdin.write(`${question}\n`)
      return next()
    },
    end: async () => {
      stdin.end()
      return (await ended)[0]
    },
  }
}

/** Sends a line and an end, and gives everything that comes back. Fails if the connection does. */
export async function askOnce(socket: net.Socket, line: string): Promise<string> {
  socket.end(`${line}\r\n`)
  let text = ''
  for await (const chunk of socket.setEncoding('utf8')) text += String(chunk)
  return text
}
