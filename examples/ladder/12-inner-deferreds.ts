/**
 * A callback that returns a Deferred makes the chain wait for it, as if the chain had been longer.
 *
 * Look at what the poem's Deferred says of itself: it waits for another one, at first for the poet's, then for one
 * that its own callback has made later; and it has fewer and fewer callbacks left. The poem goes to a transform server
 * over a connection of its own, and whoever gets it at the end need not know. (The server's transform returns a
 * Deferred, too.) Try: ask for `mumble`, which the server has not: the failure inside is the one outside. Try:
 * `poem.cancel()` meanwhile.
 */
import { inspect } from 'node:util'
import { deferLater, type Reactor, TCPClientEndpoint } from 'couplet'
import { react } from 'couplet/node'
import { getPoetry, type Transform, TransformFactory, transformPoem, TransformService } from 'couplet/poetry'
import { numberOf, startPoets } from './00-poets.ts'

export async function main(reactor: Reactor, seconds = '0.25') {
  const ms = Number(seconds) * 1000
  const at = (port: number) => new TCPClientEndpoint(reactor, '127.0.0.1', port)
  const [poet] = await startPoets(reactor, seconds)

  const shout: Transform = (poem) => deferLater(reactor, 2 * ms, () => poem.toUpperCase())
  const service = new TransformService(new Map([['shout', shout]]))
  const port = await reactor.listenTCP(0, new TransformFactory(service), { interface: '127.0.0.1' })

  const poem = getPoetry(at(poet)).addCallback((text) => {
    console.log(`the poet has finished: ${JSON.stringify(text.split('\n')[0])}`)
    return transformPoem(at(numberOf(port)), 'shout', text)
  })

  const show = (when: string) => console.log(`${when}: ${inspect(poem, { depth: 0 })}`)
  show('at first')
  reactor.callLater(2 * ms, () => show('while the poet speaks'))
  reactor.callLater(5 * ms, () => show('while the server works'))
  poem.addCallback((text) => text.split('\n')[0])
  await poem
  show('at last')
}

if (process.argv[1] === import.meta.filename) react(main)
