/**
 * Counts down three times at once: asks the reactor to be called later, and returns.
 *
 * Look at the first line of the output: `main` is done before anybody has counted to anything. The reactor has the
 * loop and the list of calls to come; you have functions that are called and come back soon. And look at
 * `reactor.stop`: whoever is last turns off the light. Try: a countdown that is cancelled (`callLater` returns a call;
 * `call.cancel()`).
 */
import type { Reactor } from 'couplet'
import { react } from 'couplet/node'

export function main(reactor: Reactor, seconds = '0.25') {
  const start = reactor.now()
  const say = (what: string) => console.log(`${((reactor.now() - start) / 1000).toFixed(2)} s  ${what}`)
  let counting = 0

  function countdown(name: string, count: number, ms: number) {
    counting++
    function tick() {
      if (count > 0) {
        say(`${name}: ${count--}`)
        reactor.callLater(ms, tick)
      } else {
        say(`${name}: lift-off`)
        counting--
        if (counting === 0) reactor.stop('all have counted down')
      }
    }
    reactor.callLater(ms, tick)
  }

  countdown('Ariane', 3, Number(seconds) * 1000)
  countdown('Vega', 3, Number(seconds) * 1500)
  countdown('Soyuz', 3, Number(seconds) * 2000)
  say('main is done')
  return reactor.whenStopped().addCallback((why) => say(`the end: ${why}`))
}

if (process.argv[1] === import.meta.filename) react(main)
