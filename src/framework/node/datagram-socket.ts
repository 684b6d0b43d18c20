/**
 * A port for datagrams over one of Node's UDP sockets.
 *
 * Ancestor: `twisted.internet.udp.Port`, the half of it that talks to the socket.
 */
import { createSocket, type Socket, type SocketOptions } from 'node:dgram'
import type { AddressInfo } from 'node:net'
import { type IPAddress, IPv4Address, IPv6Address } from '../core/address.ts'
import { checkDatagramOptions, DatagramPort } from '../core/datagram-port.ts'
import type { DatagramOptions } from '../core/datagram-transport.ts'
import { CannotListenError, DatagramLost } from '../core/errors.ts'
import type { Reactor } from '../core/reactor.ts'
import { Deferred } from '../deferred/deferred.ts'
import { whyNoReusePort } from './reuse-port.ts'
import { codeOf, connectError, listenError, whyNotSent } from './system-errors.ts'

type Lookup = NonNullable<SocketOptions['lookup']>

/**
 * All addresses that Node gets from us are addresses already. It would look them up even so, each time, and send a turn
 * later.
 */
const noLookup = ((host: string, family: number, found: (error: null, address: string, family: number) => void) =>
  found(null, host, family)) as Lookup

/**
 * What `reactor.bind` does.
 *
 * @returns fires in a later event, or fails with CannotListenError
 */
export function bindSocket(reactor: Reactor, address: IPAddress, options: DatagramOptions): Deferred<DatagramPort> {
  let socket: Socket | undefined
  const bound = new Deferred<DatagramPort>(() => socket?.close())
  const open = (): void => {
    if (bound.called) return
    checkDatagramOptions(options)
    const why = options.reusePort === true ? whyNoReusePort() : undefined
    if (why !== undefined) throw new CannotListenError(address, why)
    const { reusePort = false } = options
    const type = address.kind === 'IPv4' ? 'udp4' : 'udp6'
    const opened = createSocket({ type, lookup: noLookup, ...(reusePort ? { reusePort } : {}) } as SocketOptions)
    const onError = (error: Error): void => {
      opened.close()
      if (!bound.called) bound.errback(listenError(address, error))
    }
    opened.once('error', onError)
    opened.once('listening', () => {
      opened.off('error', onError)
      if (options.broadcastAllowed === true) opened.setBroadcast(true)
      bound.callback(new SocketDatagramPort(reactor, opened, address.withPort(opened.address().port), options))
    })
    socket = opened
    opened.bind({ address: address.host, port: address.port })
  }
  // Node binds at once, and an attempt never fails before its caller has the Deferred in hand.
  process.nextTick(() => {
    try {
      open()
    } catch (error) {
      bound.errback(error)
    }
  })
  return bound
}

class SocketDatagramPort extends DatagramPort {
  readonly #socket: Socket

  /** @param socket bound, and nobody else's */
  constructor(reactor: Reactor, socket: Socket, host: IPAddress, options: DatagramOptions) {
    super(reactor, host, options)
    this.#socket = socket
    socket.on('message', (datagram, from) => this.received(datagram, addressOf(from)))
    socket.on('error', (error) => this.#failed(error))
    socket.on('close', () => this.closed())
  }

  get queued(): number {
    // A socket that is closed does not want to be asked.
    return this.stopped ? 0 : this.#socket.getSendQueueSize()
  }

  protected override send(datagram: Uint8Array, to: IPAddress | undefined): void {
    if (to === undefined) this.#socket.send(datagram, this.#onSent)
    else this.#socket.send(datagram, to.port, to.host, this.#onSent)
  }

  protected override connectTo(peer: IPAddress): Deferred<IPAddress> {
    const connected = new Deferred<IPAddress>()
    // What is declared of the callback says nothing of the error that it gets.
    const onConnect = (error?: Error): void => {
      if (error !== undefined) connected.errback(connectError(peer, error))
      else if (this.stopped) connected.callback(peer)
      else connected.callback(addressOf(this.#socket.remoteAddress()))
    }
    this.#socket.connect(peer.port, peer.host, onConnect)
    return connected
  }

  protected override close(): void {
    this.#socket.close()
  }

  /** Called for every datagram, and nearly always to say nothing. */
  readonly #onSent = (error: Error | null): void => {
    if (error !== null) this.#failed(error)
  }

  #failed(error: Error): void {
    const host: unknown = Reflect.get(error, 'address')
    const port: unknown = Reflect.get(error, 'port')
    const to = this.peer ?? (typeof host === 'string' ? `${host}:${String(port)}` : this.host)
    const reason = new DatagramLost(to, whyNotSent(error), { cause: error })
    if (codeOf(error) === 'ECONNREFUSED') this.refused(reason)
    else this.lost(reason)
  }
}

function addressOf({ family, address, port }: AddressInfo): IPAddress {
  return family === 'IPv4' ? new IPv4Address('UDP', address, port) : new IPv6Address('UDP', address, port)
}
