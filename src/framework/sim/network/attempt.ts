/**
 * An attempt to connect in the simulated world: there with the question, back with the answer.
 *
 * As in TCP the client is connected after one round trip, and the server hears of it half a round trip later, before
 * anything that the client sends. What gets lost is tried again after 1, 2, 4, … seconds. Ancestor:
 * `twisted.internet.tcp.Client`.
 */
import { type IPAddress, ipAddress, UNIXAddress } from '../../core/address.ts'
import { connectTimeout } from '../../core/dial-host.ts'
import {
  ConnectBindError,
  ConnectError,
  attemptCancelled,
  ConnectionRefusedError,
  NoRouteError,
  TCPTimedOutError,
} from '../../core/errors.ts'
import type { DialOptions } from '../../core/reactor.ts'
import type { Connection } from '../../core/transport.ts'
import { Deferred } from '../../deferred/deferred.ts'
import { trace } from '../../trace/hook.ts'
import { keyOf, type RandomStream, scrambled } from '../random-stream.ts'
import type { SimHost } from '../sim-host.ts'
import type { SimProcess } from '../sim-process.ts'
import type { SimReactor } from '../sim-reactor.ts'
import { SimEvent } from '../timeline.ts'
import type { Network } from './network.ts'
import type { Packet } from './packet.ts'
import type { Path } from './path.ts'
import { isLoopback, type Place } from './port-table.ts'
import { SimConnection } from './sim-connection.ts'
import type { SimPort } from './sim-port.ts'

/** So often a question is asked again before the kernel gives up, as on Linux (`tcp_syn_retries`). */
const mostQuestions = 6

/** One attempt, from the question to its answer; the host knows of it meanwhile. */
export class Attempt {
  /** What `reactor.dial` promises. */
  readonly result: Deferred<Connection>
  readonly address: Place
  readonly #network: Network
  readonly #from: SimHost
  readonly #reactor: SimReactor
  readonly #options: DialOptions
  readonly #deadline: SimEvent
  readonly #timeout: number
  readonly #name: string
  readonly #key: number
  #events = 0
  #random: RandomStream | undefined
  #local: Place = new UNIXAddress('')
  #client: SimConnection | undefined
  #over = false

