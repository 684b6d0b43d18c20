/**
 * A poem that is fetched once, however many ask for it, and kept: the Deferred that one gets may have fired already, may
 * fire later, or may fail, and one does not have to know which.
 *
 * Ancestor: `ProxyService` of krondo's part 14, which fetched once for each client that came before the first poem did,
 * and took what had come of a poem that broke off for the poem.
 */
import { type Clock, Deferred, execute, succeed } from 'couplet'

/** How a {@link PoemCache} keeps. */
export interface PoemCacheOptions {
  /** Milliseconds for which a poem is good; the next one to ask after that has it fetched again. For ever unless given. */
  readonly maxAge?: number | undefined
}

/** One fetch, and those who wait for it. */
interface Fetch {
  readonly waiting: Set<Deferred<Uint8Array>>
  work: Deferred<void> | undefined
}

/** Keeps one poem. A failure is told to all who wait for it, and not kept: the next one to ask has it fetched anew. */
export class PoemCache {
  readonly #clock: Clock
  readonly #fetchPoem: () => Deferred<Uint8Array>
  readonly #maxAge: number
  #kept: { readonly poem: Uint8Array; readonly at: number } | undefined
  #fetch: Fetch | undefined

  /**
   * @param fetchPoem fetches it; a fetch that nobody waits for any more is cancelled
   * @throws RangeError unless the age is 0 or more milliseconds
   */
  constructor(clock: Clock, fetchPoem: () => Deferred<Uint8Array>, { maxAge = Infinity }: PoemCacheOptions = {}) {
    if (!(maxAge >= 0)) throw new RangeError(`an age is 0 or more milliseconds, not ${maxAge}`)
    this.#clock = clock
    this.#fetchPoem = fetchPoem
    this.#maxAge = maxAge
  }

  /** How many wait for the poem. */
  get waiting(): number {
    return this.#fetch?.waiting.size ?? 0
  }

  /**
   * The poem, now or later. Cancelling it leaves the others alone; the last one to cancel ends the fetch.
   *
   * @returns a fresh Deferred each time; its bytes are shared, so do not change them. Fails as the fetch did
   */
  getPoem(): Deferred<Uint8Array> {
    const kept = this.#kept
    if (kept !== undefined && this.#clock.now() - kept.at < this.#maxAge) return succeed(kept.poem)
    const fetch = (this.#fetch ??= { waiting: new Set(), work: undefined })
    const asked: Deferred<Uint8Array> = new Deferred<Uint8Array>(() => this.#leave(fetch, asked))
    fetch.waiting.add(asked)
    fetch.work ??= this.#start(fetch)
    return asked
  }

  #start(fetch: Fetch): Deferred<void> {
    return execute(this.#fetchPoem).addCallbacks(
      (poem) => {
        this.#kept = { poem, at: this.#clock.now() }
        this.#settle(fetch, (asked) => asked.callback(poem))
      },
      ({ value }) => this.#settle(fetch, (asked) => asked.errback(value)),
    )
  }

  #settle(fetch: Fetch, tell: (asked: Deferred<Uint8Array>) => void): void {
    // First of all: whoever is told may ask again, and that is another fetch.
    this.#forget(fetch)
    for (const asked of fetch.waiting) {
      fetch.waiting.delete(asked)
      tell(asked)
    }
  }

  #leave(fetch: Fetch, asked: Deferred<Uint8Array>): void {
    if (!fetch.waiting.delete(asked) || fetch.waiting.size > 0) return
    // Whoever asks from now on, even while this one is being given up, does not get its failure.
    this.#forget(fetch)
    fetch.work?.cancel()
  }

  #forget(fetch: Fetch): void {
    if (this.#fetch === fetch) this.#fetch = undefined
  }
}
