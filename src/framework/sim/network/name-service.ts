/**
 * The names of the simulated world, and what becomes of whoever looks one up.
 *
 * No ancestor; `MemoryReactor` has `lookups`.
 */
import { type IPAddress, IPv4Address, ipAddress } from '../../core/address.ts'
import { DNSLookupError } from '../../core/errors.ts'
import { once } from './path.ts'

/**
 * What a look-up gives: addresses in the order in which to try them; `unknown`, no such name; `unavailable`, the name
 * server says that it cannot say; `silent`, no answer at all.
 */
export type NameAnswer = readonly string[] | 'unknown' | 'unavailable' | 'silent'

/** An answer that was found: addresses, an error, or none ever. */
export type Found = readonly IPAddress[] | DNSLookupError | undefined

const localhost: readonly IPAddress[] = [new IPv4Address('TCP', '127.0.0.1', 0)]

export class NameService {
  readonly #hosts = new Map<string, readonly IPAddress[]>()
  readonly #answers = new Map<string, NameAnswer>()

  /** Answers that somebody gives for a while, the latest last. */
  readonly #troubles: { readonly name: string; readonly answer: NameAnswer }[] = []

  /** A host has a name of its own. */
  add(name: string, addresses: readonly IPAddress[]): void {
    this.#hosts.set(name.toLowerCase(), addresses)
  }

  /**
   * From now on this is the answer for `name`; `undefined` restores what the world itself would say.
   *
   * @throws RangeError if one of the addresses is none
   */
  answer(name: string, answer: NameAnswer | undefined): void {
    if (answer === undefined) this.#answers.delete(name.toLowerCase())
    else this.#answers.set(name.toLowerCase(), checked(name, answer))
  }

  /** For a while this is the answer, whatever else it would be. @returns a function that ends it */
  afflict(name: string, answer: NameAnswer): () => void {
    const trouble = { name: name.toLowerCase(), answer: checked(name, answer) }
    this.#troubles.push(trouble)
    return once(() => this.#troubles.splice(this.#troubles.indexOf(trouble), 1))
  }

  /** What somebody who asks for `name` now is told. */
  lookUp(name: string): Found {
    const lower = name.toLowerCase()
    const answer = this.#troubles.findLast((trouble) => trouble.name === lower)?.answer ?? this.#answers.get(lower)
    if (answer === 'silent') return undefined
    if (answer === 'unavailable') {
      return new DNSLookupError(name, 'no name server answered (is the network up? it may work later)')
    }
    if (answer === 'unknown') return new DNSLookupError(name)
    if (answer !== undefined) return answer.flatMap((text) => ipAddress(text) ?? [])
    const own = lower === 'localhost' ? localhost : this.#hosts.get(lower)
    return own ?? new DNSLookupError(name)
  }
}

function checked(name: string, answer: NameAnswer): NameAnswer {
  const wrong = typeof answer === 'string' ? undefined : answer.find((text) => ipAddress(text) === undefined)
  if (wrong === undefined) return answer
  throw new RangeError(`the answer for ${name} is a list of IP addresses, and ${wrong} is not one`)
}
