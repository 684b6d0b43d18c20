/**
 * An Observable is many values, one after another as they come, where a Deferred is one.
 *
 * Look at the lines: they are printed while the poets speak, and nobody waits for the end of a poem. `merge` is what
 * `gatherResults` is for Deferreds. `take(2)` has enough after two lines: it unsubscribes, and that hangs up, as
 * `cancel` does. `toDeferred` makes one value of all of it again. Try: `take(20)`. Try: `scan`, to number the lines.
 * Try: a poet who is not there, and `catchError`.
 */
import { type Reactor, TCPClientEndpoint } from 'couplet'
import { react } from 'couplet/node'
import { poemLines } from 'couplet/poetry/rx'
import { toDeferred } from 'couplet/rx'
import { map, merge, take, tap, toArray } from 'rxjs'
import { startPoets } from './00-poets.ts'

export async function main(reactor: Reactor, seconds = '0.25') {
  const [one, two, three] = await startPoets(reactor, seconds)
  const linesOf = (name: string, port: number) =>
    poemLines(new TCPClientEndpoint(reactor, '127.0.0.1', port)).pipe(map((line) => `${name}: ${line}`))

  const lines = merge(linesOf('Blake', one), linesOf('Verlaine', two).pipe(take(2)), linesOf('Rossetti', three))
  const all = await toDeferred(
    lines.pipe(
      tap((line) => console.log(line)),
      toArray(),
    ),
  )
  console.log(`${all.length} lines`)
}

if (process.argv[1] === import.meta.filename) react(main)
