/**
 * A server as an Observable of connections: subscribe, and it listens; unsubscribe, and it stops.
 *
 * No ancestor.
 */
import { type NextObserver, Observable } from 'rxjs'
import { Factory } from '../core/factory.ts'
import type { ListeningPort } from '../core/listening-port.ts'
import { report } from '../deferred/reporter.ts'
import type { ServerEndpoint } from '../endpoints/endpoint.ts'
import { Conversation, type ConversationOptions } from './conversation.ts'
import { deliver, type Source } from './delivery.ts'
import type { Receiver } from './receiver.ts'

/** How {@link listen} listens; the rest is for each conversation. */
export interface ListenerOptions extends ConversationOptions {
  /** Told the open port, whose `host` says where it listens. */
  readonly opened?: NextObserver<ListeningPort> | undefined
  /**
   * When it is unsubscribed from, connections get so many milliseconds to finish, and are then aborted. Without it they
   * are left alone, and belong to whoever subscribed to them.
   */
  readonly drain?: number | undefined
}

/**
 * Listens, and emits each connection when it is made. Nothing is read from one before somebody subscribes to it. It
 * never completes; it fails with CannotListenError. A subscriber that throws at a connection ends that connection, and
 * the server goes on. Each subscription opens a port of its own: `share()` it.
 *
 * @example
 * listen(serverFromString(reactor, 'tcp:8000'), lines())
 *   .pipe(mergeMap((client) => client.pipe(tap(client))))
 *   .subscribe({ error: console.error })
 */
export function listen<In, Out = In>(
  endpoint: ServerEndpoint,
  receiver: Receiver<In, Out>,
  { opened, drain, ...options }: ListenerOptions = {},
): Observable<Conversation<In, Out>> {
  return new Observable((subscriber) => {
    let port: ListeningPort | undefined

    const accept = (conversation: Conversation<In, Out>): void => {
      const source: Source = {
        taken() {},
        released() {},
        subscriberThrew(error) {
          const { peer } = conversation.transport
          const what = `A subscriber threw at the connection from ${peer}, so it is aborted`
          report({ error, what, subject: conversation })
          conversation.error(error)
        },
      }
      deliver(source, () => subscriber.next(conversation))
    }

    const factory = Factory.forProtocol(() => {
      if (subscriber.closed) return null
      const conversation: Conversation<In, Out> = new Conversation(receiver, options, {
        made: () => accept(conversation),
      })
      return conversation.protocol
    })

    const stop = (open: ListeningPort) => open.stopListening(drain === undefined ? {} : { drain })

    endpoint
      .listen(factory)
      .addCallback((open) => {
        if (subscriber.closed) return stop(open)
        port = open
        opened?.next(open)
        return undefined
      })
      .addErrback(({ value }) => deliver(undefined, () => subscriber.error(value)))

    // An attempt to listen is not cancelled but let come to its end, and the port closed then: it comes soon, and a
    // cancelled one could leave the port open.
    return () => {
      if (port !== undefined) stop(port)
    }
  })
}
