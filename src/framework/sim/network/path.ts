/**
 * The way from one host to another, in one direction: what it is like now, and what becomes of what travels on it.
 *
 * All connections between the two share it: its bandwidth, and whatever happens to it. No ancestor.
 */
import type { LinkTerms } from './link-options.ts'
import type { Packet, Rule } from './packet.ts'
import type { RandomStream } from '../random-stream.ts'

/** What becomes of a packet. `held` ones are released one day, in order. */
export type Fate = 'arrives' | 'lost' | 'held' | 'reset'

/** Something that makes a path slower for a while. */
export interface Slowness {
  /** The latency and the jitter are so many times what they were. */
  readonly times: number
  /** Bytes a second at most. */
  readonly bandwidth: number
}

export class Path {
  /** The names of the two hosts. */
  readonly from: string
  readonly to: string
  /** What it is like when nothing is wrong. */
  terms: LinkTerms
  readonly #rules: readonly Rule[]
  readonly #slowness: Slowness[] = []
  #partitions = 0
  #holds = 0
  /** Who waits for the release, and is to be asked again then. */
  #held: (() => void)[] = []
  /** When the line has sent all that it was given, in microseconds. */
  #freeAt = 0

  /** @param rules the world's, which may be added to */
  constructor(from: string, to: string, terms: LinkTerms, rules: readonly Rule[]) {
    this.from = from
    this.to = to
    this.terms = terms
    this.#rules = rules
  }

  /** Whether everything arrives, so that nobody needs to ask what becomes of a packet. */
  get clear(): boolean {
    return this.#partitions + this.#holds + this.#rules.length + this.terms.loss === 0
  }

  /** Whether nothing gets through, for now. */
  get partitioned(): boolean {
    return this.#partitions > 0
  }

  /** From one end to the other without jitter, in microseconds. */
  get latency(): number {
    return this.#slowness.length === 0 ? this.terms.latency : this.terms.latency * this.#times
  }

  /**
   * When something arrives that leaves at `departs`, in microseconds.
   *
   * @param chance decides about the jitter; asked only if there is some
   */
  arrival(length: number, departs: number, chance: () => RandomStream): number {
    let { latency, jitter, bandwidth } = this.terms
    if (this.#slowness.length > 0) {
      latency *= this.#times
      jitter *= this.#times
      for (const slow of this.#slowness) bandwidth = Math.min(bandwidth, slow.bandwidth)
    }
    let left = departs
    if (bandwidth !== Infinity) {
      left = Math.max(left, this.#freeAt) + Math.ceil((length * 1e6) / bandwidth)
      this.#freeAt = left
    }
    return left + latency + (jitter === 0 ? 0 : chance().below(jitter + 1))
  }

  /** What becomes of a packet that would arrive now. */
  fate(
    kind: Packet['kind'],
    connection: string,
    bytes: Uint8Array | undefined,
    losses: number,
    chance: () => RandomStream,
  ): Fate {
    if (this.#partitions > 0) return 'lost'
    if (this.#holds > 0) return 'held'
    for (const rule of this.#rules) {
      const verdict = rule({ kind, from: this.from, to: this.to, connection, bytes, losses })
      if (verdict === 'drop') return 'lost'
      if (verdict === 'reset') return 'reset'
      if (verdict === 'pass') return 'arrives'
    }
    return this.terms.loss > 0 && chance().chance(this.terms.loss, 1_000_000) ? 'lost' : 'arrives'
  }

  /** Calls `again` when what is held is released. */
  whenReleased(again: () => void): void {
    this.#held.push(again)
  }

  /* ---------------------------------------------------------------- what may happen to it; each call is undone by its end */

  /** Everything gets lost. */
  partition(): () => void {
    this.#partitions++
    return once(() => this.#partitions--)
  }

  /** Everything waits. */
  hold(): () => void {
    this.#holds++
    return once(() => {
      if (--this.#holds > 0) return
      const held = this.#held
      this.#held = []
      for (const again of held) again()
    })
  }

  /** Everything takes longer. */
  slow(slowness: Slowness): () => void {
    this.#slowness.push(slowness)
    return once(() => this.#slowness.splice(this.#slowness.indexOf(slowness), 1))
  }

  get #times(): number {
    return this.#slowness.reduce((product, { times }) => product * times, 1)
  }
}

/** `end`, which does nothing when it is called again. */
export function once(end: () => unknown): () => void {
  let over = false
  return () => {
    if (over) return
    over = true
    end()
  }
}

/** TCP's patience, in microseconds. */
const firstResend = 200_000
const longestResend = 120_000_000

/** So often a packet may get lost before its connection is given up: it is sent again 15 times, as on Linux. */
export const mostLosses = 16

/** How long a sender waits before it sends again what got lost `losses` times. */
export function resendAfter(losses: number): number {
  return Math.min(firstResend * 2 ** (losses - 1), longestResend)
}
