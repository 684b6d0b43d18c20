/**
 * The program's own standard input and output on Node: pipes, a terminal, files, sockets.
 *
 * Ancestor: `twisted.internet.stdio.StandardIO`.
 */
import type { Readable, Writable } from 'node:stream'
import { ConnectError, attemptCancelled } from '../core/errors.ts'
import type { DialOptions, Reactor } from '../core/reactor.ts'
import { standardIO, StandardIOConnection, whyNoStandardIO } from '../core/standard-io.ts'
import type { ConnectionLimits } from '../core/stream-connection.ts'
import { Deferred } from '../deferred/deferred.ts'
import { StandardOutput } from './standard-output.ts'
import { ReadablePipe, WritablePipe } from './stream-pipes.ts'

/** There is one standard input and output, whatever reactor asks, and it is used once. */
let taken = false

/**
 * What `reactor.dial` does for a StandardIOAddress.
 *
 * @returns fires in a later turn; fails with ConnectError if the program uses them otherwise
 */
export function dialStandardIO(reactor: Reactor, options: DialOptions): Deferred<StandardIO> {
  const dialed = new Deferred<StandardIO>((_, reason) => {
    dialed.errback(attemptCancelled(standardIO, reason))
  })
  reactor.turn.soon(() => {
    if (dialed.called) return
    const why = whyNoStandardIO(options, taken) ?? whyNotOurs()
    if (why !== undefined) {
      dialed.errback(why)
      return
    }
    taken = true
    dialed.callback(new StandardIO(reactor, options, process.stdin, process.stdout))
  })
  return dialed
}

function whyNotOurs(): ConnectError | undefined {
  const { stdin } = process
  if (stdin.destroyed || stdin.readableEnded) {
    return new ConnectError(standardIO, 'the standard input has ended already')
  }
  const isRead = stdin.listenerCount('data') + stdin.listenerCount('readable') > 0
  return isRead ? new ConnectError(standardIO, 'the standard input is being read by somebody else') : undefined
}

/** For the reactor, which lets a program end once its output has left. */
export class StandardIO extends StandardIOConnection {
  readonly #output: StandardOutput

  constructor(reactor: Reactor, limits: ConnectionLimits, stdin: Readable, stdout: Writable) {
    const output = new StandardOutput(stdout)
    super(reactor, limits, new ReadablePipe(stdin), new WritablePipe(output))
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
}
