/**
 * A Deferred is a poem that is not here yet: whoever asked says what to do when it comes, or fails.
 *
 * Look at `getPoetry`: it gets no functions any more, and `main` knows when all have ended, one way or the other. A
 * Deferred fires once: a second `callback` is an error, and a failure that nobody takes is reported. Look at
 * `connectionLost`, too: a poem is whole if the poet hung up properly; half a poem is a failure. Try: leave
 * `addErrback` out. Try: fire twice. (The next programs use `getPoetry` of couplet/poetry: the same, with limits.)
 */
import { ClientFactory, type ConnectionClosed, ConnectionDone, type Connector, Deferred } from 'couplet'
import { join, Protocol, type Reactor, toText } from 'couplet'
import { react } from 'couplet/node'
import { noPoet, startPoets } from './00-poets.ts'

class PoetryProtocol extends Protocol {
  readonly #poem: Deferred<string>
  readonly #chunks: Uint8Array[] = []

  constructor(poem: Deferred<string>) {
    super()
    this.#poem = poem
  }
  override dataReceived(chunk: Uint8Array) {
    this.#chunks.push(chunk)
  }
  override connectionLost(reason: ConnectionClosed) {
    if (reason instanceof ConnectionDone) this.#poem.callback(toText(join(this.#chunks)))
    else this.#poem.errback(reason)
  }
}

class PoetryClientFactory extends ClientFactory<PoetryProtocol> {
  readonly #poem: Deferred<string>

  constructor(poem: Deferred<string>) {
    super()
    this.#poem = poem
  }
  override buildProtocol() {
    return new PoetryProtocol(this.#poem)
  }
  override clientConnectionFailed(_connector: Connector, reason: Error) {
    this.#poem.errback(reason)
  }
}

function getPoetry(reactor: Reactor, port: number): Deferred<string> {
  const poem = new Deferred<string>()
  reactor.connectTCP('127.0.0.1', port, new PoetryClientFactory(poem))
  return poem
}

export async function main(reactor: Reactor, seconds = '0.25') {
  const ports = [...(await startPoets(reactor, seconds)), await noPoet(reactor)]
  const poems = ports.map((port) => getPoetry(reactor, port).addCallback((poem) => console.log(poem)))
  for (const poem of poems) poem.addErrback((failure) => console.log(`no poem: ${failure.getErrorMessage()}`))
  for (const poem of poems) await poem
  console.log('all have ended')
}

if (process.argv[1] === import.meta.filename) react(main)
