import { type ConnectionClosed, connectProtocol, Factory, LineReceiver, Protocol } from 'couplet'
import { TCPClientEndpoint, toText } from 'couplet'
import { Sim } from 'couplet/sim'

class Poet extends Protocol {
  override connectionMade() {
    this.transport.write('Some say the world will end in fire,\r\n')
    this.transport.loseConnection()
    this.transport.write('Some say in ice.\r\n') // too late: it is dropped
    console.log('poet: connectionMade returns')
  }
  override connectionLost(reason: ConnectionClosed) {
    console.log(`poet: ${reason.name}`)
  }
}

class Reader extends LineReceiver {
  override lineReceived(line: Uint8Array) {
    console.log(`reader: ${toText(line)}`)
  }
  override connectionLost(reason: ConnectionClosed) {
    console.log(`reader: ${reason.name}`)
  }
}

const sim = new Sim({ latency: 20 })
sim.host('poet').reactor.listenTCP(
  10_000,
  Factory.forProtocol(() => new Poet()),
)
connectProtocol(new TCPClientEndpoint(sim.host('reader').reactor, 'poet', 10_000), new Reader())
sim.advance(1000)
// → poet: connectionMade returns
// → reader: Some say the world will end in fire,
// → reader: ConnectionDone
// → poet: ConnectionDone
