/**
 * Callbacks, and what goes wrong with them: `getPoetry` takes a function, and calls it with the poem.
 *
 * Look for the fourth poem, whose poet is not there: its callback is never called, and nobody will ever say why. Look
 * for the third: its callback throws, and the error does not come to whoever asked for the poem, but to the protocol,
 * which has nothing to do with it, and from there to the log. Try: give `getPoetry` a second function for errors, and
 * count what you must change to have both called once at most, and one of them always; 08 has that as an object.
 */
import { ClientFactory, join, Protocol, type Reactor, setReporter, toText } from 'couplet'
import { react } from 'couplet/node'
import { noPoet, startPoets } from './00-poets.ts'

class PoetryProtocol extends Protocol {
  readonly #callback: (poem: string) => void
  readonly #chunks: Uint8Array[] = []

  constructor(callback: (poem: string) => void) {
    super()
    this.#callback = callback
  }

  override dataReceived(chunk: Uint8Array) {
    this.#chunks.push(chunk)
  }

  override connectionLost() {
    this.#callback(toText(join(this.#chunks)))
  }
}

class PoetryClientFactory extends ClientFactory<PoetryProtocol> {
  readonly #callback: (poem: string) => void

  constructor(callback: (poem: string) => void) {
    super()
    this.#callback = callback
  }

  override buildProtocol() {
    return new PoetryProtocol(this.#callback)
  }
}

function getPoetry(reactor: Reactor, port: number, callback: (poem: string) => void) {
  reactor.connectTCP('127.0.0.1', port, new PoetryClientFactory(callback))
}

export async function main(reactor: Reactor, seconds = '0.25') {
  const [one, two, three] = await startPoets(reactor, seconds)
  const restore = setReporter(({ what, error }) => console.log(`log: ${what}: ${String(error)}`))
  getPoetry(reactor, one, (poem) => console.log(poem))
  getPoetry(reactor, two, (poem) => console.log(poem))
  getPoetry(reactor, three, (poem) => console.log(JSON.parse(poem)))
  getPoetry(reactor, await noPoet(reactor), (poem) => console.log(poem))
  reactor.callLater(Number(seconds) * 6000, () => reactor.stop('I wait no longer for the other poems'))
  console.log(await reactor.whenStopped().addBoth((why) => (restore(), why)))
}

if (process.argv[1] === import.meta.filename) react(main)
