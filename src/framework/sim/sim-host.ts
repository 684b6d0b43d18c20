/**
 * A machine of the simulated world: its name, its addresses, its ports, and the reactor of the program that runs on it.
 *
 * No ancestor: Twisted's fakes know one process only.
 */
import { type IPAddress, ipAddress } from '../core/address.ts'
import { CannotListenError } from '../core/errors.ts'
import type { SimPort } from './sim-port.ts'
import { SimReactor } from './sim-reactor.ts'
import type { Timeline } from './timeline.ts'
import type { World } from './world.ts'

/** Where ports begin and end that are given out when any will do (IANA, RFC 6335). */
const firstFree = 49_152
const lastFree = 65_535

export class SimHost {
  readonly name: string
  /** Its addresses, with port 0; the first one of a family is where its connections start from. */
  readonly addresses: readonly IPAddress[]
  /** The outside world as programs on this host see it. */
  readonly reactor: SimReactor
  readonly #listeners = new Map<number, SimPort[]>()
  /** How many listeners and connections hold each port. */
  readonly #uses = new Map<number, number>()
  #nextFree = firstFree

  /** Made by `sim.host`. */
  constructor(world: World, timeline: Timeline, name: string, addresses: readonly IPAddress[]) {
    this.name = name
    this.addresses = addresses
    this.reactor = new SimReactor(world, timeline, this)
  }

  /** Whether `address` is one of this host's, or its loopback. */
  has(address: IPAddress): boolean {
    return isLoopback(address) || this.addresses.some(({ host }) => host === address.host)
  }

  /** The address from which it reaches `to`, if it has one of that kind. */
  sourceFor(to: IPAddress): IPAddress | undefined {
    if (isLoopback(to)) return ipAddress(to.host)
    return this.addresses.find(({ kind }) => kind === to.kind)
  }

  /** Who answers at this address. */
  listenerAt(address: IPAddress): SimPort | undefined {
    return this.#listeners.get(address.port)?.find(({ host }) => covers(host, address))
  }

  /**
   * @returns the address that a new listener is to have: a free port for port 0
   * @throws CannotListenError
   */
  addressToListen(wanted: IPAddress): IPAddress {
    if (!isWildcard(wanted) && !this.has(wanted)) {
      throw new CannotListenError(wanted, `it is not an address of ${this.name} (${this.addresses.join(', ')})`)
    }
    if (wanted.port === 0) {
      const port = this.freePort()
      if (port === undefined) throw new CannotListenError(wanted, `no port from ${firstFree} to ${lastFree} is free`)
      return wanted.withPort(port)
    }
    if (this.#listeners.get(wanted.port)?.some(({ host }) => covers(host, wanted) || covers(wanted, host))) {
      throw new CannotListenError(wanted, 'address already in use (is another server running?)')
    }
    return wanted
  }

  /** `port` answers from now on. */
  addListener(port: SimPort): void {
    const { port: number } = port.host
    this.#listeners.set(number, [...(this.#listeners.get(number) ?? []), port])
    this.hold(number)
  }

  removeListener(port: SimPort): void {
    const { port: number } = port.host
    const left = this.#listeners.get(number)?.filter((other) => other !== port) ?? []
    if (left.length > 0) this.#listeners.set(number, left)
    else this.#listeners.delete(number)
    this.release(number)
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

  hold(port: number): void {
    this.#uses.set(port, (this.#uses.get(port) ?? 0) + 1)
  }

  release(port: number): void {
    const uses = (this.#uses.get(port) ?? 1) - 1
    if (uses > 0) this.#uses.set(port, uses)
    else this.#uses.delete(port)
  }
}

/** 127.0.0.1 and its kin, and ::1. */
export function isLoopback({ host }: IPAddress): boolean {
  return host.startsWith('127.') || host === '::1'
}

function isWildcard({ host }: IPAddress): boolean {
  return host === '0.0.0.0' || host === '::'
}

/** Whether a listener at `one` takes what comes to `other`. As on Linux, `::` takes IPv4 as well. */
function covers(one: IPAddress, other: IPAddress): boolean {
  return one.host === other.host || one.host === '::' || (one.host === '0.0.0.0' && other.kind === 'IPv4')
}
