/**
 * Gets three poems one after another, as a blocking client has to: it listens to one poet and to nobody else.
 *
 * Look at the times: a second for each poem, three in all, and nearly all of that is silence. The other poets could
 * have spoken meanwhile, if anybody had asked them. (Node has no `recv` that blocks the whole program; a loop that
 * does not leave a poet before his last line comes to the same.) Try: slower poets,
 * `npm run example -- ladder/01-blocking 1`.
 */
import { connect } from 'node:net'
import type { Reactor } from 'couplet'
import { react } from 'couplet/node'
import { startPoets } from './00-poets.ts'

export async function getPoems(ports: readonly number[]) {
  const start = performance.now()
  const seconds = () => `${((performance.now() - start) / 1000).toFixed(2)} s`
  for (const [index, port] of ports.entries()) {
    console.log(`${seconds()}  poem ${index + 1}: asks for it`)
    const socket = connect(port, '127.0.0.1').setEncoding('utf8')
    // Nothing below this line happens before the poet has hung up.
    for await (const text of socket) console.log(`${seconds()}  poem ${index + 1}: ${String(text).trimEnd()}`)
  }
  console.log(`${seconds()}  has them all`)
}

/** @param seconds of silence before each line of a poem, as in all programs of the ladder */
export async function main(reactor: Reactor, seconds = '0.25') {
  await getPoems(await startPoets(reactor, seconds))
}

if (process.argv[1] === import.meta.filename) react(main)
