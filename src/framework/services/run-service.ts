/**
 * A program that is a service: it runs until the reactor is stopped.
 *
 * Ancestor: what `twistd` does with an `application`.
 */
import type { Reactor } from '../core/reactor.ts'
import { inlineCallbacks, type InlineGenerator } from '../deferred/inline-callbacks.ts'
import type { Service } from './service.ts'

/**
 * Starts `service`, and stops it when the reactor stops: `react` does that on SIGINT and SIGTERM.
 *
 * @returns fires when it is stopped; fails when it cannot start, or with what stopping it failed with. Cancelling it
 *   stops the service
 * @example react((reactor) => runService(reactor, poetryServer(reactor)))
 */
export const runService = inlineCallbacks(function* (reactor: Reactor, service: Service): InlineGenerator<void> {
  const stopped = reactor.whenStopped().addCallback(() => service.stopService())
  try {
    yield* service.startService()
  } catch (error) {
    // If it was told to stop while it was starting, that it has not started is no failure.
    if (!stopped.called) {
      stopped.cancel()
      yield* service.stopService()
      throw error
    }
  }
  try {
    yield* stopped
  } finally {
    yield* service.stopService()
  }
})
