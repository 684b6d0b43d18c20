/**
 * A subscriber that comes back: run it with `npm run example -- rx-reconnect`, start `npm run example -- shout`, stop
 * that and start it again.
 *
 * Look at what is written when the server is away: nothing; the waits get longer, and short again after a success. Try:
 * print when a connection is made.
 */
import { clientFromString } from 'couplet'
import { react } from 'couplet/node'
import { faithfulLines } from './rx-faithful-lines.ts'

react(async (reactor, endpoint = 'tcp:127.0.0.1:8000', topic = 'rain') => {
  const lines = faithfulLines(clientFromString(reactor, endpoint), topic, reactor)
  const listening = lines.subscribe((line) => console.log(JSON.stringify(line)))
  await reactor.whenStopped()
  listening.unsubscribe()
})
