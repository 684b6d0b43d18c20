/**
 * A server for the Shout protocol: run it with `npm run example -- shout`, then talk to it with `nc 127.0.0.1 8000`.
 *
 * Look at the three parts: where to listen, who makes a protocol for each connection, and when the program ends
 * (Ctrl-C; open connections are closed properly). Try: another endpoint string, `npm run example -- shout tcp:9000`.
 */
import { Factory, serverFromString } from 'couplet'
import { react } from 'couplet/node'
import { Shout } from './shout-protocol.ts'

react(async (reactor, endpoint = 'tcp:8000:interface=127.0.0.1') => {
  const port = await serverFromString(reactor, endpoint).listen(Factory.forProtocol(() => new Shout()))
  console.log(`listening on ${port.host}`)
  await reactor.whenStopped()
})
