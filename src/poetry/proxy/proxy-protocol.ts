/**
 * The caching proxy's side of a conversation: gives its client the poem that it has, or will have.
 *
 * The client of a poetry server knows that a poem is whole by how its connection ends, so here too: a poem that cannot
 * be had ends in a reset, never in a clean close. Grammar of calls: `connectionMade readConnectionLost? stopping?
 * connectionLost`. Ancestor: `PoetryProxyProtocol` of krondo's parts 14 and 19.
 */
import { type Deferred, Factory, Protocol } from 'couplet'
import type { PoemCache } from './poem-cache.ts'

/** Says the poem of a cache to one client. What the client sends is ignored. */
export class PoetryProxyProtocol extends Protocol {
  readonly #cache: PoemCache
  #saying: Deferred<void> | undefined
  #said = false

  constructor(cache: PoemCache) {
    super()
    this.#cache = cache
  }

  override connectionMade(): void {
    this.#saying = this.#cache.getPoem().addCallbacks(
      (poem) => {
        this.#said = true
        // In one piece: it is not copied, so that a slow client costs no memory but what the poem has anyway.
        this.transport.write(poem)
        this.transport.loseConnection()
      },
      ({ value }) => this.transport.abortConnection(value instanceof Error ? value : new Error(String(value))),
    )
  }

  /**
   * The client has ended its side. While it waits, that is how leaving looks, and we have nothing to write by which we
   * could find out more; so it counts as that, as it does for nginx (its status 499).
   */
  override readConnectionLost(): void {
    if (this.#said) this.transport.loseConnection()
    else this.transport.abortConnection()
  }

  /** The server closes: a client that waits may wait as long as the server has; a clean close would be an empty poem. */
  override stopping(): void {}

  override connectionLost(): void {
    this.#saying?.cancel()
  }
}

/** Gives every client a conversation of its own, and all of them one cache. */
export class PoetryProxyFactory extends Factory<PoetryProxyProtocol> {
  readonly #cache: PoemCache

  constructor(cache: PoemCache) {
    super()
    this.#cache = cache
  }

  override buildProtocol(): PoetryProxyProtocol {
    return new PoetryProxyProtocol(this.#cache)
  }
}
