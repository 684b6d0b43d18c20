/**
 * Calls with types over strings with a length in front: run the server with `npm run example -- rpc`, and
 * `npm run example -- rpc add 1 2`, or `… rpc greet world`.
 *
 * Look at `calls`: one declaration, from which the compiler knows what to ask with and what comes back, and which checks
 * that the peer keeps to it; a type alone believes everything. Both ends may ask. Try: a call of your own; or `amp`.
 */
import {
  clientFromString,
  connectProtocol,
  type ConnectionClosed,
  Deferred,
  DeferredSemaphore,
  Factory,
  fail,
  idleTimeout,
  Int32StringReceiver,
  limitConnections,
  maybeDeferred,
  RemoteProtocolError,
  serverFromString,
  toText,
  withPolicies,
} from 'couplet'
import { react } from 'couplet/node'

type Check<T> = (value: unknown) => value is T
const isNumber = (value: unknown): value is number => typeof value === 'number'
const isText = (value: unknown): value is string => typeof value === 'string'
const isNumbers = (value: unknown): value is number[] => Array.isArray(value) && value.every(isNumber)
const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

/** What can be asked for: the check of the argument, and that of the result. */
export const calls = { add: [isNumbers, isNumber], greet: [isText, isText] } as const

type Name = keyof typeof calls
type Checked<C> = C extends Check<infer T> ? T : never
type Argument<N extends Name> = Checked<(typeof calls)[N][0]>
type Result<N extends Name> = Checked<(typeof calls)[N][1]>
export type Answers = { [N in Name]?: (argument: Argument<N>) => Result<N> | PromiseLike<Result<N>> }

/** The other end could not, or did not want to; the message is its own. */
export class CallFailed extends Error {
  override name = 'CallFailed'
  readonly code = 'ERR_CALL_FAILED'
}

/** One end of a connection. */
export class Peer extends Int32StringReceiver {
  override maxLength = 65_536
  /** How many questions are open at once, in each direction; more of them wait here, or unread in the other end. */
  readonly mostAtOnce = 16
  readonly #places = new DeferredSemaphore(this.mostAtOnce)
  readonly #answers: Answers
  readonly #waiting = new Map<number, { check: Check<unknown>; deferred: Deferred<unknown> }>()
  #calls = 0
  #answering = 0
  #lost: ConnectionClosed | undefined

  constructor(answers: Answers = {}) {
    super()
    this.#answers = answers
  }

  /** @returns fails with CallFailed, or with the reason why the connection ended; cancelled, it only stops waiting */
  call<N extends Name>(name: N, argument: Argument<N>): Deferred<Result<N>> {
    return this.#places.run(() => this.#ask(name, argument))
  }

  #ask<N extends Name>(name: N, argument: Argument<N>): Deferred<Result<N>> {
    if (this.#lost !== undefined) return fail(this.#lost)
    const id = ++this.#calls
    const deferred = new Deferred<Result<N>>(() => this.#waiting.delete(id))
    this.#waiting.set(id, { check: calls[name][1], deferred })
    this.sendString(JSON.stringify({ id, call: name, argument }))
    return deferred
  }

  override stringReceived(string: Uint8Array): void {
    let message: unknown
    try {
      message = JSON.parse(toText(string))
    } catch (cause) {
      return this.#refuse('a message is JSON', cause)
    }
    if (!isObject(message) || !isNumber(message['id'])) return this.#refuse('a message has a number')
    if (isText(message['call'])) this.#asked(message['id'], message['call'], message['argument'])
    else this.#answered(message['id'], message)
  }

  override connectionLost(reason: ConnectionClosed): void {
    this.#lost = reason
    for (const { deferred } of this.#waiting.values()) deferred.errback(reason)
  }

  #asked(id: number, name: string, argument: unknown): void {
    const answer = maybeDeferred(() => {
      // The peer chooses the name: it is not to find what every object has.
      const known = Object.hasOwn(calls, name) && Object.hasOwn(this.#answers, name)
      if (!known) throw new CallFailed(`there is no call ${JSON.stringify(name)} here`)
      if (!calls[name as Name][0](argument)) throw new CallFailed(`this is no argument for ${name}`)
      return (this.#answers[name as Name] as (argument: unknown) => unknown)(argument)
    })
    if (++this.#answering === this.mostAtOnce) this.pauseProducing()
    answer
      .addCallback((result) => this.sendString(JSON.stringify({ id, result })))
      // What else went wrong is none of the peer's business.
      .addErrback(({ value }) => {
        const failed = value instanceof CallFailed ? value.message : `${name} failed here`
        this.sendString(JSON.stringify({ id, failed }))
      })
      .addCallback(() => {
        if (this.#answering-- === this.mostAtOnce) this.resumeProducing()
      })
  }

  #answered(id: number, { result, failed }: Record<string, unknown>): void {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    if (waiting === undefined) {
      // To what was cancelled meanwhile, the answer comes all the same.
      if (!(Number.isInteger(id) && id > 0 && id <= this.#calls)) this.#refuse('an answer to nothing')
    } else if (isText(failed)) waiting.deferred.errback(new CallFailed(failed))
    else if (waiting.check(result)) waiting.deferred.callback(result)
    else waiting.deferred.errback(new CallFailed('the answer is not what was declared'))
  }

  #refuse(what: string, cause?: unknown): void {
    this.transport.loseConnection({ cause: new RemoteProtocolError(`${this.transport.peer}: ${what}`, { cause }) })
  }
}

export const answers: Answers = {
  add: (numbers) => numbers.reduce((sum, each) => sum + each, 0),
  greet: (name) => `hello ${name}`,
}

if (process.argv[1] === import.meta.filename) {
  react(async (reactor, name = 'tcp:8010:interface=127.0.0.1', ...words) => {
    if (name === 'add' || name === 'greet') {
      const peer = await connectProtocol(clientFromString(reactor, 'tcp:127.0.0.1:8010'), new Peer())
      const answer = name === 'add' ? peer.call('add', words.map(Number)) : peer.call('greet', words.join(' '))
      return console.log(await answer.addTimeout(5000, reactor))
    }
    const peers = Factory.forProtocol(() => new Peer(answers))
    const guarded = withPolicies(peers, limitConnections(1000), idleTimeout(reactor, 600_000))
    console.log(`listening on ${(await serverFromString(reactor, name).listen(guarded)).host}`)
    await reactor.whenStopped()
  })
}
