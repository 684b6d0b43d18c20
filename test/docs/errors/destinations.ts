import {
  connectProtocol,
  type ConnectionClosed,
  ConnectionRefusedError,
  LineReceiver,
  TCPClientEndpoint,
} from 'couplet'
import { Sim } from 'couplet/sim'
import { connected } from 'couplet/testing'

class Talk extends LineReceiver {
  override lineReceived() {}
  override connectionLost({ message, cause }: ConnectionClosed) {
    console.log(message)
    if (cause instanceof Error && 'code' in cause) console.log(cause.code)
  }
}

// An attempt failed: its errback, and no hook.
const sim = new Sim()
connectProtocol(new TCPClientEndpoint(sim.host('here').reactor, 'localhost', 9), new Talk()).addErrback((failure) => {
  failure.trap(ConnectionRefusedError)
  console.log(failure.getErrorMessage())
})
sim.advance() // → 127.0.0.1:9: connection refused (is the server running?)

// A connection ended: connectionLost. What broke is the cause.
const transport = connected(new Talk())
transport.receive('x'.repeat(20_000))
transport.end()
// → connection aborted: a line of 16385 bytes or more was offered, the limit is 16384 (raise maxLength to accept it)
// → ERR_LINE_TOO_LONG

// The program is wrong: thrown, and nothing is sent.
try {
  new Talk().sendLine('two\r\nlines')
} catch (error) {
  console.log((error as { code: string }).code) // → ERR_LOCAL_PROTOCOL
}
