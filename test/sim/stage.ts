/** A world with a server and a client, and a connection between them with a witness at each end. */
import { type Connection, type Deferred, IPv4Address, type UNIXAddress } from 'couplet'
import { Sim, type SimHost, type SimOptions } from 'couplet/sim'
import { successResultOf, Witness, type WitnessScript } from 'couplet/testing'

export const tcp = (host: string, port: number): IPv4Address => new IPv4Address('TCP', host, port)

/** The outcome of a Deferred by now. */
export function outcome<T>(deferred: Deferred<T>): { value?: T; error?: unknown } {
  const result: { value?: T; error?: unknown } = {}
  deferred.addCallbacks(
    (value) => void (result.value = value),
    (failure) => void (result.error = failure.value),
  )
  return result
}

export class World {
  readonly sim: Sim
  readonly server: SimHost
  readonly client: SimHost
  /** The server's witnesses, in the order in which they came. */
  readonly served: Witness[] = []

  constructor(options: SimOptions = {}) {
    this.sim = new Sim(options)
    this.server = this.sim.host('server')
    this.client = this.sim.host('client')
  }

  /** Opens a port; each connection gets a witness. */
  listen(script: WitnessScript = {}, options = {}, at: IPv4Address | UNIXAddress = tcp('0.0.0.0', 80)): void {
    const accept = (connection: Connection): void => {
      const witness = new Witness(script)
      this.served.push(witness)
      connection.deliverTo(witness)
    }
    const opened = this.server.reactor.listen(at, accept, options)
    this.sim.advance()
    successResultOf(opened)
  }

  dial(options = {}): { value?: Connection; error?: unknown } {
    return outcome(this.client.reactor.dial(tcp('10.0.0.1', 80), options))
  }

  /** Opens a port, connects, and lets `ms` pass for that. */
  connect(near: WitnessScript = {}, far: WitnessScript = {}, ms = 1000): { near: Witness; far: Witness } {
    if (this.served.length === 0) this.listen(far)
    const dialed = this.dial()
    this.sim.advance(ms)
    if (dialed.value === undefined) throw new Error(`not connected: ${String(dialed.error)}`)
    const witness = new Witness(near)
    dialed.value.deliverTo(witness)
    return { near: witness, far: this.served.at(-1)! }
  }
}
