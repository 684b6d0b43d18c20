/**
 * Real sockets for tests: a reactor, ports that are free, pairs of connections, raw peers that misbehave, and a way to
 * wait for the loopback network to come to rest.
 */
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer, connect as connectSocket, type AddressInfo, type Server, type Socket } from 'node:net'
import {
  type Accept,
  type Connection,
  type ConnectionLimits,
  Deferred,
  type DelayedCall,
  type Fields,
  IPv4Address,
  type ListeningPort,
  type ListenOptions,
  type Protocol,
  setTracer,
  type Tracer,
} from 'couplet'
import { NodeReactor } from 'couplet/node'
import { type ContractNetwork, ManualClock, type PairLimits, type TransportWorld } from 'couplet/testing'
import { onTestFinished } from 'vitest'
import { heldSocket } from './generations.ts'
import { isInFlight } from './in-flight.ts'

/** Any free port of this machine. */
export const anywhere = new IPv4Address('TCP', '127.0.0.1', 0)

/** Counts what happens, whatever it is, and the bytes of it. */
class Pulse implements Tracer {
  beats = 0
  bytes = 0
  at(_kind: string, _on: object, { n }: Fields = {}): number {
    if (typeof n === 'number') this.bytes += n
    return ++this.beats
  }
  begin(): number {
    return ++this.beats
  }
  end(): void {}
  id(): string {
    return ''
  }
  mark(): void {}
  marked(): undefined {
    return undefined
  }
}

/** A reactor whose sockets are real, and whose time passes when the test says so: what has to be first can be first. */
export class ReactorByHand extends NodeReactor {
  readonly clock = new ManualClock()

  override now(): number {
    return this.clock.now()
  }

  override callLater(ms: number, f: () => unknown): DelayedCall {
    return this.clock.callLater(ms, f)
  }
}

/** The network of this machine, for one test. */
export class Loopback implements TransportWorld {
  readonly reactor: NodeReactor
  /** The kernel's two buffers grow to 4 and 6 MiB. */
  readonly plenty = 32 << 20
  readonly network: ContractNetwork
  readonly #pulse = new Pulse()
  readonly #ports = new Set<number>()
  #echo: Promise<Socket> | undefined

  /** @param network where its ports are, and how its connections are made, if not by TCP over IPv4 */
  constructor(reactor = new NodeReactor(), network: Partial<ContractNetwork> = {}) {
    this.reactor = reactor
    const tcp = { server: reactor, client: reactor, anywhere: () => anywhere }
    this.network = { ...tcp, until: async (outcome) => await outcome, ...network }
    onTestFinished(setTracer(this.#pulse))
  }

  /** Opens a port that the end of the test closes. */
  async listen(accept: Accept, options?: ListenOptions): Promise<ListeningPort> {
    const { network } = this
    const { listenOptions } = network
    const port = await this.reactor.listen(network.anywhere(), accept, { ...listenOptions, ...options })
    onTestFinished(() => port.stopListening({ drain: 0 }).toPromise())
    if (port.host.kind === 'IPv4' || port.host.kind === 'IPv6') this.#ports.add(port.host.port)
    return port
  }

  /** Opens a port whose connections get the protocols that `build` makes. */
  serve(build: () => Protocol, options?: ListenOptions): Promise<ListeningPort> {
    return this.listen((connection) => connection.deliverTo(build()), options)
  }

  async pair(limits: PairLimits = {}): Promise<[Connection, Connection]> {
    const accepted = new Deferred<Connection>()
    const port = await this.listen((connection) => accepted.callback(connection), limits.far)
    const near = await this.reactor.dial(port.host, { ...this.network.dialOptions, ...limits.near })
    onTestFinished(() => near.abortConnection())
    return [near, await accepted]
  }

  /** Two ends: ours, and a plain socket that can do what no Protocol of ours would. */
  async withSocket(limits?: ConnectionLimits): Promise<[Connection, Socket]> {
    const server = await listening(createServer({ allowHalfOpen: true, pauseOnConnect: true }))
    this.#ports.add(addressOf(server).port)
    const [dialed, [socket]] = await Promise.all([
      this.reactor.dial(addressOf(server), limits),
      once(server, 'connection') as Promise<[Socket]>,
    ])
    socket.on('error', () => {})
    onTestFinished(() => {
      dialed.abortConnection()
      socket.destroy()
    })
    return [dialed, socket]
  }

  /**
   * Waits until nothing happens any more while a byte goes there and back. A busy kernel delivers late, but in order: by
   * then all has arrived that was sent before. All, if there was room for it: where it was much, the kernel is asked.
   */
  async settle(): Promise<void> {
    const echo = await (this.#echo ??= echoing())
    const pulse = this.#pulse
    for (let before = -1; before !== pulse.beats || (pulse.bytes > 65_536 && isInFlight(this.#ports));) {
      before = pulse.beats
      await turns(20)
      echo.write('.')
      await once(echo, 'data')
      await breath()
      await turns(20)
    }
  }
}

/** A raw socket that hears what it says, for the rest of the test. */
async function echoing(): Promise<Socket> {
  const server = await listening(createServer())
  const socket = connectSocket(addressOf(server).port, '127.0.0.1').setNoDelay()
  const [far] = (await once(server, 'connection')) as [Socket]
  far.pipe(far)
  onTestFinished(() => {
    far.destroy()
    socket.destroy()
  })
  return socket
}

function breath(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1))
}

/** Lets so many turns of Node's loop go by. */
export async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve))
}

/** Lets turns go by until it has happened; after many, slowly, since it may be another program's turn. */
export async function until(happened: () => boolean): Promise<void> {
  for (let turn = 0; !happened(); turn++) await (turn < 1000 ? turns(1) : breath())
}

/** A raw server on a free port, closed by the end of the test. */
export async function listening(server: Server): Promise<Server> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
  })
  return server
}

export function addressOf(server: Server): IPv4Address {
  return anywhere.withPort((server.address() as AddressInfo).port)
}

/** A port of this machine at which nobody listens, nor will during the test: it is taken, by somebody who does not. */
export function nobody(): IPv4Address {
  return anywhere.withPort(heldSocket().port)
}

/**
 * A port that is free, for a program that cannot take any. It is none of those that the system gives to whoever asks for
 * any, so that nobody else gets it meanwhile.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(10_000, 32_768)
    const server = createServer().listen(port, '127.0.0.1')
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false,
    )
    if (!isFree) continue
    await once(server.close(), 'close')
    return port
  }
}

/** A raw client, connected, paused, and destroyed by the end of the test. */
export async function socketTo(port: ListeningPort): Promise<Socket> {
  const socket = connectSocket({ host: '127.0.0.1', port: (port.host as IPv4Address).port, allowHalfOpen: true })
  socket.on('error', () => {})
  socket.pause()
  await once(socket, 'connect')
  onTestFinished(() => {
    socket.destroy()
  })
  return socket
}
