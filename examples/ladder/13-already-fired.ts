/**
 * A proxy that keeps its poem answers with a Deferred, which has fired already or is yet to fire.
 *
 * Look at the order: `addCallback` of a Deferred that has fired calls its callback at once, before it returns; of one
 * that has not, later. For whoever asks it is the same code. And look at how often the poet was asked: Ann and Ben
 * came before there was a poem; a hundred at once would be a hundred fetches. Try: let them share one. Keeping the
 * Deferred in place of the poem does not do it: it has one chain, and whoever comes second gets what the first one's
 * callback returned. `PoemCache` of couplet/poetry does it.
 */
import { type Deferred, Factory, Protocol, type Reactor, succeed, TCPClientEndpoint } from 'couplet'
import { react } from 'couplet/node'
import { getPoetry } from 'couplet/poetry'
import { numberOf, startPoets } from './00-poets.ts'

/** Fetches a poem when somebody asks for it, unless it is there. */
function keeper(fetch: () => Deferred<string>): () => Deferred<string> {
  let kept: string | undefined
  return () => (kept === undefined ? fetch().addCallback((poem) => (kept = poem)) : succeed(kept))
}

class Proxy extends Protocol {
  readonly #getPoem: () => Deferred<string>

  constructor(getPoem: () => Deferred<string>) {
    super()
    this.#getPoem = getPoem
  }

  override connectionMade() {
    console.log('  proxy: somebody comes in')
    this.#getPoem().addCallbacks(
      (poem) => {
        console.log('  proxy: says the poem')
        this.transport.write(poem)
        this.transport.loseConnection()
      },
      (failure) => this.transport.abortConnection(failure.value as Error),
    )
    console.log('  proxy: has other things to do')
  }
}

export async function main(reactor: Reactor, seconds = '0.25') {
  const at = (port: number) => new TCPClientEndpoint(reactor, '127.0.0.1', port)
  const [poet] = await startPoets(reactor, seconds)
  const getPoem = keeper(() => {
    console.log('  proxy: asks the poet')
    return getPoetry(at(poet))
  })
  const proxies = Factory.forProtocol(() => new Proxy(getPoem))
  const port = await reactor.listenTCP(0, proxies, { interface: '127.0.0.1' })

  const ask = (name: string) => getPoetry(at(numberOf(port))).addCallback(() => console.log(`${name} has the poem`))
  const ann = ask('Ann')
  await ask('Ben')
  await ann
  await ask('Cleo')
}

if (process.argv[1] === import.meta.filename) react(main)