  constructor(network: Network, from: SimHost, reactor: SimReactor, address: Place, options: DialOptions) {
    this.#network = network
    this.#from = from
    this.#reactor = reactor
    this.address = address
    this.#options = options
    this.#name = `${from.name}>${address}#${from.count(address)}`
    this.#key = keyOf(this.#name)
    this.result = new Deferred<Connection>((_result, reason) => {
      this.#fail(attemptCancelled(address, reason))
    })
    this.#timeout = options.timeout ?? connectTimeout
    this.#deadline = this.#event(this.process, 'program', () =>
      this.#fail(new TCPTimedOutError(address, this.#timeout)),
    )
    from.attempts.add(this)
    this.#begin()
  }

  /** Whether the connection is there, as far as the kernel knows. */
  get answered(): boolean {
    return this.#client !== undefined
  }

  /** Who asks. */
  get process(): SimProcess {
    return this.#reactor.process
  }

  #begin(): void {
    const { timeline } = this.#network
    timeline.schedule(this.#deadline, this.process.now - timeline.now + Math.round(this.#timeout * 1000))
    try {
      const to = this.#find()
      if (!this.#from.opened(this.process, this))
        throw new ConnectError(this.address, 'too many open files (the host has a limit)')
      this.#ask(to, 0)
    } catch (error) {
      this.#soon(this.process, 'program', 0, () => this.#fail(error as ConnectError))
    }
  }

  /** @throws NoRouteError, ConnectBindError */
  #find(): SimHost {
    if (this.address.kind === 'UNIX') return this.#from
    const local = localAddress(this.#from, this.address, this.#options.bindAddress)
    const to = this.#network.hostAt(this.address, this.#from)
    if (to === undefined) throw new NoRouteError(this.address)
    this.#local = local
    this.#from.ports.hold(local.port, this.process)
    return to
  }

  /** The question goes there: the SYN of TCP. */
  #ask(to: SimHost, losses: number): void {
    this.#travel('connect', this.#network.path(this.#from, to), to, losses, {
      arrives: () => this.#asked(to, losses),
      lost: () => this.#askAgain(to, losses),
      reset: () => this.#refuse(to),
    })
  }

  #askAgain(to: SimHost, losses: number): void {
    this.#soon(this.process, 'kernel', 1_000_000 * 2 ** losses, () => {
      if (losses + 1 > mostQuestions) this.#soon(this.process, 'program', 0, () => this.#timesOut())
      else this.#ask(to, losses + 1)
    })
  }

  #asked(to: SimHost, losses: number): void {
    if (this.#over) return
    const port = to.ports.listenerAt(this.address)
    if (port === undefined || port === 'dead') this.#refuse(to, port)
    // Linux says nothing, and expects to be asked again; at a path it says so.
    else if (this.address.kind !== 'UNIX') {
      if (port.isFull) this.#askAgain(to, losses)
      else this.#answer(to, port, losses)
    } else if (!port.isFull) this.#connectAtOnce(to, port)
    else this.#failSoon(new ConnectError(this.address, 'too many connections wait for the server to take them'))
  }

  #refuse(to: SimHost, socket?: 'dead'): void {
    const back = this.#network.path(to, this.#from)
    const nowhere = this.address.kind === 'UNIX' && socket === undefined
    this.#soon(this.process, 'program', back.latency, () =>
      this.#fail(
        nowhere
          ? new ConnectError(this.address, 'there is no such socket (is the server running?)')
          : new ConnectionRefusedError(this.address),
      ),
    )
  }

  /** The answer comes back: the SYN and ACK of TCP; and what it answers goes there once more. */
  #answer(to: SimHost, port: SimPort, losses: number): void {
    const there = this.#network.path(this.#from, to)
    const back = this.#network.path(to, this.#from)
    this.#travel('accept', back, this.#from, losses, {
      arrives: () => {
        if (this.#over) return
        const [near, far] = this.#connect(to, port, there, back)
        this.#confirm(there, to, port, far, 0)
        if (this.process.ready) this.#succeed(near)
        else this.#soon(this.process, 'program', 0, () => this.#succeed(near))
      },
      lost: () => this.#askAgain(to, losses),
      reset: () =>
        this.#failSoon(new ConnectError(this.address, 'the peer reset the connection at once (is it full?)')),
    })
  }

  /** At a path there is no handshake. */
  #connectAtOnce(to: SimHost, port: SimPort): void {
    const path = this.#network.path(to, to)
    const [near, far] = this.#connect(to, port, path, path)
    port.takes(far)
    this.#soon(this.process, 'program', 0, () => this.#succeed(near))
  }

  #confirm(there: Path, to: SimHost, port: SimPort, far: SimConnection, losses: number): void {
    const again = (): void =>
      this.#soon(to.process, 'kernel', 1_000_000, () => {
        if (!far.gone) this.#confirm(there, to, port, far, losses + 1)
      })
    this.#travel('acknowledgement', there, to, losses, {
      arrives: () => {
        if (port.process.dead) far.disown()
        else if (port.isFull) again()
        else port.takes(far)
      },
      lost: again,
      reset: () => {
        far.isReset()
        far.otherEnd.isReset()
      },
    })
  }

  #connect(to: SimHost, port: SimPort, there: Path, back: Path): [near: SimConnection, far: SimConnection] {
    const { timeline, connections } = this.#network
    const local = this.#local
    const from = this.#from
    const near: SimConnection = new SimConnection({
      timeline,
      machine: from,
      reactor: this.#reactor,
      host: local,
      peer: this.address,
      limits: this.#options,
      ended: () => {
        connections.delete(near)
        near.process.descriptors.delete(near)
        if (local.kind !== 'UNIX') from.ports.release(local.port, near.process)
      },
      name: this.#name,
      key: scrambled(this.#key + 1),
    })
    const far = new SimConnection({
      timeline,
      machine: to,
      reactor: port.reactor,
      host: this.address,
      peer: local,
      limits: port.options,
      ended: (connection) => {
        port.process.descriptors.delete(connection)
        port.left(far)
      },
      name: this.#name,
      key: scrambled(this.#key + 2),
    })
    const random = (name: string): RandomStream => this.#network.random(name)
    SimConnection.join(near, far, { there, back, random }, this.#key)
    this.#client = near
    connections.add(near)
    return [near, far]
  }

  /** The program that asked has died. */
  abandon(): void {
    this.#settle()
  }

  #succeed(near: SimConnection): void {
    const { tls } = this.#options
    if (tls === undefined) this.#handOver(near)
    else if (!this.#over) {
      near.shakeHands({ role: 'client', ...tls }).addCallbacks(
        () => this.#handOver(near),
        ({ value }) => this.#fail(value as ConnectError),
      )
    }
  }

  #handOver(near: SimConnection): void {
    if (this.#over) return
    this.#settle()
    this.process.descriptors.delete(this)
    this.process.descriptors.add(near)
    this.result.callback(near)
  }

  #timesOut(): void {
    this.#fail(new TCPTimedOutError(this.address))
  }

  #failSoon(error: ConnectError): void {
    this.#soon(this.process, 'program', 0, () => this.#fail(error))
  }

  #fail(error: ConnectError): void {
    if (this.#over) return
    this.#settle()
    this.process.descriptors.delete(this)
    if (this.#client !== undefined) this.#client.abortConnection()
    else if (this.#local.kind !== 'UNIX') this.#from.ports.release(this.#local.port, this.process)
    trace?.at('conn.fail', this.result, { addr: String(this.address), reason: error.name, p: this.#reactor })
    this.result.errback(error)
  }

  #settle(): void {
    this.#over = true
    this.#network.timeline.cancel(this.#deadline)
    this.#from.attempts.delete(this)
  }

  /** Sends a packet of the handshake to `to`. */
  #travel(
    kind: Packet['kind'],
    path: Path,
    to: SimHost,
    losses: number,
    then: { arrives: () => void; lost: () => void; reset: () => void },
  ): void {
    const { timeline } = this.#network
    const random = (): RandomStream => (this.#random ??= this.#network.random(`connection:${this.#name}:handshake`))
    // The kernel answers at once, and a program asks when it comes to it.
    const departs = kind === 'connect' ? Math.max(timeline.now, this.process.now) : timeline.now
    const arrives = (): void => {
      const fate = path.clear ? 'arrives' : path.fate(kind, this.#name, undefined, losses, random)
      if (fate === 'held') path.whenReleased(() => this.#soon(to.process, 'kernel', 0, arrives))
      else then[fate]()
    }
    this.#soon(to.process, 'kernel', path.arrival(0, departs, random) - timeline.now, arrives)
  }

  #soon(at: SimProcess, of: 'program' | 'kernel', delay: number, happen: () => void): void {
    this.#network.timeline.schedule(this.#event(at, of, happen), delay)
  }

  #event(at: SimProcess, of: 'program' | 'kernel', happen: () => void): SimEvent {
    return new SimEvent(at, of, scrambled(this.#key + 100 + this.#events++), happen)
  }
}

/** @throws NoRouteError, ConnectBindError */
function localAddress(from: SimHost, to: IPAddress, wanted: IPAddress | undefined): IPAddress {
  const source = isLoopback(to) ? ipAddress(to.host) : from.addresses.find(({ kind }) => kind === to.kind)
  if (source === undefined) throw new NoRouteError(to)
  if (wanted !== undefined && !from.ports.has(wanted)) {
    throw new ConnectBindError(to, `cannot start from ${wanted}: it is not an address of ${from.name}`)
  }
  if (wanted !== undefined && wanted.port !== 0 && from.ports.holds(wanted.port)) {
    throw new ConnectBindError(to, `cannot start from ${wanted}: address already in use`)
  }
  const port = wanted === undefined || wanted.port === 0 ? from.ports.freePort() : wanted.port
  if (port === undefined) throw new ConnectBindError(to, `${from.name} has no free port left to start from`)
  return (wanted ?? source).withPort(port)
}
