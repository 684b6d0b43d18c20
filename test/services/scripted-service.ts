/** A service that starts and stops when the test says so, and writes down what it is told. */
import { Deferred, Service, type ServiceWork } from 'couplet'

export class ScriptedService extends Service {
  /** What was called, of all services that share it. */
  readonly log: string[]
  /** What the next start and stop wait for, if anything. */
  start: ServiceWork = undefined
  stop: ServiceWork = undefined

  constructor(name: string, log: string[] = []) {
    super()
    this.setName(name)
    this.log = log
  }

  /** The next start takes until the Deferred fires. */
  slowStart(): Deferred<void> {
    const started = new Deferred<void>(() => this.log.push(`${this} cancelled`))
    this.start = started
    return started
  }

  /** The next stop takes until the Deferred fires. */
  slowStop(): Deferred<void> {
    const stopped = new Deferred<void>()
    this.stop = stopped
    return stopped
  }

  protected override starting(): ServiceWork {
    this.log.push(`${this} starting`)
    const { start } = this
    this.start = undefined
    return start
  }

  protected override stopping(): ServiceWork {
    this.log.push(`${this} stopping`)
    const { stop } = this
    this.stop = undefined
    return stop
  }
}
