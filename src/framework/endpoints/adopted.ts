/**
 * Listens on a socket that somebody else has opened and left to us: a program that starts us, systemd above all. It may
 * keep the socket open while servers come and go, so that no client notices.
 *
 * Ancestors: `AdoptedStreamServerEndpoint` and the `systemd` parser of `twisted.internet.endpoints`.
 */
import { DescriptorAddress } from '../core/address.ts'
import { CannotListenError } from '../core/errors.ts'
import type { Factory } from '../core/factory.ts'
import type { ListeningPort } from '../core/listening-port.ts'
import type { ListenOptions, Reactor } from '../core/reactor.ts'
import type { Deferred } from '../deferred/deferred.ts'
import { execute } from '../deferred/wrapping.ts'
import { refuseClientFactory, type ServerEndpoint } from './endpoint.ts'

/** Listens on an open file of this process that is a listening socket, once: stopping the port closes it here. */
export class AdoptedStreamServerEndpoint implements ServerEndpoint {
  readonly #reactor: Reactor
  readonly #descriptor: number
  readonly #options: ListenOptions

  constructor(reactor: Reactor, descriptor: number, options: ListenOptions = {}) {
    this.#reactor = reactor
    this.#descriptor = descriptor
    this.#options = options
  }

  listen(factory: Factory): Deferred<ListeningPort> {
    return execute(() => {
      refuseClientFactory(factory)
      return this.#reactor.listenWith(new DescriptorAddress(this.#descriptor), factory, this.#options)
    })
  }

  toString(): string {
    return String(new DescriptorAddress(this.#descriptor))
  }
}

/** What kind a socket is of, in systemd's and Twisted's words. */
export const socketDomains = ['INET', 'INET6', 'UNIX'] as const
const domainOf: Readonly<Record<string, (typeof socketDomains)[number]>> = { IPv4: 'INET', IPv6: 'INET6', UNIX: 'UNIX' }

/** Which of the sockets that systemd has passed. */
export interface SystemdSocket {
  /** Its place among them, from 0. */
  readonly index?: number | undefined
  /** Its name: `FileDescriptorName=` of the socket's unit, which is the unit's own name unless given. */
  readonly name?: string | undefined
  /** What it has to be; listening fails if it is not. */
  readonly domain?: (typeof socketDomains)[number] | undefined
}

/** Listens on one of the sockets that systemd (or another that speaks its language) has opened for this process. */
export class SystemdServerEndpoint implements ServerEndpoint {
  readonly #reactor: Reactor
  readonly #which: SystemdSocket
  readonly #options: ListenOptions

  /**
   * @param which by its `index` or by its `name`
   */
  constructor(reactor: Reactor, which: SystemdSocket, options: ListenOptions = {}) {
    this.#reactor = reactor
    this.#which = which
    this.#options = options
  }

  listen(factory: Factory): Deferred<ListeningPort> {
    return execute(() => {
      const { descriptor } = this.#find()
      return new AdoptedStreamServerEndpoint(this.#reactor, descriptor, this.#options).listen(factory)
    }).addCallback((port) => {
      const { domain } = this.#which
      const found = domainOf[port.host.kind]
      if (domain === undefined || domain === found) return port
      return port.stopListening().addCallback((): ListeningPort => {
        throw new CannotListenError(String(this), `its domain is ${found}, not ${domain}`)
      })
    })
  }

  toString(): string {
    const { index, name } = this.#which
    return name === undefined ? `systemd:index=${index}` : `systemd:name=${name}`
  }

  #find(): DescriptorAddress {
    const { index, name } = this.#which
    const passed = this.#reactor.inheritedDescriptors()
    const found = name === undefined ? passed.slice(index, index! + 1) : passed.filter((each) => each.name === name)
    const [first] = found
    if (first !== undefined && found.length === 1) return first
    if (found.length > 1) {
      throw new CannotListenError(String(this), `${found.length} sockets have this name (choose one by its index)`)
    }
    const names = passed.map((each) => each.name ?? String(each)).join(', ')
    const why =
      passed.length === 0
        ? 'no sockets were passed to this process (LISTEN_PID has to be its own number: is npm, tsx or a shell in between?)'
        : `it was not passed to this process, which has got ${passed.length}: ${names}`
    throw new CannotListenError(String(this), why)
  }
}
