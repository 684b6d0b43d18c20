import { type ConnectionClosed, connectProtocol, Factory, LineReceiver, setReporter } from 'couplet'
import { TCPClientEndpoint, toText } from 'couplet'
import { Sim } from 'couplet/sim'
import { AccumulatingProtocol } from 'couplet/testing'

class Calculator extends LineReceiver {
  override lineReceived(line: Uint8Array) {
    this.sendLine(String(BigInt(toText(line)) ** 2n))
  }
  override connectionLost(reason: ConnectionClosed) {
    console.log(`${reason.name}, because of ${(reason.cause as Error).name}`)
  }
}

const sim = new Sim()
const { reactor } = sim.host('here')
reactor.listenTCP(
  8000,
  Factory.forProtocol(() => new Calculator()),
)
sim.advance()
const [ann, ben] = [new AccumulatingProtocol(), new AccumulatingProtocol()]
for (const client of [ann, ben]) connectProtocol(new TCPClientEndpoint(reactor, 'localhost', 8000), client)
sim.advance()

const restore = setReporter(({ what }) => console.log(what.replace(/with .* is/, 'with … is')))
ann.transport.write('seven\r\n')
sim.advance()
// → dataReceived of Calculator failed, so the connection with … is aborted
// → ConnectionAborted, because of SyntaxError
console.log(ann.closedReason?.name) // → ConnectionLost
ben.transport.write('7\r\n')
sim.advance()
console.log(ben.text().trim()) // → 49
restore()
