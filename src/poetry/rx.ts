/**
 * `couplet/poetry/rx`: poems as Observables: line by line while they are being said, and many at once.
 *
 * Ancestor: none; krondo's clients get a poem when it is over.
 *
 * @module couplet/poetry/rx
 */
import { type ClientEndpoint, type ConnectionClosed, type Deferred, Failure, type Settled } from 'couplet'
import { bytes, connect, type Conversation, fromDeferred, textLines, toDeferred } from 'couplet/rx'
import { catchError, defer, forkJoin, map, type Observable, of, tap } from 'rxjs'
import type { Job } from './download.ts'
import { longestPoem, PoemCutOff } from './poetry-client.ts'

/**
 * The lines of the poem at `endpoint`, each as soon as it is there, without its line end; what comes after the last line
 * end is a line too. Each subscription connects and gets the poem from its beginning; unsubscribing hangs up.
 *
 * It fails with a ConnectError; with {@link PoemCutOff} if the connection breaks, after the whole lines that had come;
 * with LineTooLong for a line of more than 16 MiB.
 *
 * @example
 * poemLines(endpoint).pipe(take(3), timeout({ each: 2000, scheduler: reactorScheduler(reactor) })).subscribe(console.log)
 */
export function poemLines(endpoint: ClientEndpoint): Observable<string> {
  return defer(() => {
    let received = 0
    let server: Conversation<Uint8Array, unknown> | undefined
    const opened = {
      next(conversation: Conversation<Uint8Array, unknown>) {
        server = conversation
      },
    }
    return connect(endpoint, bytes(), { opened }).pipe(
      tap((piece) => {
        received += piece.length
      }),
      catchError((error: unknown) => {
        if (server === undefined) throw error
        throw new PoemCutOff(String(server.transport.peer), received, error as ConnectionClosed)
      }),
      textLines({ maxLength: longestPoem }),
    )
  })
}

/**
 * Starts all jobs now, as `concurrent` does, each as an Observable. Cancelling it unsubscribes from all of them, which
 * cancels them.
 *
 * @returns fires with the outcomes in the order of the jobs, failures included
 */
export function merged<T>(jobs: readonly Job<T>[]): Deferred<readonly Settled<T>[]> {
  const outcomes = jobs.map((job) =>
    fromDeferred(job(), { cancelOnUnsubscribe: true }).pipe(
      map((value): Settled<T> => ({ ok: true, value })),
      catchError((error: unknown) => of<Settled<T>>({ ok: false, failure: new Failure(error) })),
    ),
  )
  return toDeferred(forkJoin(outcomes), { defaultValue: [] })
}
