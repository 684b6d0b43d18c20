/**
 * The transform client: asks for any number of transforms over one connection, without waiting for one answer before the
 * next question.
 *
 * Grammar of calls: `makeConnection connectionMade stringReceived* inputEnded? readConnectionLost? connectionLost`. Ancestor:
 * `TransformClientProtocol` and `TransformProxy` of krondo's part 13, where each poem had a connection of its own.
 */
import {
  type ClientEndpoint,
  type ConnectionClosed,
  connectProtocol,
  Deferred,
  fail,
  Failure,
  NetstringReceiver,
  RemoteProtocolError,
  succeed,
} from 'couplet'
import { InOrder } from './in-order.ts'
import { TransformFailed } from './transform-service.ts'
import { decodeAnswer, encodeQuestion, longestTransformed } from './transform-wire.ts'

/** How a client asks. */
export interface TransformClientOptions {
  /**
   * Speak krondo's language and nothing of ours: a server that cannot do what it is asked can then only hang up. For
   * servers that are not ours.
   */
  readonly plain?: boolean | undefined
  /** Bytes that an answer may have. 512 KiB unless given. */
  readonly maxLength?: number | undefined
}

/** Asks one transform server. */
export class TransformClientProtocol extends NetstringReceiver {
  readonly #plain: boolean
  /** Those who wait for an answer, in the order in which they asked; nothing where nobody waits any more. */
  #waiting: (Deferred<string> | undefined)[] = []
  /** What is to be sent, kept back while the server is slow. */
  readonly #questions = new InOrder<Uint8Array>((question) => this.sendString(question))
  #closing = false
  #ended: ConnectionClosed | undefined

  constructor({ plain = false, maxLength = longestTransformed }: TransformClientOptions = {}) {
    super()
    this.#plain = plain
    this.maxLength = maxLength
  }

  override connectionMade(): void {
    this.transport.registerProducer(this.#questions, true)
  }

  /**
   * Asks for a poem to be transformed. Cancelling it drops the answer; the server is not told.
   *
   * @param name letters, digits, `-` and `_`
   * @returns fails with {@link TransformFailed}: the server said why, or has gone (`cause`)
   */
  transform(name: string, poem: string): Deferred<string> {
    if (!/^[\w-]{1,64}$/.test(name)) return fail(new TransformFailed(`"${name}" cannot be the name of a transform`))
    const question = encodeQuestion({ name, poem, wantsReason: !this.#plain })
    if (question.length > longestTransformed) {
      return fail(new TransformFailed(`a question of ${question.length} bytes: the limit is ${longestTransformed}`))
    }
    if (this.#closing || this.#ended !== undefined || this.transport.disconnecting) return fail(this.#gone())
    const answer: Deferred<string> = new Deferred<string>(() => {
      this.#waiting[this.#waiting.indexOf(answer)] = undefined
    })
    this.#waiting.push(answer)
    this.#questions.add(succeed(question))
    return answer
  }

  /** Hangs up when everything that was asked is answered. */
  close(): void {
    this.#closing = true
    if (this.#waiting.length === 0) this.#hangUp()
  }

  override stringReceived(bytes: Uint8Array): void {
    if (this.#waiting.length === 0) {
      this.transport.abortConnection(new RemoteProtocolError('an answer came to a question that nobody asked'))
      return
    }
    const answer = this.#read(bytes)
    if (answer === undefined) return
    this.#waiting.shift()?.callback(answer)
    if (this.#closing && this.#waiting.length === 0) this.#hangUp()
  }

  /**
   * The server has no more answers, so it need not hear more questions. An end in the middle of an answer closes the
   * connection by itself, but not before its producer has finished, which would wait for a server that has gone.
   */
  override inputEnded(): Error | undefined {
    this.#questions.clear()
    this.transport.unregisterProducer()
    return super.inputEnded()
  }

  override readConnectionLost(): void {
    this.#hangUp()
  }

  protected override frameRefused(error: RemoteProtocolError): void {
    this.transport.abortConnection(error)
  }

  override connectionLost(reason: ConnectionClosed): void {
    this.#ended = reason
    for (const waiting of this.#waiting.splice(0)) waiting?.errback(this.#gone())
  }

  /** @returns nothing if it cannot be understood; then the connection ends, and with it everybody's hope */
  #read(bytes: Uint8Array): string | Failure | undefined {
    try {
      const answer = decodeAnswer(bytes, !this.#plain)
      return answer instanceof TransformFailed ? new Failure(answer) : answer
    } catch (error) {
      this.transport.abortConnection(error as RemoteProtocolError)
      return undefined
    }
  }

  #hangUp(): void {
    this.transport.unregisterProducer()
    this.transport.loseConnection()
  }

  #gone(): TransformFailed {
    const { peer } = this.transport
    const why = this.#ended?.message ?? 'it is closing'
    return new TransformFailed(`${peer}: no answer: ${why.replace(`${peer}: `, '')}`, { cause: this.#ended })
  }
}

/**
 * Has one poem transformed, over a connection of its own.
 *
 * @returns fails with a ConnectError, or with {@link TransformFailed}; cancelling it hangs up
 * @example
 * const quiet = await transformPoem(clientFromString(reactor, 'tcp:127.0.0.1:11000'), 'cummingsify', poem)
 */
export function transformPoem(
  endpoint: ClientEndpoint,
  name: string,
  poem: string,
  options: TransformClientOptions = {},
): Deferred<string> {
  return connectProtocol(endpoint, new TransformClientProtocol(options)).addCallback((client) =>
    client.transform(name, poem).addBoth((result) => {
      // After a failure the server may still be at work: a reset tells it.
      if (result instanceof Failure) client.transport.abortConnection()
      else client.close()
      return result
    }),
  )
}
