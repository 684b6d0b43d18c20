/**
 * A live word count: run it with `npm run example -- rx-word-count`, and send it text: `nc 127.0.0.1 8000 < README.md`.
 *
 * Look at how little there is: the network is one more source of events. Try: two clients at once; both are counted.
 */
import { serverFromString } from 'couplet'
import { react } from 'couplet/node'
import { wordCounts } from './rx-word-counts.ts'

react(async (reactor, endpoint = 'tcp:8000:interface=127.0.0.1') => {
  const opened = (address: string) => console.log(`listening on ${address}`)
  const counting = wordCounts(serverFromString(reactor, endpoint), 1000, reactor, opened).subscribe((counts) =>
    console.log(counts.map(([word, count]) => `${word} ${count}`).join(', ')),
  )
  await reactor.whenStopped()
  counting.unsubscribe()
})
