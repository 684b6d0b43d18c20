/**
 * The program's own standard input and output as a connection: whatever they are, pipes, a terminal, files, sockets.
 *
 * The end of the input is the peer's end. What breaks the output ends the connection, as a peer does who has gone.
 * Ancestor: `twisted.internet.stdio.StandardIO`.
 */
import type { Readable, Writable } from 'node:stream'
import { StandardIOAddress } from '../core/address.ts'
import { CannotListenError, ConnectError, attemptCancelled, UnsupportedAddress } from '../core/errors.ts'
import { type Accept, ListeningPort } from '../core/listening-port.ts'
import type { DialOptions, ListenOptions, Reactor } from '../core/reactor.ts'
import type { ConnectionLimits } from '../core/stream-connection.ts'
import type { Connection } from '../core/transport.ts'
import { Deferred } from '../deferred/deferred.ts'
import { fail } from '../deferred/wrapping.ts'
import { PipeConnection } from './pipe-connection.ts'
import { StandardOutput } from './standard-output.ts'
import { whyLost } from './system-errors.ts'

const address = new StandardIOAddress()
const noTLS = 'there is no TLS over standard input and output'

/** There is one standard input and output, whatever reactor asks, and it is used once. */
let taken = false

/**
 * What `reactor.dial` does for a StandardIOAddress.
 *
 * @returns fires in a later turn; fails with ConnectError if the program uses them otherwise
 */
export function dialStandardIO(reactor: Reactor, options: DialOptions): Deferred<StandardIO> {
  const dialed = new Deferred<StandardIO>((_, reason) => {
    dialed.errback(attemptCancelled(address, reason))
  })
  reactor.turn.soon(() => {
    if (dialed.called) return
    const why = options.tls === undefined ? whyNot() : new UnsupportedAddress(address, noTLS)
    if (why !== undefined) {
      dialed.errback(why)
      return
    }
    taken = true
    dialed.callback(new StandardIO(reactor, options, process.stdin, process.stdout))
  })
  return dialed
}

function whyNot(): ConnectError | undefined {
  const { stdin } = process
  if (taken) return new ConnectError(address, 'standard input and output have been given to a connection already')
  if (stdin.destroyed || stdin.readableEnded) return new ConnectError(address, 'the standard input has ended already')
  const isRead = stdin.listenerCount('data') + stdin.listenerCount('readable') > 0
  return isRead ? new ConnectError(address, 'the standard input is being read by somebody else') : undefined
}

/** For the reactor, which lets a program end once its output has left. */
export class StandardIO extends PipeConnection {
  readonly #output: StandardOutput

  constructor(reactor: Reactor, limits: ConnectionLimits, stdin: Readable, stdout: Writable) {
    const output = new StandardOutput(stdout)
    super(reactor, address, address, limits, stdin, output)
    this.#output = output
    // If it is a file, it does not do so by itself.
    stdin.on('error', () => stdin.destroy())
  }

  /** Loses the connection. @returns fires when all has been sent, or dropped; the end of the input is not waited for */
  endOutput(): Deferred<void> {
    const ended = new Deferred<void>()
    if (this.#output.writableFinished || this.#output.destroyed) {
      ended.callback()
      return ended
    }
    const once = (): void => {
      if (!ended.called) ended.callback()
    }
    this.#output.once('finish', once).once('close', once)
    this.loseConnection()
    return ended
  }

  protected override stillInFlight(): number {
    return this.#output.unsent
  }

  protected override outputFailed(error: Error): void {
    this.failed(error, whyLost(error))
    this.close()
  }
}

/** What `reactor.listen` does for a StandardIOAddress: one connection comes in, which is there already. */
export function listenAtStandardIO(
  reactor: Reactor,
  accept: Accept,
  { tls, ...limits }: ListenOptions,
): Deferred<ListeningPort> {
  if (tls !== undefined) return fail(new CannotListenError(address, noTLS))
  return reactor.dial(address, limits).addCallbacks(
    (connection) => new StandardIOPort(reactor, accept, connection),
    ({ value: cause }): ListeningPort => {
      if (!(cause instanceof ConnectError)) throw cause
      throw new CannotListenError(address, cause.message.replace(`${address}: `, ''), { cause })
    },
  )
}

class StandardIOPort extends ListeningPort {
  readonly #reactor: Reactor

  constructor(reactor: Reactor, accept: Accept, connection: Connection) {
    super(reactor, address, accept)
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
