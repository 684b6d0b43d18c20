/**
 * The first protocol is an object for each conversation, which is told what happens on it and never asks.
 *
 * Look at where the loop of 02-select has gone: into the reactor. What is left of it is `dataReceived`. A factory
 * makes a protocol for each connection and knows what they have in common: here, how many poems are missing. And look
 * at who calls `reactor.stop`: the factory. So no program can use it that has something else to do; 07 mends that.
 * Try: draw the stack of 04-stack in `dataReceived`. Try: without `clientConnectionFailed`, ask at port 9 as well.
 */
import { ClientFactory, type Connector, join, Protocol, type Reactor, toText } from 'couplet'
import { react } from 'couplet/node'
import { startPoets } from './00-poets.ts'

class PoetryProtocol extends Protocol {
  readonly #factory: PoetryClientFactory
  readonly #chunks: Uint8Array[] = []

  constructor(factory: PoetryClientFactory) {
    super()
    this.#factory = factory
  }
  override dataReceived(chunk: Uint8Array) {
    console.log(`${this.transport.peer}: ${chunk.length} bytes`)
    // They stay bytes until the end: a chunk may end in the middle of a character.
    this.#chunks.push(chunk)
  }
  override connectionLost() {
    this.#factory.poemFinished(`${this.transport.peer} has hung up:\n${toText(join(this.#chunks))}`)
  }
}

class PoetryClientFactory extends ClientFactory<PoetryProtocol> {
  #missing = 3
  readonly #reactor: Reactor

  constructor(reactor: Reactor) {
    super()
    this.#reactor = reactor
  }

  override buildProtocol() {
    return new PoetryProtocol(this)
  }
  override clientConnectionFailed(_connector: Connector, reason: Error) {
    this.poemFinished(reason.message)
  }

  poemFinished(what: string) {
    console.log(what)
    this.#missing--
    if (this.#missing === 0) this.#reactor.stop()
  }
}

export async function main(reactor: Reactor, seconds = '0.25') {
  const factory = new PoetryClientFactory(reactor)
  for (const port of await startPoets(reactor, seconds)) reactor.connectTCP('127.0.0.1', port, factory)
  await reactor.whenStopped()
}

if (process.argv[1] === import.meta.filename) react(main)
