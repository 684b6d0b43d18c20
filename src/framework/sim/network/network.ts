/**
 * The network of a simulated world: which hosts there are, what lies between them, and what is connected now.
 *
 * No ancestor. Hosts ask it for everything that is not their own.
 */
import type { IPAddress } from '../../core/address.ts'
import { RandomStream } from '../random-stream.ts'
import type { SimHost } from '../sim-host.ts'
import type { Timeline } from '../timeline.ts'
import { linkTerms, type LinkTerms } from './link-options.ts'
import { NameService } from './name-service.ts'
import type { Rule } from './packet.ts'
import { Path } from './path.ts'
import { isLoopback } from './port-table.ts'
import type { SimConnection } from './sim-connection.ts'

export class Network {
  readonly timeline: Timeline
  /** When the world began, in milliseconds since 1970. */
  readonly epoch: number
  readonly names = new NameService()
  /** What a test wants to happen to packets. */
  readonly rules: Rule[] = []
  /** The connections that are open or opening: the ends of those who dialed, oldest first. */
  readonly connections = new Set<SimConnection>()
  readonly #seed: number | string
  readonly #terms: LinkTerms
  readonly #hosts = new Map<string, SimHost>()
  readonly #owners = new Map<string, SimHost>()
  readonly #paths = new Map<string, Path>()

  constructor(timeline: Timeline, seed: number | string, epoch: number, terms: LinkTerms) {
    this.timeline = timeline
    this.epoch = epoch
    this.#seed = seed
    this.#terms = terms
  }

  /** All hosts, in the order in which they came. */
  get hosts(): readonly SimHost[] {
    return [...this.#hosts.values()]
  }

  /** A host comes, whose name and addresses are nobody else's. */
  add(host: SimHost): void {
    this.#hosts.set(host.name.toLowerCase(), host)
    this.names.add(host.name, host.addresses)
    for (const address of host.addresses) this.#owners.set(address.host, host)
  }

  hostNamed(name: string): SimHost | undefined {
    return this.#hosts.get(name.toLowerCase())
  }

  /** Whose address this is. */
  owner(address: string): SimHost | undefined {
    return this.#owners.get(address)
  }

  /** Whose address this is, seen from `from`. */
  hostAt(address: IPAddress, from: SimHost): SimHost | undefined {
    return isLoopback(address) ? from : this.#owners.get(address.host)
  }

  /** The stream of numbers with this name. */
  random(name: string): RandomStream {
    return new RandomStream(this.#seed, name)
  }

  /** All ways from and to a host, but not the one to itself. */
  pathsOf(host: SimHost): Path[] {
    const others = this.hosts.filter((other) => other !== host)
    return others.flatMap((other) => [this.path(host, other), this.path(other, host)])
  }

  /** The way from one host to the other, which all of their connections share. */
  path(from: SimHost, to: SimHost): Path {
    const name = `${from.name}>${to.name}`
    let path = this.#paths.get(name)
    if (path === undefined) {
      // A host reaches itself at once and loses nothing; that its programs are slow to read is another matter.
      const own = { latency: 0, jitter: 0, bandwidth: Infinity, loss: 0, duplicates: 0, stragglers: 0 }
      const terms = from === to ? linkTerms(own, this.#terms) : this.#terms
      path = new Path(from.name, to.name, terms, this.rules)
      this.#paths.set(name, path)
    }
    return path
  }
}
