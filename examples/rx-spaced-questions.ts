/**
 * The client of rx-rate-limit: it asks so many questions a second at most, and gives the answers as they come.
 *
 * Look at the scheduler: the pause between two questions is on the reactor's clock, so the test takes no time. Try: let
 * it ask the next question only after the answer to the last one (`zip`).
 */
import { type ClientEndpoint, type Clock, toText } from 'couplet'
import { connect, lines, reactorScheduler } from 'couplet/rx'
import { concatMap, from, ignoreElements, map, merge, type Observable, take, tap, timer } from 'rxjs'

/** Connects, asks one question every `ms` milliseconds, and completes with the last answer. */
export function spacedQuestions(
  endpoint: ClientEndpoint,
  questions: readonly string[],
  ms: number,
  clock: Clock,
): Observable<string> {
  const server = connect(endpoint, lines())
  const scheduler = reactorScheduler(clock)
  const asking = from(questions).pipe(
    concatMap((question) => timer(ms, scheduler).pipe(map(() => question))),
    tap((question) => server.next(question)),
    ignoreElements(),
  )
  return merge(server.pipe(map(toText)), asking).pipe(take(questions.length))
}
