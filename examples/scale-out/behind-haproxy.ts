/**
 * Two servers behind HAProxy, which know their clients' addresses: `npm run example -- scale-out/behind-haproxy`, then
 * `nc 127.0.0.1 8000`. Needs HAProxy.
 *
 * Look at haproxy.cfg (`send-proxy-v2`), and at the endpoint (`haproxy:`, and who may speak for others). Try: leave
 * either of them out.
 */
import { fileURLToPath } from 'node:url'
import { react } from 'couplet/node'
import { Started, startServer } from './started.ts'

react(
  async (reactor, front = '127.0.0.1:8000') => {
    const endpoint = 'haproxy:trusted=127.0.0.1:tcp:0:interface=127.0.0.1'
    const env = {
      PATH: process.env['PATH'],
      FRONT: front,
      FIRST: await startServer(reactor, endpoint),
      SECOND: await startServer(reactor, endpoint),
    }
    const haproxy = new Started(/Loading success/)
    const config = fileURLToPath(new URL('haproxy.cfg', import.meta.url))
    await reactor.spawnProcess(haproxy, 'haproxy', ['-W', '-f', config], { env })
    await haproxy.found()
    console.log('all are there')
    await reactor.whenStopped()
    // It lets no new clients in; when the last of those that are here has left, the servers may go, too.
    if (haproxy.transport.pid !== undefined) haproxy.transport.signalProcess('SIGUSR1')
    await haproxy.ended()
  },
  undefined,
  { drain: 15_000 },
)
