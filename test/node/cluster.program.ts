/**
 * Two workers of node:cluster that run another program, and a primary that passes its signal on to them and says how
 * they end.
 */
import cluster from 'node:cluster'
import { once } from 'node:events'
import { react } from 'couplet/node'

react(
  async (reactor, exec = '', ...args) => {
    cluster.setupPrimary({ exec, args })
    const workers = [cluster.fork(), cluster.fork()]
    await Promise.all(workers.map((worker) => once(worker, 'listening')))
    for (const { process } of workers) console.log(`worker ${process.pid}`)
    const ends = workers.map(async (worker) => {
      const [code] = (await once(worker, 'exit')) as [number | null]
      console.log(`worker ended with ${code}`)
    })
    void reactor.whenStopped().addCallback(() => {
      for (const { process } of workers) process.kill('SIGTERM')
    })
    await Promise.all(ends)
  },
  undefined,
  { drain: 60_000 },
)
