/**
 * A program's own standard input and output as a connection: whatever they are, on every reactor that has them.
 *
 * The end of the input is the peer's end. What breaks the output ends the connection, as a peer does who has gone.
 * Ancestor: `twisted.internet.stdio.StandardIO`.
 */
import type { Deferred } from '../deferred/deferred.ts'
import { fail } from '../deferred/wrapping.ts'
import { StandardIOAddress } from './address.ts'
import { CannotListenError, ConnectError, UnsupportedAddress } from './errors.ts'
import { type Accept, ListeningPort } from './listening-port.ts'
import { PipeConnection, type PipeInput, type PipeOutput } from './pipe-connection.ts'
import type { DialOptions, ListenOptions, Reactor } from './reactor.ts'
import type { ConnectionLimits } from './stream-connection.ts'
import type { Connection } from './transport.ts'

/** The one address of this kind. */
export const standardIO = new StandardIOAddress()
const noTLS = 'there is no TLS over standard input and output'

export class StandardIOConnection extends PipeConnection {
  constructor(reactor: Reactor, limits: ConnectionLimits, stdin: PipeInput, stdout: PipeOutput) {
    super(reactor, standardIO, standardIO, limits, stdin, stdout)
  }

  protected override outputFailed(error: Error, why: string): void {
    this.failed(error, why)
    this.close()
  }
}

/**
 * Why a program cannot dial its standard input and output, if that is so.
 *
 * @param taken whether they were given to a connection before
 */
export function whyNoStandardIO({ tls }: DialOptions, taken: boolean): ConnectError | undefined {
  if (tls !== undefined) return new UnsupportedAddress(standardIO, noTLS)
  return taken
    ? new ConnectError(standardIO, 'standard input and output have been given to a connection already')
    : undefined
}

/** What `reactor.listen` does for a StandardIOAddress: one connection comes in, which is there already. */
export function listenAtStandardIO(
  reactor: Reactor,
  accept: Accept,
  { tls, ...limits }: ListenOptions,
): Deferred<ListeningPort> {
  if (tls !== undefined) return fail(new CannotListenError(standardIO, noTLS))
  return reactor.dial(standardIO, limits).addCallbacks(
    (connection) => new StandardIOPort(reactor, accept, connection),
    ({ value: cause }): ListeningPort => {
      if (!(cause instanceof ConnectError)) throw cause
      throw new CannotListenError(standardIO, cause.message.replace(`${standardIO}: `, ''), { cause })
    },
  )
}

class StandardIOPort extends ListeningPort {
  readonly #reactor: Reactor

  constructor(reactor: Reactor, accept: Accept, connection: Connection) {
    super(reactor, standardIO, accept)
    this.#reactor = reactor
    // Later: whoever listens has to be told of the port first.
    reactor.turn.soon(() => {
      this.accepted(connection)
      connection.whenLost().addCallback(() => this.ended(connection))
    })
  }

  protected override closeListener(): void {
    this.#reactor.turn.soon(() => this.listenerClosed())
  }
}
