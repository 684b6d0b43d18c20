/**
 * The server as several processes that know nothing of each other, each with a socket of its own on one port:
 * `npm run example -- scale-out/reuse-port 2`. Needs Node 22.12 or 23.1, and Linux.
 *
 * Look at what spreads the clients: the system, by a hash of the addresses. Try: Node 20, to see what it says.
 */
import { react } from 'couplet/node'
import { startServer } from './started.ts'

react(
  async (reactor, processes = '2', port = '8000') => {
    const endpoint = (port: string) => `tcp:${port}:interface=127.0.0.1:reusePort=1`
    const [, chosen = port] = (await startServer(reactor, endpoint(port))).split(':')
    for (let started = 1; started < Number(processes); started++) await startServer(reactor, endpoint(chosen))
    console.log('all are there')
    await reactor.whenStopped()
  },
  undefined,
  { drain: 15_000 },
)
