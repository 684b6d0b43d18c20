/**
 * Draws the stack twice, called by `main` and called by the reactor: who called me?
 *
 * Look at who is not in the second stack: `main`. It has returned, and whatever it had on its stack is gone: its
 * variables, unless a function remembers them, and its `try`. From top to bottom you see the rooms of the framework
 * that a timer comes through; the files are in src/framework. Try: draw one in `dataReceived` of 06-protocol.
 */
import type { Reactor } from 'couplet'
import { react } from 'couplet/node'

function whoCalledMe(title: string) {
  console.log(title)
  for (const line of (new Error().stack ?? '').split('\n').slice(1)) {
    const [, name = '(a function without a name)', file = ''] = line.match(/at (?:(.+?) \()?.*?([\w.-]+):\d+:\d+/) ?? []
    console.log(`    ${name.padEnd(28)} ${file}`)
  }
}

export function main(reactor: Reactor, seconds = '0.25') {
  whoCalledMe('Called by main, and you see who called main:')
  reactor.callLater(Number(seconds) * 1000, () => {
    whoCalledMe('Called by the reactor:')
    reactor.stop()
  })
  return reactor.whenStopped()
}

if (process.argv[1] === import.meta.filename) react(main)
