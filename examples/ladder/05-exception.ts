/**
 * An exception in the loop ends one call, is reported, and the next calls are made as if nothing had happened.
 *
 * Look at the `try` around `callLater`: it catches nothing, because when the call is made nobody is there any more who
 * called; the reactor is, and it has other things to do than to die for you. Whoever wants to hear of an error that
 * comes later needs another way; that is what Deferreds are for. Try: without `setReporter` the report goes to the
 * console, with its stack. Try: throw in `main` itself; there somebody is waiting, and the program ends with exit code
 * 1.
 */
import { type Reactor, setReporter } from 'couplet'
import { react } from 'couplet/node'

export function main(reactor: Reactor, seconds = '0.25') {
  const ms = Number(seconds) * 1000
  const restore = setReporter(({ what, error }) => console.log(`reported: ${what}: ${String(error)}`))

  reactor.callLater(ms, () => console.log('one: I stand'))
  try {
    reactor.callLater(2 * ms, () => {
      console.log('two: I stumble')
      throw new Error('and fall')
    })
    console.log('main: nothing was thrown here')
  } catch {
    console.log('main: caught it (this is never printed)')
  }
  reactor.callLater(3 * ms, () => console.log('three: I stand as well'))
  reactor.callLater(4 * ms, () => reactor.stop())

  return reactor.whenStopped().addBoth(restore)
}

if (process.argv[1] === import.meta.filename) react(main)
