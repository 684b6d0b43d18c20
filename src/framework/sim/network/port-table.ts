/**
 * Which ports and paths of a host are in use, and who listens there.
 *
 * No ancestor: it is what a kernel keeps.
 */
import type { IPAddress, UNIXAddress } from '../../core/address.ts'
import { toBytes } from '../../core/bytes.ts'
import { CannotListenError } from '../../core/errors.ts'
import type { SimProcess } from '../sim-process.ts'

/** Where sockets can be. */
export type Place = IPAddress | UNIXAddress

/** Where ports begin and end that are given out when any will do (IANA, RFC 6335). */
const firstFree = 49_152
const lastFree = 65_535
/** So many bytes fit into the address of a UNIX socket on Linux, the zero at its end left out. */
const longestPath = 107

/** Something that is open at a place, and whose it is. */
export interface Placed {
  readonly host: Place
  readonly process: SimProcess
}

/** The ports of one kind (TCP and paths, or UDP), which know nothing of those of another. */
export class PortTable<Port extends Placed> {
  readonly #owner: string
  readonly #addresses: readonly IPAddress[]
  readonly #listeners = new Map<number, Port[]>()
  /** The sockets of the file system; one whose server has died is still there. */
  readonly #paths = new Map<string, Port | 'dead'>()
  /** Who holds each port: the process of every listener and connection. */
  readonly #uses = new Map<number, SimProcess[]>()
  #nextFree = firstFree

  /** @param addresses those of the host that is called `owner` */
  constructor(owner: string, addresses: readonly IPAddress[]) {
    this.#owner = owner
    this.#addresses = addresses
  }

  /** Whether `address` is one of this host's, or its loopback. */
  has(address: IPAddress): boolean {
    return isLoopback(address) || this.#addresses.some(({ host }) => host === address.host)
  }

  /** Who answers there: a dead socket is one that was left behind. */
  listenerAt(place: Place): Port | 'dead' | undefined {
    if (place.kind === 'UNIX') return this.#paths.get(place.path)
    return this.#listeners.get(place.port)?.find(({ host }) => host.kind !== 'UNIX' && covers(host, place))
  }

  /** Everybody who listens. */
  listeners(): Port[] {
    const all: Port[] = []
    for (const ports of this.#listeners.values()) all.push(...ports)
    for (const port of this.#paths.values()) if (port !== 'dead') all.push(port)
    return all
  }

  /**
   * @returns the address that a new listener is to have: a free port for port 0
   * @throws CannotListenError
   */
  addressToListen(wanted: Place): Place {
    if (wanted.kind === 'UNIX') return this.#pathToListen(wanted)
    if (!isWildcard(wanted) && !this.has(wanted)) {
      throw new CannotListenError(wanted, `it is not an address of ${this.#owner} (${this.#addresses.join(', ')})`)
    }
    if (wanted.port === 0) {
      const port = this.freePort()
      if (port === undefined) throw new CannotListenError(wanted, `no port from ${firstFree} to ${lastFree} is free`)
      return wanted.withPort(port)
    }
    const others = this.#listeners.get(wanted.port) ?? []
    if (others.some(({ host }) => host.kind !== 'UNIX' && (covers(host, wanted) || covers(wanted, host)))) {
      throw new CannotListenError(wanted, 'address already in use (is another server running?)')
    }
    return wanted
  }

  /** `port` answers from now on. */
  addListener(port: Port): void {
    const { host } = port
    if (host.kind === 'UNIX') {
      this.#paths.set(host.path, port)
    } else {
      this.#listeners.set(host.port, [...(this.#listeners.get(host.port) ?? []), port])
      this.hold(host.port, port.process)
    }
  }

  removeListener(port: Port): void {
    const { host } = port
    if (host.kind === 'UNIX') {
      if (this.#paths.get(host.path) === port) this.#paths.delete(host.path)
      return
    }
    const left = this.#listeners.get(host.port)?.filter((other) => other !== port) ?? []
    if (left.length > 0) this.#listeners.set(host.port, left)
    else this.#listeners.delete(host.port)
    this.release(host.port, port.process)
  }

  /** A port that nobody holds, always the same in the same world; `undefined` if all are taken. */
  freePort(): number | undefined {
    for (let tries = firstFree; tries <= lastFree; tries++) {
      const port = this.#nextFree
      this.#nextFree = port === lastFree ? firstFree : port + 1
      if (!this.holds(port)) return port
    }
    return undefined
  }

  /** Whether a listener or a connection has this port. */
  holds(port: number): boolean {
    return this.#uses.has(port)
  }

  hold(port: number, process: SimProcess): void {
    const uses = this.#uses.get(port)
    if (uses === undefined) this.#uses.set(port, [process])
    else uses.push(process)
  }

  release(port: number, process: SimProcess): void {
    const uses = this.#uses.get(port) ?? []
    const index = uses.indexOf(process)
    if (index >= 0) uses.splice(index, 1)
    if (uses.length === 0) this.#uses.delete(port)
  }

  /** This process has died: its ports are free, and its sockets of the file system are left behind. */
  abandon(process: SimProcess): void {
    keepOthers(this.#listeners, (port) => port.process !== process)
    keepOthers(this.#uses, (holder) => holder !== process)
    for (const [path, port] of this.#paths) {
      if (port !== 'dead' && port.process === process) this.#paths.set(path, 'dead')
    }
  }

  #pathToListen(wanted: UNIXAddress): UNIXAddress {
    const { path } = wanted
    const length = toBytes(path).length
    if (length === 0) throw new CannotListenError(wanted, 'the path is empty')
    if (length > longestPath) {
      const most = `the path of a socket has ${longestPath} bytes at most`
      throw new CannotListenError(wanted, `${most}, this one has ${length} (use a shorter directory)`)
    }
    const there = this.#paths.get(path)
    if (there === undefined || there === 'dead') return wanted
    throw new CannotListenError(wanted, 'somebody listens at this path (is the server running already?)')
  }
}

function keepOthers<T>(lists: Map<number, T[]>, isOther: (one: T) => boolean): void {
  for (const [key, list] of lists) {
    const others = list.filter(isOther)
    if (others.length > 0) lists.set(key, others)
    else lists.delete(key)
  }
}

/** 127.0.0.1 and its kin, and ::1. */
export function isLoopback({ host }: IPAddress): boolean {
  return host.startsWith('127.') || host === '::1'
}

/** 0.0.0.0 and ::. */
export function isWildcard({ host }: IPAddress): boolean {
  return host === '0.0.0.0' || host === '::'
}

/** Whether a listener at `one` takes what comes to `other`. As on Linux, `::` takes IPv4 as well. */
function covers(one: IPAddress, other: IPAddress): boolean {
  return one.host === other.host || one.host === '::' || (one.host === '0.0.0.0' && other.kind === 'IPv4')
}
