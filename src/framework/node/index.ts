/**
 * `couplet/node`: the reactor over Node's sockets, `react`, the way to write a program, and Node's streams from and to
 * connections.
 *
 * @module couplet/node
 */
import { type Main, Run } from './react.ts'
import { reactor } from './script-reactor.ts'

export { NodeReactor, type ReactorStats } from './node-reactor.ts'
export { reactor } from './script-reactor.ts'
export type { Main } from './react.ts'
export { fromDuplex, type FromDuplexOptions } from './duplex-connection.ts'
export { DuplexProtocol, toDuplex, type ToDuplexOptions } from './duplex-protocol.ts'

/** How {@link react} runs a program. */
export interface ReactOptions {
  /**
   * Milliseconds that open connections, and `main`, get to finish after a signal, and child processes after that. 5,000
   * unless given.
   */
  readonly drain?: number | undefined
}

/**
 * Runs a program: calls `main(reactor, ...argv)` and ends the process when that has finished.
 *
 * SIGINT and SIGTERM stop the reactor (`reactor.whenStopped()` fires) and close the ports, with time to drain; a second
 * signal ends at once. Child processes end with the program: by SIGTERM, and by SIGKILL if that takes too long. A
 * failure is one line on stderr if it was foreseen (it has a `code` or an `exitCode`), otherwise its stack;
 * `NODE_DEBUG=couplet` shows the stack always, and one with an `exitCode` and no message says nothing. Exit codes: 0 if
 * `main` succeeded, also after a signal; 130 (SIGINT) or 143 (SIGTERM) if it had not finished by then; 1 if it failed,
 * or the error's `exitCode`; 70 if it can never finish because nothing is left to wait for; 141 if nobody reads stdout
 * any more. Ancestor: `twisted.internet.task.react`.
 *
 * @example
 * react(async (reactor, port = '8000') => {
 *   await reactor.listenTCP(Number(port), Factory.forProtocol(() => new Echo()))
 *   await reactor.whenStopped()
 * })
 *
 * @param argv what `main` gets after the reactor: the words of the command line unless given
 */
export function react(
  main: Main,
  argv: readonly string[] = process.argv.slice(2),
  { drain = 5000 }: ReactOptions = {},
): void {
  new Run(reactor, process, drain).start(main, argv)
}
