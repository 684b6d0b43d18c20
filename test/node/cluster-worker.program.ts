/**
 * A server that answers each connection with its number. `patient` waits until it is told to stop, and says when its port
 * is closed; `hasty` has had enough with its first client, and keeps port and connection open.
 */
import { Deferred, Factory, Protocol } from 'couplet'
import { type NodeReactor, react } from 'couplet/node'

const met = new Deferred<void>()

class Patient extends Protocol {
  override connectionMade(): void {
    this.transport.write(String(process.pid))
    this.transport.loseConnection()
  }
}

class Hasty extends Protocol {
  override connectionMade(): void {
    met.callback()
  }
}

const main = async (reactor: NodeReactor, kind?: string): Promise<void> => {
  const factory = Factory.forProtocol(() => (kind === 'hasty' ? new Hasty() : new Patient()))
  const port = await reactor.listenTCP(0, factory, { interface: '127.0.0.1' })
  console.log(`listening on ${port.host}`)
  if (kind === 'hasty') {
    await met
    return
  }
  await reactor.whenStopped()
  await port.stopListening()
  // By then it would have gone, if it did not wait for the primary.
  const later = (turns: number): unknown =>
    setImmediate(() => (turns === 0 ? console.log('closed, and still there') : later(turns - 1)))
  later(1000)
}

react(main, undefined, { drain: 60_000 })
