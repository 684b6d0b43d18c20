/**
 * A timeout is a cancel that the clock does, if the result is not there in time.
 *
 * Look at the order: `addTimeout` covers what stands above it in the chain, and turns the CancelledError that comes of
 * it into TimeoutError; the errback below knows what to do then. The slow poet's reader has hung up as well, so nobody
 * is left who works for a result that nobody waits for. The second argument is the clock: here the reactor, in a test
 * one that you turn by hand. Try: more patience, `npm run example -- ladder/17-timeout 0.25 30`. Try: `addTimeout`
 * first of all, right behind `new Deferred`, and a callback behind it that never ends.
 */
import { type Reactor, TCPClientEndpoint, TimeoutError } from 'couplet'
import { react } from 'couplet/node'
import { getPoetry } from 'couplet/poetry'
import { startPoets } from './00-poets.ts'

/** @param lines how many silences one waits for a poem, which has four */
export async function main(reactor: Reactor, seconds = '0.25', lines = '6') {
  const ms = Number(seconds) * 1000
  const start = reactor.now()
  const [quick] = await startPoets(reactor, seconds)
  const [, slow] = await startPoets(reactor, String(3 * Number(seconds)))

  for (const [name, port] of Object.entries({ quick, slow })) {
    let bytes = 0
    await getPoetry(new TCPClientEndpoint(reactor, '127.0.0.1', port), { received: (piece) => (bytes += piece.length) })
      .addTimeout(Number(lines) * ms, reactor)
      .addCallback((poem) => `a poem of ${poem.trimEnd().split('\n').length} lines`)
      .addErrback((failure) => {
        failure.trap(TimeoutError)
        return `${failure.getErrorMessage()}; ${bytes} bytes had come`
      })
      .addCallback((what) => {
        console.log(`${((reactor.now() - start) / 1000).toFixed(2)} s  the ${name} poet: ${what}`)
      })
  }
}

if (process.argv[1] === import.meta.filename) react(main)
