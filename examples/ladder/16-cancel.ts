/**
 * Cancels what is not wanted any more: the reader says so, and the poet stops.
 *
 * Look at both sides. Ann's chain gets a CancelledError, and her poet learns in the middle of the poem that she has
 * left; he does not go on talking to nobody. One cancels the Deferred that one holds; what that means is known by
 * whoever made it, and `getPoetry` hangs up. Ben cancels when he has his poem, and nothing happens. Try: cancel at
 * once; then the connection is not even made. Try: `new Deferred(() => console.log('given up'))`, and cancel that.
 */
import {
  CancelledError,
  ConnectingCancelledError,
  type ConnectionClosed,
  Factory,
  type Reactor,
  TCPClientEndpoint,
  toBytes,
} from 'couplet'
import { react } from 'couplet/node'
import { builtInPoems, getPoetry, PoetryProtocol } from 'couplet/poetry'
import { numberOf } from './00-poets.ts'

/** A slow poet who says how it ended. */
class WatchfulPoet extends PoetryProtocol {
  override connectionLost(reason: ConnectionClosed) {
    console.log(`  a poet: ${reason.name}`)
  }
}

export async function main(reactor: Reactor, seconds = '0.25') {
  const delay = Number(seconds) * 1000
  const poets = Factory.forProtocol(() => new WatchfulPoet(reactor, toBytes(builtInPoems[0].text), { delay }))
  const port = await reactor.listenTCP(0, poets, { interface: '127.0.0.1' })

  const read = (name: string) =>
    getPoetry(new TCPClientEndpoint(reactor, '127.0.0.1', numberOf(port))).addCallbacks(
      (poem) => {
        console.log(`${name} has the whole poem`)
        return poem.split('\n')[0]
      },
      (failure) => {
        failure.trap(CancelledError, ConnectingCancelledError)
        console.log(`${name} has no poem: ${(failure.value as Error).cause}`)
      },
    )
  const ann = read('Ann')
  const ben = read('Ben')
  reactor.callLater(2.5 * delay, () => ann.cancel('the telephone rang'))
  await ann
  await ben
  ben.cancel('too late')
  console.log(`Ben has it still: ${ben}`)
}

if (process.argv[1] === import.meta.filename) react(main)
