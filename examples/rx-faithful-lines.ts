/**
 * The subscriber of rx-reconnect: it comes back, whether the server closes, breaks, or is not there yet.
 *
 * Look at the order: `repeat` for clean ends and `retry` for errors, each with its own patience, and `opened` says on
 * every new connection what we want. Try: give up after five failures in a row (`count: 5`).
 */
import { type ClientEndpoint, type Reactor, toText } from 'couplet'
import { connect, lines, repeatWithBackoff, retryWithBackoff } from 'couplet/rx'
import { map, type Observable } from 'rxjs'

/** The lines of a server that is asked for `topic` again whenever the connection has ended. */
export function faithfulLines(endpoint: ClientEndpoint, topic: string, reactor: Reactor): Observable<string> {
  const server = connect(endpoint, lines(), { opened: { next: (connection) => connection.send(`join ${topic}`) } })
  return server.pipe(map(toText), repeatWithBackoff(reactor), retryWithBackoff(reactor))
}
