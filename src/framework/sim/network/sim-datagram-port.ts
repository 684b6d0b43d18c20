/**
 * A port for datagrams on a simulated host: each datagram travels on its own, and nothing is done about what gets lost.
 *
 * Ancestor: `twisted.internet.udp.Port`, the half of it that talks to the socket; `twisted.test.iosim` knows streams only.
 */
import { type IPAddress, ipAddress } from '../../core/address.ts'
import { DatagramPort } from '../../core/datagram-port.ts'
import type { DatagramOptions } from '../../core/datagram-transport.ts'
import { DatagramLost, NoRouteError } from '../../core/errors.ts'
import { Deferred } from '../../deferred/deferred.ts'
import { keyOf, type RandomStream, scrambled } from '../random-stream.ts'
import type { SimHost } from '../sim-host.ts'
import type { SimProcess } from '../sim-process.ts'
import type { SimReactor } from '../sim-reactor.ts'
import { SimEvent } from '../timeline.ts'
import type { Network } from './network.ts'
import type { Packet } from './packet.ts'
import type { Path } from './path.ts'
import { isLoopback, isWildcard } from './port-table.ts'

/** So many bytes wait in a kernel for a program that is slow to take them, as on Linux; the rest is lost. */
const receiveBuffer = 212_992
/** Late is at least up to so much, in microseconds. */
const leastLate = 10_000

export class SimDatagramPort extends DatagramPort {
  /** Nothing waits to be sent: what a wire has no room for is lost. */
  readonly queued = 0
  readonly process: SimProcess
  readonly #network: Network
  readonly #machine: SimHost
  readonly #owner: SimReactor
  readonly #name: string
  readonly #key: number
  readonly #reads: SimEvent
  readonly #unread: { datagram: Uint8Array; from: IPAddress }[] = []
  #unreadSize = 0
  #events = 0
  #random: RandomStream | undefined

  constructor(network: Network, machine: SimHost, reactor: SimReactor, host: IPAddress, options: DatagramOptions) {
    super(reactor, host, options)
    this.#network = network
    this.#machine = machine
    this.#owner = reactor
    this.process = reactor.process
    this.#name = `${machine.name}:${host}#${machine.count(host)}`
    this.#key = keyOf(`datagrams:${this.#name}`)
    this.#reads = this.#event(this.process, 'program', () => this.#read())
    machine.datagramPorts.addListener(this)
    this.process.descriptors.add(this)
  }

  /** Bytes that have arrived and were not read. */
  get unread(): number {
    return this.#unreadSize
  }

