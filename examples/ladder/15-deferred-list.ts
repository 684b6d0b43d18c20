/**
 * Many Deferreds as one, in three ways: wait for all, for all or the first failure, for the first success.
 *
 * Look at when each of them fires. There are four poets, and one of them is not there. `deferredList` tells of each
 * how it ended; `gatherResults` has nothing to give any more once one has failed, and does not wait for the others;
 * `race` does not mind a failure as long as somebody succeeds, and hangs up on the others. Try: `Promise.all` in place
 * of `gatherResults` (it works; what can it not do?). Try: a `race` that nobody can win.
 */
import { deferredList, FirstError, gatherResults, type Reactor, race, TCPClientEndpoint } from 'couplet'
import { react } from 'couplet/node'
import { getPoetry } from 'couplet/poetry'
import { noPoet, startPoets } from './00-poets.ts'

export async function main(reactor: Reactor, seconds = '0.25') {
  const ports = [...(await startPoets(reactor, seconds)), await noPoet(reactor)]
  const fourPoems = () => ports.map((port) => getPoetry(new TCPClientEndpoint(reactor, '127.0.0.1', port)))
  const start = reactor.now()
  const say = (what: string) => console.log(`${((reactor.now() - start) / 1000).toFixed(2)} s  ${what}`)

  const list = deferredList(fourPoems()).addCallback((outcomes) => {
    for (const [index, outcome] of outcomes.entries()) {
      const how = outcome.ok ? outcome.value.split('\n')[0] : outcome.failure.getErrorMessage()
      say(`deferredList: poem ${index + 1}: ${how}`)
    }
  })

  const gathered = gatherResults(fourPoems()).addCallbacks(
    (poems) => say(`gatherResults: ${poems.length} poems`),
    (failure) => {
      failure.trap(FirstError)
      say(`gatherResults: ${failure.getErrorMessage()}`)
    },
  )

  const first = race(fourPoems()).addCallback(({ index }) => say(`race: poem ${index + 1} was first`))

  await gatherResults([list, gathered, first])
}

if (process.argv[1] === import.meta.filename) react(main)
