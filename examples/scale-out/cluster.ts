/**
 * The server as several processes on one port: `npm run example -- scale-out/cluster 2`. SIGHUP replaces them one after
 * another, and no client is dropped; Ctrl-C or SIGTERM ends them all in good order.
 *
 * Look at what a worker does: it runs the same server, and stops when it is told to. Try: kill one of them.
 */
import cluster, { type Worker } from 'node:cluster'
import { availableParallelism } from 'node:os'
import { DeferredLock, type Reactor } from 'couplet'
import { react, reactor } from 'couplet/node'

const workers = new Set<Worker>()

/** Starts a worker. Fails if it ends before it listens; it has said why. */
async function hire() {
  const worker = cluster.fork()
  // What it cannot be told because it is ending is no news: its end is.
  worker.on('error', () => {})
  await new Promise<void>((resolve, reject) => {
    worker.once('listening', () => resolve())
    worker.once('exit', () => reject(Object.assign(new Error(), { exitCode: 1 })))
  })
  workers.add(worker)
}

/** Lets a worker finish what it has begun, unless it has ended by itself. */
async function retire(worker: Worker) {
  if (!workers.delete(worker)) return
  await new Promise((resolve) => {
    worker.once('exit', resolve)
    worker.send('stop', () => {})
  })
}

async function main(
  reactor: Reactor,
  processes = `${availableParallelism()}`,
  endpoint = 'tcp:8000:interface=127.0.0.1',
) {
  cluster.setupPrimary({ args: [endpoint] })
  for (let started = 0; started < Number(processes); started++) await hire()
  const oneAtATime = new DeferredLock()
  cluster.on('exit', (worker) => {
    if (workers.delete(worker)) oneAtATime.run(hire)
  })
  process.on('SIGHUP', () => {
    oneAtATime.run(async () => {
      const old = [...workers]
      for (const worker of old) {
        await hire()
        await retire(worker)
      }
      console.log('all are new')
    })
  })
  console.log(`${process.pid} is the primary`)
  await reactor.whenStopped()
  await oneAtATime.run(() => Promise.all([...workers].map(retire)))
}

if (cluster.isPrimary) {
  react(main, undefined, { drain: 15_000 })
} else {
  // Not by a signal: Ctrl-C and systemd send theirs to all of us, and the second one means "at once".
  process.on('message', () => reactor.stop('the primary'))
  await import('./server.ts')
}
