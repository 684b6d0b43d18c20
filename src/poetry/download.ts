/**
 * The two ways to get many things that are slow: one after another, and all at once. The difference is in here, whole.
 *
 * Ancestor: krondo's `blocking-client/get-poetry.py` and `twisted-client-*`, parts 1 to 6.
 */
import {
  CancelledError,
  ConnectingCancelledError,
  type Deferred,
  deferredList,
  inlineCallbacks,
  type InlineGenerator,
  type Settled,
} from 'couplet'

/** Starts one job. Called once. */
export type Job<T> = () => Deferred<T>

/** How to go about it: what a blocking client does, or what an asynchronous one does. */
export type Mode = 'sequential' | 'concurrent'

/** Each way by its name. Both fire with the outcomes in the order of the jobs, failures included. */
export const modes: Readonly<Record<Mode, <T>(jobs: readonly Job<T>[]) => Deferred<readonly Settled<T>[]>>> = {
  sequential,
  concurrent,
}

/** Starts a job when the one before it has ended. Cancelling it cancels the present job and starts no more. */
export function sequential<T>(jobs: readonly Job<T>[]): Deferred<readonly Settled<T>[]> {
  return inlineCallbacks(function* sequential(): InlineGenerator<readonly Settled<T>[]> {
    const outcomes: Settled<T>[] = []
    for (const job of jobs) {
      const [outcome] = yield* deferredList([job()])
      if (!outcome.ok && isCancelled(outcome.failure.value)) throw outcome.failure.value
      outcomes.push(outcome)
    }
    return outcomes
  })()
}

/** Starts all jobs now. Cancelling it cancels all of them. */
export function concurrent<T>(jobs: readonly Job<T>[]): Deferred<readonly Settled<T>[]> {
  return deferredList(jobs.map((job) => job()))
}

function isCancelled(error: unknown): boolean {
  return error instanceof CancelledError || error instanceof ConnectingCancelledError
}
