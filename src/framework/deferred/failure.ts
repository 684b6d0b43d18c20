/**
 * A Failure is what travels along a Deferred's chain when something went wrong: a box around the error, which keeps
 * an Error that is an ordinary value apart from an error that happened.
 *
 * Ancestor: `twisted.python.failure.Failure`, without its tracebacks: an Error has a `stack`. It exists on the errback
 * rail only; `await`, `connectionLost` and every report get the real error.
 */

let isLookedAtIn: (failure: Failure) => boolean
let lookAtIn: (failure: Failure) => void

/** A class of errors, as `check` and `trap` take it. Abstract ones are welcome. */
export type ErrorClass<E = unknown> = abstract new (...args: never[]) => E

/** What went wrong, on the error rail of a Deferred. */
export class Failure {
  #lookedAt = false
  /** The real error, usually an Error; JavaScript can throw anything, so it may be anything. */
  readonly value: unknown

  static {
    isLookedAtIn = (failure) => failure.#lookedAt
    lookAtIn = (failure) => {
      failure.#lookedAt = true
    }
  }

  /** @param value - what was thrown, or another Failure, whose value this one then shares */
  constructor(value: unknown) {
    this.value = value instanceof Failure ? value.value : value
  }

  /**
   * Asks which of `classes` the error belongs to; subclasses count.
   *
   * @returns the class that matched first, or undefined
   */
  check<C extends readonly ErrorClass[]>(...classes: C): C[number] | undefined {
    return classes.find((one) => this.value instanceof one)
  }

  /**
   * Takes the errors of `classes` and lets every other one go on: an errback that begins with `failure.trap(X)`
   * handles X and nothing else.
   *
   * @returns the class that matched first
   * @throws the real error, if none matched
   */
  trap<C extends readonly ErrorClass[]>(...classes: C): C[number] {
    const matched = this.check(...classes)
    if (matched === undefined) throw this.value
    return matched
  }

  /** The error's message, in one string, whatever the error is. Never throws. */
  getErrorMessage(): string {
    return messageOf(this.value)
  }

  /** As in `Failure: ConnectionDone: the peer closed`. Never throws. */
  toString(): string {
    return `Failure: ${nameOf(this.value)}${messageOf(this.value)}`
  }
}

/** Has somebody looked at this failure, who will hear of it in another way (`await`, an Observable, a report)? */
export function isLookedAt(failure: Failure): boolean {
  return isLookedAtIn(failure)
}

/** Somebody has; so the failure, while it travels on unchanged, is not reported as unhandled. */
export function lookAt(failure: Failure): void {
  lookAtIn(failure)
}

function nameOf(value: unknown): string {
  try {
    return value instanceof Error ? `${value.name}: ` : ''
  } catch {
    return ''
  }
}

function messageOf(value: unknown): string {
  try {
    return String(value instanceof Error ? value.message : value)
  } catch {
    return 'an error that has no message'
  }
}
