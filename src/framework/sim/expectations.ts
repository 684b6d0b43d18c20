/**
 * What is expected of a simulated world: what always holds, and what comes true in the end.
 *
 * No ancestor; in the words of those who prove programs: safety, and liveness.
 */

/** Something that should always hold did not, after some event. */
export class InvariantBroken extends Error {
  static {
    this.prototype.name = 'InvariantBroken'
  }
  readonly code: string = 'ERR_INVARIANT_BROKEN'
  /** Which one. */
  readonly invariant: string

  constructor(invariant: string, now: number, what: string, options?: ErrorOptions) {
    super(`at ${now} ms, "${invariant}" does not hold: ${what}`, options)
    this.invariant = invariant
  }
}

/** Something that should come true once everything is well again did not. */
export class PromiseBroken extends Error {
  static {
    this.prototype.name = 'PromiseBroken'
  }
  readonly code: string = 'ERR_PROMISE_BROKEN'

  constructor(now: number, what: string, explanation: string) {
    super(`at ${now} ms, although everything is well again, ${what}\n${explanation}`)
  }
}

/** Says what is wrong, or nothing if it holds; or throws. */
export type Invariant = () => string | undefined | void

interface Promised {
  readonly name: string
  readonly came: () => boolean
  readonly within: number
}

export class Expectations {
  readonly #invariants: { readonly name: string; readonly holds: Invariant }[] = []
  /** What has not come true yet. */
  #promised: Promised[] = []
  #healedAt: number | undefined

  addInvariant(name: string, holds: Invariant): void {
    this.#invariants.push({ name, holds })
  }

  addPromise(name: string, came: () => boolean, within: number): void {
    this.#promised.push({ name, came, within })
  }

  /** From now on, in milliseconds, promises have to be kept. */
  healed(now: number): void {
    this.#healedAt ??= now
  }

  /** @throws InvariantBroken */
  checkInvariants(now: number): void {
    for (const { name, holds } of this.#invariants) {
      let wrong: string | undefined | void
      let cause: unknown
      try {
        wrong = holds()
      } catch (error) {
        wrong = error instanceof Error ? error.message : String(error)
        cause = error
      }
      if (wrong !== undefined) throw new InvariantBroken(name, now, wrong, { cause })
    }
  }

  /** What is late by now, as a sentence. What has come true is no promise any more. */
  late(now: number): string | undefined {
    if (this.#promised.length === 0) return undefined
    const healedAt = this.#healedAt ?? now
    const late = this.#promised.find(({ within }) => now > healedAt + within)
    if (late === undefined) this.#promised = this.#promised.filter(({ came }) => !came())
    return late && `"${late.name}" has not come true within ${late.within} ms`
  }

  /** What has not come true and, since nothing is left to happen, never will. */
  never(): string | undefined {
    const [first] = this.#promised
    return first && `nothing is left to happen, and "${first.name}" is not true`
  }
}
