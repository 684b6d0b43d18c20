/**
 * One Deferred for many: all results, all values, or the first success.
 *
 * Ancestor: `DeferredList`, `gatherResults` and `race` of `twisted.internet.defer`. They are functions here, an empty
 * list always fires, and a failure that a gathering delivers counts as handled. Cancelling a gathering cancels every
 * member; once it has fired, that does nothing.
 */

import { trace } from '../trace/hook.ts'
import { Deferred } from './deferred.ts'
import { FailureGroup, FirstError } from './errors.ts'
import { Failure } from './failure.ts'

/** How one member ended. */
export type Settled<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly failure: Failure }

/** The first success, and which member it was, from 0. */
export interface Winner<T> {
  readonly value: T
  readonly index: number
}

/** The flags of `DeferredList`. */
export interface DeferredListOptions {
  /** Fire at the first success, with a {@link Winner}; if all fail, with the whole list all the same. */
  readonly fireOnOneCallback?: boolean
  /** Fail at the first failure, with FirstError. */
  readonly fireOnOneErrback?: boolean
  /** False: members keep their failures, and who takes them from nobody is reported, as in Twisted. Default true. */
  readonly consumeErrors?: boolean
}

type Members = readonly Deferred<unknown>[]
type ValueOf<D> = D extends Deferred<infer T> ? T : never
type ValuesOf<D extends Members> = { -readonly [I in keyof D]: ValueOf<D[I]> }
type SettledOf<D extends Members> = { -readonly [I in keyof D]: Settled<ValueOf<D[I]>> }

/**
 * Waits for all members, whichever way they end: a list of {@link Settled} in their order. Members stay as they are;
 * those that failed go on with undefined.
 */
export function deferredList<const D extends Members>(
  members: D,
  options: DeferredListOptions & { readonly fireOnOneCallback: true },
): Deferred<Winner<ValueOf<D[number]>> | SettledOf<D>>
export function deferredList<const D extends Members>(
  members: D,
  options?: DeferredListOptions & { readonly fireOnOneCallback?: false },
): Deferred<SettledOf<D>>
export function deferredList(members: Members, options: DeferredListOptions = {}): Deferred<unknown> {
  const { fireOnOneCallback = false, fireOnOneErrback = false, consumeErrors = true } = options
  const all = gathering<unknown>(members)
  const entries: Settled<unknown>[] = Array.from({ length: members.length })
  let missing = members.length
  watch(members, consumeErrors, (result, index) => {
    entries[index] = result instanceof Failure ? { ok: false, failure: result } : { ok: true, value: result }
    missing--
    if (all.called) return
    if (fireOnOneCallback && !(result instanceof Failure)) all.callback({ value: result, index })
    else if (fireOnOneErrback && result instanceof Failure) all.errback(new FirstError(result, index))
    else if (missing === 0) all.callback(entries)
  })
  if (members.length === 0 && fireOnOneCallback) all.errback(new FailureGroup([]))
  else if (members.length === 0) all.callback(entries)
  return all
}

/**
 * Waits for all members to succeed: the list of their values, each with its type. Fails with FirstError as soon as one
 * fails; the others go on, and nobody hears of them.
 */
export function gatherResults<const D extends Members>(
  members: D,
  options: { readonly consumeErrors?: boolean } = {},
): Deferred<ValuesOf<D>> {
  return deferredList(members as Members, { ...options, fireOnOneErrback: true }).addCallback(function values(entries) {
    return entries.map((entry) => (entry.ok ? entry.value : undefined)) as ValuesOf<D>
  })
}

/**
 * Waits for the first member that succeeds, and cancels the others. Fails with FailureGroup when all have failed, at
 * once if there are none.
 */
export function race<const D extends Members>(members: D): Deferred<Winner<ValueOf<D[number]>>> {
  const first = gathering<Winner<ValueOf<D[number]>>>(members)
  const failures: Failure[] = []
  let missing = members.length
  watch(members, true, (result, index) => {
    missing--
    if (first.called) return
    if (!(result instanceof Failure)) {
      first.callback({ value: result as ValueOf<D[number]>, index })
      for (const member of members) member.cancel()
      return
    }
    failures[index] = result
    if (missing === 0) first.errback(new FailureGroup(failures))
  })
  if (members.length === 0) first.errback(new FailureGroup([]))
  return first
}

function gathering<T>(members: Members): Deferred<T> {
  return new Deferred<T>(
    function cancelAll(_, reason) {
      for (const member of members) member.cancel(reason)
    },
    trace && { how: 'gather', of: members },
  )
}

/** Tells how each member ended; its value goes on, its failure only if that is wished. */
function watch(members: Members, consume: boolean, tell: (result: unknown, index: number) => void): void {
  for (const [index, member] of members.entries()) {
    member.addBoth(function gathered(result) {
      tell(result, index)
      return consume && result instanceof Failure ? undefined : result
    })
  }
}
