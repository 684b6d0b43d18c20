/**
 * What lies between two hosts, in both directions, and what a test does to it.
 *
 * No ancestor; the words are those of tokio's turmoil and Shopify's toxiproxy.
 */
import { trace } from '../../trace/hook.ts'
import { type LinkOptions, linkTerms } from './link-options.ts'
import type { Path } from './path.ts'

/** How a link gets slower. */
export interface SlowOptions {
  /** So many times the latency and the jitter. 1 unless given. */
  readonly times?: number
  /** Bytes a second at most. */
  readonly bandwidth?: number
}

/**
 * @example
 * sim.link('client', 'server').set({ latency: 40, loss: 2 })
 * const repair = sim.link('client', 'server').partition()
 * sim.advance(60_000)
 * repair()
 */
export class Link {
  readonly #paths: readonly Path[]
  readonly #begun: (end: () => void) => () => void

  /**
   * Made by `sim.link`.
   *
   * @param begun is told of what ends something that has happened to it, and returns what ends it for good
   */
  constructor(paths: readonly Path[], begun: (end: () => void) => () => void) {
    this.#paths = paths
    this.#begun = begun
  }

  /** Only the direction from the host that was named first to the other. */
  get oneWay(): Link {
    return new Link(this.#paths.slice(0, 1), this.#begun)
  }

  /**
   * Makes the link so from now on; what is left out stays as it is.
   *
   * @throws RangeError if an option cannot be
   */
  set(options: LinkOptions): void {
    for (const path of this.#paths) path.terms = linkTerms(options, path.terms)
  }

  /**
   * Everything gets lost, also what is on its way. Connections stay, and go on when TCP sends again; a reset is lost for
   * good.
   *
   * @returns a function that ends it
   */
  partition(): () => void {
    return this.#begin('partition', (path) => path.partition())
  }

  /** Everything waits, and arrives in its order at the end of it. @returns a function that ends it */
  hold(): () => void {
    return this.#begin('hold', (path) => path.hold())
  }

  /** Everything takes longer. @returns a function that ends it */
  slow({ times = 1, bandwidth = Infinity }: SlowOptions): () => void {
    if (!(Number.isInteger(times) && times >= 1)) {
      throw new RangeError(`a link gets slower by a whole number of times, not ${times}`)
    }
    if (!(bandwidth >= 1)) throw new RangeError(`a bandwidth is 1 or more bytes a second, not ${bandwidth}`)
    return this.#begin('slow', (path) => path.slow({ times, bandwidth }))
  }

  #begin(what: string, begin: (path: Path) => () => void): () => void {
    const ends = this.#paths.map(begin)
    const names = this.#paths.map(({ from, to }) => `${from}>${to}`).join(' ')
    trace?.at('fault', this, { what, link: names })
    return this.#begun(() => {
      trace?.at('fault', this, { what: `end of ${what}`, link: names })
      for (const end of ends) end()
    })
  }
}
