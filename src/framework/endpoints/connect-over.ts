/**
 * What all client endpoints do alike: use the factory, dial, attach, and forget the factory again.
 *
 * Ancestor: `_WrappingFactory` of `twisted.internet.endpoints`.
 */
import { attach } from '../core/attach.ts'
import { ConnectingCancelledError } from '../core/errors.ts'
import { type Factory, startUsing, stopUsing } from '../core/factory.ts'
import type { Protocol } from '../core/protocol.ts'
import type { Connection } from '../core/transport.ts'
import { Deferred } from '../deferred/deferred.ts'
import { CancelledError } from '../deferred/errors.ts'
import { report } from '../deferred/reporter.ts'
import { type ConnectOptions, refuseClientFactory } from './endpoint.ts'

/**
 * @param dial makes the connection
 * @param where where to, for people
 * @returns as `ClientEndpoint.connect`
 */
export function connectOver<P extends Protocol>(
  dial: () => Deferred<Connection>,
  where: string,
  factory: Factory<P>,
  { signal }: ConnectOptions,
): Deferred<P> {
  const begun = new Deferred<void>()
  if (signal?.aborted === true) begun.cancel(signal.reason)
  else begun.callback()
  const connected = begun
    .addCallback(() => connect(dial, factory))
    .addErrback((failure) => {
      const { value } = failure
      if (value instanceof CancelledError) throw new ConnectingCancelledError(where, { cause: value })
      return failure
    })
  return signal === undefined ? connected : connected.addSignal(signal)
}

function connect<P extends Protocol>(dial: () => Deferred<Connection>, factory: Factory<P>): Deferred<P> {
  refuseClientFactory(factory)
  startUsing(factory)
  return dial().addCallbacks(
    (connection) => {
      connection.whenLost().addCallback(() => release(factory))
      return attach(factory, connection)
    },
    (failure) => {
      release(factory)
      return failure
    },
  )
}

/** The connection, or the attempt, is over; that the factory fails in its turn does not change how. */
function release(factory: Factory): void {
  try {
    stopUsing(factory)
  } catch (error) {
    report({ error, what: `stopFactory of ${factory.constructor.name} failed`, subject: factory })
  }
}
