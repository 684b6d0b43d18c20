/**
 * The guard stands between the framework and your code: whatever a hook throws, or whatever it returned fails with, is
 * caught, told to one place, and never stops anything else.
 *
 * Ancestor: `_logger.failuresHandled` around every call in `twisted.internet.base` and `posixbase`.
 */
import { report } from '../deferred/reporter.ts'
import { trace } from '../trace/hook.ts'
import type { DelayedCall } from './clock.ts'
import type { Turn } from './turn.ts'

/** Who is told when a hook fails. */
export interface HookOwner {
  /**
   * A hook of yours failed.
   *
   * @param error what the hook threw, or what the promise that it returned was rejected with
   * @param what the hook's name
   */
  hookFailed(error: unknown, what: string): void
}

/**
 * Calls user code, in a turn.
 *
 * @param subject whom the call is made for: a connection, a timer
 * @param what the hook's name
 */
export function guarded(turn: Turn, subject: object, what: string, hook: () => unknown, owner: HookOwner): void {
  turn.enter()
  const span = trace?.begin('call', subject, { what }, trace.marked(subject))
  try {
    adopt(hook(), what, owner)
  } catch (error) {
    owner.hookFailed(error, what)
  } finally {
    if (span !== undefined) trace?.end(span)
    turn.leave()
  }
}

/** Looks after what a hook returned: if it is something that settles later and fails, `owner` is told. */
export function adopt(returned: unknown, what: string, owner: HookOwner): void {
  if (isPromiseLike(returned)) returned.then(undefined, (error: unknown) => owner.hookFailed(error, what))
}

/** What a hook threw, as the Error that becomes a cause. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error
    ? thrown
    : new Error(`a hook threw ${String(thrown)}, which is not an Error`, { cause: thrown })
}

/** Makes the call of a timer; what it throws is reported, since a timer has no connection that could end. */
export function runDelayedCall(turn: Turn, call: DelayedCall): void {
  guarded(turn, call, 'timer', () => call.run(), {
    hookFailed: (error) => report({ error, what: 'A delayed call failed', subject: call }),
  })
}

function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}
