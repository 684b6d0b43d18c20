/**
 * Knows who answers which command.
 *
 * Ancestor: `CommandLocator` of `twisted.protocols.amp`. Commands are looked up in a map: a name of the peer's never
 * chooses a method.
 */
import type { TLSServerOptions } from '../../core/tls.ts'
import type { AMP } from './amp.ts'
import type { Command } from './command.ts'

/** Answers a command: with its response, now or later; or by throwing, or failing with, one of its errors. */
export type Responder<A, R> = (values: A, peer: AMP) => Answer<R> | PromiseLike<Answer<R>>
/** A response without anything required in it may be nothing. */
type Answer<R> = Partial<R> extends R ? R | void : R

/** A command, and who answers it here. */
export interface Responding {
  readonly command: Command
  readonly responder: Responder<object, object>
}

/** Who answers which command; one locator may serve many connections. */
export class CommandLocator {
  readonly #responding = new Map<string, Responding>()
  readonly #parent: CommandLocator | undefined
  #tls: TLSServerOptions | undefined

  /** @param parent is asked for what is not found here */
  constructor(parent?: CommandLocator) {
    this.#parent = parent
  }

  /**
   * Lets `responder` answer the command from now on, in place of who did before.
   *
   * @param responder what it throws that the command does not declare is reported here, the peer gets the error UNKNOWN
   *   and nothing else, and the connection is closed
   */
  respond<A, R>(command: Command<A, R>, responder: Responder<A, R>): this {
    this.#responding.set(command.name, { command, responder: responder as unknown as Responder<object, object> })
    return this
  }

  /** Goes on with TLS, as its server, when a peer asks for it with the command StartTLS; without this, it is unhandled. */
  respondToStartTLS(options: TLSServerOptions): this {
    this.#tls = options
    return this
  }

  /** Who answers the command of this name; nobody if that is `undefined`. */
  locateResponder(name: string): Responding | undefined {
    return this.#responding.get(name) ?? this.#parent?.locateResponder(name)
  }

  /** What was given to {@link respondToStartTLS}. */
  get tls(): TLSServerOptions | undefined {
    return this.#tls ?? this.#parent?.tls
  }
}
