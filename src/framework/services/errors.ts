/**
 * The errors of services: one who was waiting when the service was stopped, and a stop that went wrong.
 *
 * No ancestor: Twisted has a bare `CancelledError` for the first, and a DeferredList for the second.
 */
import { CancelledError } from '../deferred/errors.ts'
import { Failure } from '../deferred/failure.ts'

/**
 * The service was stopped, so what you wait for will not come: it has not started, or it will not connect. Like every
 * cancellation that was asked for, it is not reported if nobody takes it.
 */
export class ServiceStopped extends CancelledError {
  static {
    this.prototype.name = 'ServiceStopped'
  }
  override readonly code: string = 'ERR_SERVICE_STOPPED'

  /** @param service its name */
  constructor(service: string) {
    super(`${service} was stopped`)
  }
}

/** Some of the services in a MultiService failed to stop; all have been told to. Its `cause` is the first one's error. */
export class ServicesNotStopped extends Error {
  static {
    this.prototype.name = 'ServicesNotStopped'
  }
  readonly code: string = 'ERR_SERVICES_NOT_STOPPED'
  /** What each of them failed with, in the order in which they were stopped. */
  readonly errors: readonly unknown[]

  /** @param failed the names of those that failed, with their errors */
  constructor(service: string, failed: readonly (readonly [name: string, error: unknown])[]) {
    const each = failed.map(([name, error]) => `${name}: ${new Failure(error).getErrorMessage()}`)
    super(`${service}: stopping failed for ${each.join('; ')}`, { cause: failed[0]?.[1] })
    this.errors = failed.map(([, error]) => error)
  }
}
