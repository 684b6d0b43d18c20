import { connectProtocol, Factory, Protocol, type PushProducer, TCPClientEndpoint } from 'couplet'
import { Sim } from 'couplet/sim'
import { AccumulatingProtocol } from 'couplet/testing'

/** Says as much as is taken. */
class Talker extends Protocol implements PushProducer {
  #paused = false
  pauses = 0
  override connectionMade() {
    this.transport.registerProducer(this, true)
    this.resumeProducing()
  }
  pauseProducing() {
    this.#paused = true
    this.pauses++
  }
  resumeProducing() {
    this.#paused = false
    while (!this.#paused) this.transport.write('blah '.repeat(1000))
  }
  stopProducing() {
    this.#paused = true
  }
}

const sim = new Sim({ latency: 20 })
const talker = new Talker()
sim.host('talker').reactor.listenTCP(
  8000,
  Factory.forProtocol(() => talker),
)
sim.advance()
const listener = new AccumulatingProtocol()
connectProtocol(new TCPClientEndpoint(sim.host('listener').reactor, 'talker', 8000), listener)
sim.advance(1000)
listener.transport.pauseProducing()
sim.advance(1000)
const { queued } = talker.transport
const { pauses } = talker
console.log(queued > 0, queued < 131_072) // → true true
sim.advance(1000)
console.log(talker.pauses - pauses) // → 0
listener.transport.resumeProducing()
sim.advance(1000)
console.log(talker.pauses > pauses) // → true
