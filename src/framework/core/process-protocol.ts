/**
 * A process protocol is the object that is told what a child process says and how it ends. You subclass it.
 *
 * Grammar of calls: `makeConnection connectionMade (outReceived | errReceived)* inConnectionLost outConnectionLost
 * errConnectionLost processExited processEnded`. The four before the last come in any order, and output may come after
 * `processExited`; `processEnded` comes last, and once. Ancestor: `twisted.internet.protocol.ProcessProtocol`, whose
 * `childDataReceived` for more than these three pipes is not here.
 */
import type { ProcessEnding } from './process-errors.ts'
import type { ProcessTransport } from './process-transport.ts'
import type { Hook } from './protocol.ts'

/** A hook that throws kills the process; what it threw is reported, and is the `cause` in `processEnded`. */
export abstract class ProcessProtocol {
  /** The process, from {@link connectionMade} on and for ever. */
  transport!: ProcessTransport

  /** Called once, first of all. Sets {@link transport}, then calls {@link connectionMade}. */
  makeConnection(transport: ProcessTransport): Hook {
    this.transport = transport
    return this.connectionMade()
  }

  /** The process runs. Called once; it says nothing before this has returned. */
  connectionMade(): Hook {}

  /**
   * It wrote something to stdout. Where one chunk ends and the next begins means nothing.
   *
   * @param _chunk 1 byte or more; yours to keep
   */
  outReceived(_chunk: Uint8Array): Hook {}

  /** The same, of stderr. Never called if the process was started with another `stderr` than `pipe`. */
  errReceived(_chunk: Uint8Array): Hook {}

  /** Its stdin is closed: we closed it and all was sent, or the process did, or it has ended. Called once. */
  inConnectionLost(): Hook {}

  /** Its stdout is closed: all that was written there was delivered, unless we closed it. Called once. */
  outConnectionLost(): Hook {}

  /** The same, of stderr. */
  errConnectionLost(): Hook {}

  /**
   * The process has ended; some of what it wrote may still be on its way. Called once.
   *
   * @param _reason ProcessDone, or ProcessTerminated with the exit code or the signal
   */
  processExited(_reason: ProcessEnding): Hook {}

  /**
   * The process has ended, and all that it wrote was delivered. Called once, last of all.
   *
   * @param _reason as in {@link processExited}; if it was we who ended the process because something broke, that is its
   *   `cause`
   */
  processEnded(_reason: ProcessEnding): Hook {}
}
