/**
 * A program as a worker of `node:cluster`: before it leaves it hands back the clients that it will not serve, and it does
 * not outlive its primary with poems half said.
 *
 * The primary accepts connections and sends them to its workers. One that it sends to a worker which has just ended is
 * lost: nobody answers it, nobody closes it, its client waits for ever. No ancestor.
 */
import cluster from 'node:cluster'
import { Deferred } from '../deferred/deferred.ts'
import { succeed } from '../deferred/wrapping.ts'
import type { NodeReactor } from './node-reactor.ts'

/**
 * Closes all ports, and tells the primary that this worker leaves.
 *
 * @param within milliseconds that the primary gets to answer
 * @returns fires when nothing can come from there any more: all that did was handed back. At once in any other process
 */
export function leaveCluster(reactor: NodeReactor, within: number): Deferred<void> {
  const { worker } = cluster
  if (worker?.isConnected() !== true) return succeed()
  return reactor.stopPorts().addCallback(() => {
    const left = new Deferred<void>()
    const patience = reactor.callLater(within, () => left.callback())
    worker.once('disconnect', () => {
      if (!patience.active()) return
      patience.cancel()
      left.callback()
    })
    // Its answer to this comes behind everything that it has sent before it knew.
    worker.disconnect()
    return left
  })
}

/** Calls `f` when the primary has gone before this worker left; Node ends the worker right after that. */
export function whenPrimaryIsLost(f: () => void): void {
  const { worker } = cluster
  if (worker === undefined) return
  process.prependOnceListener('disconnect', () => {
    if (!worker.exitedAfterDisconnect) f()
  })
}