  protected override send(datagram: Uint8Array, wanted: IPAddress | undefined): void {
    const to = wanted ?? this.peer
    if (to === undefined || this.process.dead) return
    const target = this.#network.hostAt(to, this.#machine)
    const from = this.#sourceFor(to)
    if (target === undefined || from === undefined) {
      this.lost(new DatagramLost(to, 'no route to this address (is the network up?)'))
      return
    }
    const path = this.#network.path(this.#machine, target)
    const { duplicates, longestDatagram } = path.terms
    if (datagram.length > longestDatagram) return
    const copies = duplicates > 0 && this.#chance().chance(duplicates, 1_000_000) ? 2 : 1
    for (let copy = 0; copy < copies; copy++) {
      // Whoever wrote it may use its memory again, and whoever gets it may keep it.
      const bytes = datagram.slice()
      this.#travel('datagram', path, target, `${from}>${to}`, bytes, {
        arrives: () => {
          const port = target.datagramPorts.listenerAt(to)
          // One of IPv6 takes no IPv4 here.
          if (port === undefined || port === 'dead' || port.host.kind !== to.kind) this.#bounce(target, to)
          else port.takes(bytes, from)
        },
        refused: () => this.#bounce(target, to),
      })
    }
  }

  /** Nobody listens there, and the kernel of that host says so (ICMP): whoever is connected to there hears it. */
  #bounce(target: SimHost, to: IPAddress): void {
    const hears = (): void => {
      const { peer } = this
      if (peer === undefined || peer.host !== to.host || peer.port !== to.port) return
      this.refused(new DatagramLost(to, 'nobody listens there (is the server running?)'))
    }
    const back = this.#network.path(target, this.#machine)
    const told = { arrives: () => this.#soon(this.process, 'program', 0, hears), refused: () => {} }
    this.#travel('unreachable', back, this.#machine, `${to}>${this.host}`, undefined, told)
  }

  /** A datagram has reached this host's kernel. */
  takes(datagram: Uint8Array, from: IPAddress): void {
    if (this.process.ready && this.#unread.length === 0) {
      this.#hear(datagram, from)
    } else if (this.#unreadSize + datagram.length <= receiveBuffer) {
      this.#unread.push({ datagram, from })
      this.#unreadSize += datagram.length
      if (!this.#reads.due) this.#network.timeline.schedule(this.#reads)
    }
  }

  protected override connectTo(peer: IPAddress): Deferred<IPAddress> {
    const connected = new Deferred<IPAddress>()
    const isReached = this.#network.hostAt(peer, this.#machine) !== undefined && this.#sourceFor(peer) !== undefined
    this.#owner.inLaterEvent(() => {
      if (isReached) connected.callback(peer)
      else connected.errback(new NoRouteError(peer))
    })
    return connected
  }

  protected override close(): void {
    this.#machine.datagramPorts.removeListener(this)
    this.process.descriptors.delete(this)
    this.#unread.length = this.#unreadSize = 0
    this.#network.timeline.cancel(this.#reads)
    this.#owner.inLaterEvent(() => this.closed())
  }

  #read(): void {
    const first = this.#unread.shift()
    if (first === undefined) return
    this.#unreadSize -= first.datagram.length
    if (this.#unread.length > 0) this.#network.timeline.schedule(this.#reads)
    this.#hear(first.datagram, first.from)
  }

  #hear(datagram: Uint8Array, from: IPAddress): void {
    this.#network.timeline.fold(datagram.length)
    this.received(datagram, from)
  }

  /** What a datagram from here to there says of its sender. */
  #sourceFor(to: IPAddress): IPAddress | undefined {
    const { host } = this
    if (!isWildcard(host)) return isLoopback(host) && !isLoopback(to) ? undefined : host
    const source = isLoopback(to) ? ipAddress(to.host) : this.#machine.addresses.find(({ kind }) => kind === to.kind)
    return source && ipAddress(source.host, host.port, 'UDP')
  }

  #travel(
    kind: Packet['kind'],
    path: Path,
    to: SimHost,
    name: string,
    bytes: Uint8Array | undefined,
    then: { arrives: () => void; refused: () => void },
  ): void {
    const { timeline } = this.#network
    const departs = kind === 'datagram' ? this.process.now : timeline.now
    const due = path.arrival(bytes?.length ?? 0, departs, this.#chance) + this.#lateness(path)
    const arrives = (): void => {
      const fate = path.clear ? 'arrives' : path.fate(kind, name, bytes, 0, this.#chance)
      if (fate === 'held') path.whenReleased(() => this.#soon(to.process, 'kernel', 0, arrives))
      else if (fate === 'arrives') then.arrives()
      else if (fate === 'reset') then.refused()
    }
    this.#soon(to.process, 'kernel', due - timeline.now, arrives)
  }

  /** Some are late, so that others overtake them. */
  #lateness({ terms: { stragglers }, latency }: Path): number {
    if (stragglers === 0 || !this.#chance().chance(stragglers, 1_000_000)) return 0
    return this.#chance().below(Math.max(leastLate, 3 * latency))
  }

  readonly #chance = (): RandomStream => (this.#random ??= this.#network.random(`datagrams:${this.#name}`))

  #soon(at: SimProcess, of: 'program' | 'kernel', delay: number, happen: () => void): void {
    this.#network.timeline.schedule(this.#event(at, of, happen), delay)
  }

  #event(at: SimProcess, of: 'program' | 'kernel', happen: () => void): SimEvent {
    return new SimEvent(at, of, scrambled(this.#key + this.#events++), happen)
  }
}
