/** Two hosts, a server on the one and people at terminals on the other, who type lines and read lines. */
import { type Factory, IPv4Address, LineReceiver, toText } from 'couplet'
import { Sim } from 'couplet/sim'

/** Somebody with a terminal. */
export class Person extends LineReceiver {
  override delimiter = '\n'
  /** What has come since it was last read, a line each. */
  #heard: string[] = []
  gone: string | undefined

  override lineReceived(line: Uint8Array): void {
    this.#heard.push(toText(line).trimEnd())
  }

  override connectionLost(reason: Error): void {
    this.gone = reason.name
  }

  types(...lines: string[]): void {
    for (const line of lines) this.sendLine(line)
  }

  reads(): string[] {
    return this.#heard.splice(0)
  }
}

/** A server in a simulated world; `come` is somebody who connects to it. */
export function servedBy(factory: (sim: Sim) => Factory): { sim: Sim; come: (...lines: string[]) => Person } {
  const sim = new Sim({ latency: 1, delivery: 'bytes' })
  const server = sim.host('server').reactor
  server.listenTCP(8000, factory(sim))
  const client = sim.host('client').reactor
  sim.advance(1)
  const come = (...lines: string[]): Person => {
    const person = new Person()
    client.dial(new IPv4Address('TCP', '10.0.0.1', 8000)).addCallback((connection) => connection.deliverTo(person))
    sim.advance(10)
    person.types(...lines)
    sim.advance(10)
    return person
  }
  return { sim, come }
}
