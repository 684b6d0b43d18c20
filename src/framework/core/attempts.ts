/**
 * Attempts to connect to one of several addresses: the first that succeeds wins, the others are given up.
 *
 * An attempt that fails makes room for the next one at once; one that only takes long gets company, and goes on. No
 * ancestor that does both: Twisted's HostnameEndpoint waits after a failure, Node's `autoSelectFamily` gives up what is
 * slow. RFC 8305, section 5.
 */
import { Deferred } from '../deferred/deferred.ts'
import type { IPAddress } from './address.ts'
import type { DelayedCall } from './clock.ts'
import { AllAttemptsFailed, ConnectError } from './errors.ts'
import type { DialOptions, Reactor } from './reactor.ts'
import type { Connection } from './transport.ts'

/** What there is to try, and how long. */
export interface AttemptsPlan {
  /** With their ports, in the order in which to try them; 1 or more. */
  readonly addresses: readonly IPAddress[]
  readonly dialOptions: DialOptions
  /** When all has to be over, on the reactor's clock. */
  readonly deadline: number
  /** Milliseconds that one attempt may take. */
  readonly attemptTimeout: number
  /** Milliseconds from one attempt to the next, if it has not failed. For ever unless given. */
  readonly attemptDelay: number | undefined
}

export class Attempts {
  /**
   * Fires with the first connection. Fails with what the only attempt failed with, with AllAttemptsFailed after several,
   * or with what says that the program is wrong (no ConnectError), however many are left; cancelling it gives all up.
   */
  readonly first: Deferred<Connection>
  readonly #reactor: Reactor
  readonly #where: string
  readonly #plan: AttemptsPlan
  readonly #running = new Set<Deferred<Connection>>()
  readonly #errors: Error[] = []
  /** How many were begun. */
  #begun = 0
  /** When the next one begins, if none fails before. */
  #next: DelayedCall | undefined
  #over = false

  /** Begins. @param where whom we try to reach, for people */
  constructor(reactor: Reactor, where: string, plan: AttemptsPlan) {
    this.#reactor = reactor
    this.#where = where
    this.#plan = plan
    this.first = new Deferred<Connection>(() => this.#stop())
    this.#begin()
  }

  #begin(): void {
    const { addresses, dialOptions, deadline, attemptTimeout, attemptDelay } = this.#plan
    this.#wait()
    const address = addresses[this.#begun]
    const left = deadline - this.#reactor.now()
    if (address === undefined || left <= 0) {
      if (this.#running.size === 0) this.#allFailed()
      return
    }
    this.#begun++
    if (attemptDelay !== undefined && this.#begun < addresses.length) this.#wait(attemptDelay)
    const attempt = this.#reactor.dial(address, { ...dialOptions, timeout: Math.min(left, attemptTimeout) })
    this.#running.add(attempt)
    attempt.addCallbacks(
      (connection) => this.#succeeded(attempt, connection),
      ({ value }) => this.#failed(attempt, value as Error),
    )
  }

  #succeeded(attempt: Deferred<Connection>, connection: Connection): void {
    this.#running.delete(attempt)
    if (this.#over) {
      connection.abortConnection()
      return
    }
    this.#stop()
    this.first.callback(connection)
  }

  #failed(attempt: Deferred<Connection>, error: Error): void {
    this.#running.delete(attempt)
    if (this.#over) return
    this.#errors.push(error)
    if (error instanceof ConnectError) {
      this.#begin()
    } else {
      this.#stop()
      this.first.errback(error)
    }
  }

  #allFailed(): void {
    const { addresses } = this.#plan
    const untried = addresses
      .slice(this.#begun)
      .map((address) => new ConnectError(address, 'was not tried, because the time was over'))
    const [only, ...others] = [...this.#errors, ...untried]
    this.#stop()
    this.first.errback(others.length === 0 ? only : new AllAttemptsFailed(this.#where, [only!, ...others]))
  }

  /** Nothing is left of the attempts after this. */
  #stop(): void {
    this.#over = true
    this.#wait()
    for (const attempt of this.#running) attempt.cancel()
  }

  /** Begins the next attempt so many milliseconds from now, or not by itself. */
  #wait(ms?: number): void {
    if (this.#next?.active() === true) this.#next.cancel()
    this.#next = ms === undefined ? undefined : this.#reactor.callLater(ms, () => this.#begin())
  }
}
