/**
 * Turns what is here already, or what a function gives, into a Deferred.
 *
 * Ancestor: `succeed`, `fail`, `execute`, `maybeDeferred` and `logError` of `twisted.internet.defer`.
 */

import { type About, asFailure, Deferred, settle } from './deferred.ts'
import { type Failure, lookAt } from './failure.ts'
import { report } from './reporter.ts'

const bySucceed: About = { how: 'succeed' }

/**
 * A Deferred that has fired with `value`.
 *
 * @throws TypeError if that is a Deferred or a promise
 */
export function succeed(): Deferred<void>
export function succeed<T>(value: T): Deferred<T>
export function succeed(value?: unknown): Deferred<unknown> {
  const deferred = new Deferred<unknown>(undefined, bySucceed)
  deferred.callback(value)
  return deferred
}

/** A Deferred that has failed with `reason`: an Error, a Failure, or anything else that went wrong. */
export function fail(reason: unknown): Deferred<never> {
  const deferred = new Deferred<never>(undefined, bySucceed)
  deferred.errback(reason)
  return deferred
}

/**
 * Calls `f` now: a fresh Deferred with what it returned or threw. If that is a Deferred or a promise, the fresh one
 * waits for it.
 */
export function execute<U>(f: () => U | PromiseLike<U>): Deferred<U>
export function execute<U>(f: () => U): Deferred<Awaited<U>>
export function execute(f: () => unknown): Deferred<unknown> {
  const deferred = new Deferred<unknown>()
  settle(deferred, attempt(f))
  return deferred
}

/**
 * Calls `f` now, which may or may not be asynchronous: the Deferred that it returned itself, or one with the value it
 * returned, the error it threw, or the outcome of the promise it returned.
 */
export function maybeDeferred<U>(f: () => U | PromiseLike<U>): Deferred<U>
export function maybeDeferred<U>(f: () => U): Deferred<Awaited<U>>
export function maybeDeferred(f: () => unknown): Deferred<unknown> {
  const result = attempt(f)
  if (result instanceof Deferred) return result
  const deferred = new Deferred<unknown>(undefined, bySucceed)
  settle(deferred, result)
  return deferred
}

/**
 * An errback that reports the failure and hands it on; since it is reported, it is not reported as unhandled.
 *
 * @example d.addErrback(logError)
 */
export function logError(failure: Failure): Failure {
  lookAt(failure)
  report({ error: failure.value, what: 'Failure in a Deferred', subject: undefined })
  return failure
}

function attempt(f: () => unknown): unknown {
  try {
    return f()
  } catch (error) {
    return asFailure(error)
  }
}
