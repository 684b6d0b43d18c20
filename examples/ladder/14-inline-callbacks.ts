/**
 * With inlineCallbacks the callbacks are still there, but the program is written as if it waited.
 *
 * Look at `yield*`: there the function is left, and called again when the Deferred has fired, with its value, or with
 * its error thrown. So loops, `try` and `finally` work across the waiting. It is 12-inner-deferreds in other words.
 * Look at the times: two of these run at once. Why not `async`? That works as well (`main` is one), but goes on a
 * microtask later and cannot be cancelled. Try: cancel `download(…)` and see what `finally` says. Try: forget one
 * `yield*`.
 */
import { type ClientEndpoint, ConnectError, inlineCallbacks, type Reactor, TCPClientEndpoint } from 'couplet'
import { react } from 'couplet/node'
import { getPoetry } from 'couplet/poetry'
import { noPoet, startPoets } from './00-poets.ts'

export async function main(reactor: Reactor, seconds = '0.25') {
  const at = (port: number) => new TCPClientEndpoint(reactor, '127.0.0.1', port)
  const start = reactor.now()
  const say = (what: string) => console.log(`${((reactor.now() - start) / 1000).toFixed(2)} s  ${what}`)

  const download = inlineCallbacks(function* (name: string, poets: ClientEndpoint[]) {
    let lines = 0
    try {
      for (const poet of poets) {
        try {
          const poem = yield* getPoetry(poet)
          lines += poem.trimEnd().split('\n').length
          say(`${name} has a poem, ${lines} lines so far`)
        } catch (error) {
          if (!(error instanceof ConnectError)) throw error
          say(`${name} goes on without: ${error.name}`)
        }
      }
      return lines
    } finally {
      say(`${name} shuts the book`)
    }
  })

  const [one, two, three] = await startPoets(reactor, seconds)
  const nobody = at(await noPoet(reactor))
  const ann = download('Ann', [at(one), nobody, at(two)])
  const ben = download('Ben', [at(three)])
  say(`together they have ${(await ann) + (await ben)} lines`)
}

if (process.argv[1] === import.meta.filename) react(main)
