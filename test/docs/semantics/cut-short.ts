import { type ConnectionClosed, LineReceiver } from 'couplet'
import { connected } from 'couplet/testing'

class Reader extends LineReceiver {
  override lineReceived() {}
  override connectionLost(reason: ConnectionClosed) {
    console.log(`${reason.name}, because of ${(reason.cause as Error | undefined)?.name}`)
  }
}

const transport = connected(new Reader())
transport.receive('Some say the world will e')
transport.end() // → ConnectionLost, because of IncompleteFrame
