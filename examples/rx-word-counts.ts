/**
 * The server of rx-word-count: it counts the words of all that its clients send, and says from time to time which are
 * the most frequent.
 *
 * Look at `sample`: however fast the words come, the picture is drawn once in `ms` milliseconds. Try: count only the
 * words of the last minute (`bufferTime`).
 */
import { type Clock, type ServerEndpoint, toText } from 'couplet'
import { lines, listen, reactorScheduler } from 'couplet/rx'
import { catchError, EMPTY, interval, map, mergeMap, type Observable, sample, scan } from 'rxjs'

/** The ten most frequent words, with their counts, every `ms` milliseconds if there were new ones. */
export function wordCounts(
  endpoint: ServerEndpoint,
  ms: number,
  clock: Clock,
  opened: (address: string) => void,
): Observable<readonly (readonly [word: string, count: number])[]> {
  return listen(endpoint, lines({ delimiter: '\n' }), { opened: { next: ({ host }) => opened(String(host)) } }).pipe(
    mergeMap((client) => client.pipe(catchError(() => EMPTY))),
    mergeMap(
      (line) =>
        toText(line)
          .toLowerCase()
          .match(/\p{L}+/gu) ?? [],
    ),
    scan((counts, word) => counts.set(word, (counts.get(word) ?? 0) + 1), new Map<string, number>()),
    sample(interval(ms, reactorScheduler(clock))),
    map((counts) => [...counts].sort(([, one], [, other]) => other - one).slice(0, 10)),
  )
}
