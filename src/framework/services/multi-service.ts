/**
 * Several services as one: started in order, stopped in reverse, so that whatever a service needs is there before it
 * starts and until it has stopped.
 *
 * Ancestor: `twisted.application.service.MultiService`, which waits for no start, and tells all to stop at once.
 */
import { Deferred } from '../deferred/deferred.ts'
import { inlineCallbacks } from '../deferred/inline-callbacks.ts'
import { succeed } from '../deferred/wrapping.ts'
import { ServicesNotStopped } from './errors.ts'
import { Service } from './service.ts'

/**
 * A start that fails stops those that have started already; a stop that fails does not keep the others from being
 * stopped. Iterate over it for its services, in order.
 *
 * @example
 * const server = new MultiService()
 * server.addService(new EndpointService(endpoint, factory))
 * server.addService(new TimerService(reactor, 60_000, () => log.flush()))
 */
export class MultiService extends Service implements Iterable<Service> {
  readonly #services = new Set<Service>();

  /** Its services, in the order in which they are started. */
  [Symbol.iterator](): IterableIterator<Service> {
    return this.#services.values()
  }

  /** @throws Error if there is none of that name */
  getServiceNamed(name: string): Service {
    for (const service of this.#services) if (service.name === name) return service
    const names = [...this.#services].flatMap((service) => service.name ?? [])
    throw new Error(`${this} has no service named ${name} (it has ${names.join(', ') || 'none with a name'})`)
  }

  /**
   * Puts a service at the end. If this one runs, it is started now; while this one starts, when it is its turn.
   *
   * @returns fires when it runs, or is to wait for our start; fails if it does not start: it is still in here then, and
   *   will be started the next time. Cancelling it stops that start
   * @throws Error if it has a parent, is this one or contains it, or if its name is taken
   */
  addService(service: Service): Deferred<void> {
    if (service.parent !== undefined)
      throw new Error(`${service} belongs to ${service.parent} (take it out there first)`)
    if (this.#isInside(service)) throw new Error(`${service} cannot be put into itself`)
    for (const { name } of this.#services)
      if (name !== undefined && name === service.name) throw new Error(`${this} has a service named ${name} already`)
    this.#services.add(service)
    service.setParent(this)
    if (this.state === 'running') return service.startService()
    if (this.state !== 'starting') return succeed()
    const started = new Deferred<void>()
    // Whoever gives this up does not want all the others stopped.
    this.startService().chainDeferred(started)
    return started
  }

  /**
   * Takes a service out, and stops it, unless this one is stopped.
   *
   * @returns fires when it is stopped, or fails as its `stopService` does
   * @throws Error if it is not in here
   */
  removeService(service: Service): Deferred<void> {
    if (!this.#services.delete(service)) throw new Error(`${service} is not in ${this}`)
    service.setParent(undefined)
    return this.state === 'stopped' ? succeed() : service.stopService()
  }

  #isInside(service: Service): boolean {
    if (service === this) return true
    let above = this.parent
    while (above !== undefined && above !== service) above = above.parent
    return above !== undefined
  }

  protected override starting(): Deferred<void> {
    return this.#startInOrder()
  }

  protected override stopping(): Deferred<void> {
    return this.#stopInReverse()
  }

  readonly #startInOrder = inlineCallbacks(function* (this: MultiService) {
    // A Set's iterator comes to those that are added on the way.
    for (const service of this.#services) {
      try {
        yield* service.startService()
      } catch (error) {
        // It may have been taken out while it was starting; then that is not our failure.
        if (this.#services.has(service) || this.state !== 'starting') throw error
      }
    }
  })

  readonly #stopInReverse = inlineCallbacks(function* (this: MultiService) {
    const failed: [name: string, error: unknown][] = []
    for (const service of [...this.#services].reverse()) {
      try {
        yield* service.stopService()
      } catch (error) {
        failed.push([String(service), error])
      }
    }
    if (failed.length > 0) throw new ServicesNotStopped(String(this), failed)
  })
}
