/**
 * The errors that a Deferred itself can end in, or throw when a program uses it wrongly.
 *
 * Ancestors: `CancelledError`, `TimeoutError`, `AlreadyCalledError`, `FirstError` and `FailureGroup` of
 * `twisted.internet.defer`. Each has a `name`, a `code` to compare with, and a `cause` where there is one.
 */

import type { Failure } from './failure.ts'

/** A Deferred was cancelled before its result was there. Its `cause` is the reason that was given to `cancel`. */
export class CancelledError extends Error {
  static {
    this.prototype.name = 'CancelledError'
  }
  readonly code: string = 'ERR_CANCELLED'

  constructor(message = 'The Deferred was cancelled', options?: { readonly cause?: unknown }) {
    super(message, options)
  }
}

/**
 * The time that `addTimeout` allowed was over before the result was there. Its `cause` is the CancelledError, or the
 * error caused by one, that it stands for.
 */
export class TimeoutError extends Error {
  static {
    this.prototype.name = 'TimeoutError'
  }
  readonly code = 'ERR_TIMEOUT'
  /** How long was allowed, in milliseconds. */
  readonly ms: number

  constructor(ms: number, options?: { readonly cause?: unknown }) {
    super(`No result within ${ms} ms`, options)
    this.ms = ms
  }
}

/** Thrown at whoever fires a Deferred that has fired before: a Deferred has one result, and the program is wrong. */
export class AlreadyCalledError extends Error {
  static {
    this.prototype.name = 'AlreadyCalledError'
  }
  readonly code = 'ERR_ALREADY_CALLED'

  constructor(message = 'This Deferred has fired before; it has one result only') {
    super(message)
  }
}

/** The first member of a gathering that failed, and which it was. Its `cause` is the member's error. */
export class FirstError extends Error {
  static {
    this.prototype.name = 'FirstError'
  }
  readonly code = 'ERR_FIRST_ERROR'
  /** What the member failed with. */
  readonly subFailure: Failure
  /** The member's place in the list, from 0. */
  readonly index: number

  constructor(subFailure: Failure, index: number) {
    super(`The member at index ${index} failed: ${subFailure.getErrorMessage()}`, { cause: subFailure.value })
    this.subFailure = subFailure
    this.index = index
  }
}

/** Every member failed where one was to succeed. Its `cause` is the first member's error. */
export class FailureGroup extends Error {
  static {
    this.prototype.name = 'FailureGroup'
  }
  readonly code = 'ERR_ALL_FAILED'
  /** What the members failed with, in the order of the list. */
  readonly failures: readonly Failure[]

  constructor(failures: readonly Failure[]) {
    const [first] = failures
    const message =
      first === undefined
        ? 'Without members there is none that can succeed'
        : `All ${failures.length} members failed, the first of them with: ${first.getErrorMessage()}`
    super(message, first === undefined ? undefined : { cause: first.value })
    this.failures = failures
  }
}

/** Thrown by `put`: the queue holds as many values as it may. */
export class QueueOverflow extends Error {
  static {
    this.prototype.name = 'QueueOverflow'
  }
  readonly code = 'ERR_QUEUE_OVERFLOW'

  constructor(size: number) {
    super(`The queue is full: it holds ${size} values, its size`)
  }
}

/** Thrown by `get`: as many wait for a value of the queue as may. */
export class QueueUnderflow extends Error {
  static {
    this.prototype.name = 'QueueUnderflow'
  }
  readonly code = 'ERR_QUEUE_UNDERFLOW'

  constructor(backlog: number) {
    super(`The queue is empty, and ${backlog} are waiting for its values already, its backlog`)
  }
}

/** Cause chains longer than this are somebody's accident; nobody nests gatherings as deeply. */
const longestCauseChain = 16

/**
 * The CancelledError that `error` is, or that caused it; a timeout is more than a cancellation and answers for itself.
 *
 * @returns undefined for anything else
 */
export function cancellationIn(error: unknown): CancelledError | undefined {
  try {
    let link: unknown = error
    for (let steps = 0; steps < longestCauseChain && link instanceof Error; steps++) {
      if (link instanceof CancelledError) return link
      if (link instanceof TimeoutError) return undefined
      link = link.cause
    }
  } catch {
    // A `cause` that throws when it is read says nothing.
  }
  return undefined
}
