/**
 * What a test asks a Deferred: the result that must be there now. Nothing waits, because Deferreds are synchronous.
 *
 * They know no test runner: what is wrong is thrown as an Error. Ancestor: `successResultOf`, `failureResultOf` and
 * `assertNoResult` of `twisted.trial.unittest`.
 */
import type { Deferred } from '../deferred/deferred.ts'
import { Failure, type ErrorClass } from '../deferred/failure.ts'

/**
 * The value that `deferred` has now. It keeps it; so it can be asked again, and callbacks can be added.
 *
 * @throws Error if it has not fired, waits for something, or has failed (the failure is its `cause`, and handled)
 */
export function successResultOf<T>(deferred: Deferred<T>): T {
  const { state, result } = look(deferred)
  if (result === undefined) throw new Error(`A success was expected, but there is no result yet: ${state}`)
  if (!(result.value instanceof Failure)) return result.value
  throw new Error(`A success was expected: ${state}`, { cause: result.value.value })
}

/**
 * The failure that `deferred` has now. It is handled by that: the Deferred goes on with undefined.
 *
 * @param classes what the error must be one of, if any is given
 * @throws Error if it has not fired, waits for something, has succeeded, or failed with another error
 */
export function failureResultOf(deferred: Deferred<unknown>, ...classes: readonly ErrorClass[]): Failure {
  const expected = classes.length === 0 ? 'A failure' : `A failure with ${classes.map(({ name }) => name).join(' or ')}`
  const { state, result } = look(deferred)
  if (result === undefined) throw new Error(`${expected} was expected, but there is no result yet: ${state}`)
  const { value } = result
  if (!(value instanceof Failure)) throw new Error(`${expected} was expected, but it succeeded: ${state}`)
  if (classes.length === 0 || value.check(...classes) !== undefined) return value
  throw new Error(`${expected} was expected: ${state}`, { cause: value.value })
}

/**
 * Makes sure that `deferred` has no result yet. It can be used as before.
 *
 * @throws Error if it has succeeded or failed (a failure is the error's `cause`, and handled)
 */
export function assertNoResult(deferred: Deferred<unknown>): void {
  const { state, result } = look(deferred)
  if (result === undefined) return
  const cause = result.value instanceof Failure ? { cause: result.value.value } : undefined
  throw new Error(`No result was expected, but there is one: ${state}`, cause)
}

interface Look<T> {
  /** The Deferred in words, as it was found. */
  readonly state: string
  readonly result: { readonly value: T | Failure } | undefined
}

/** What there is now, if there is something. A value stays on the chain, a failure is taken off. */
function look<T>(deferred: Deferred<T>): Look<T> {
  const state = String(deferred)
  let asking = true
  let result: Look<T>['result']
  deferred.addBoth((value) => {
    if (!asking) return value
    result = { value }
    return value instanceof Failure ? undefined : value
  })
  asking = false
  return { state, result }
}
