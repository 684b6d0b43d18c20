import { amp, ConnectionLost, setReporter } from 'couplet'
import { connected } from 'couplet/testing'

class OutOfStock extends Error {}

const Order = amp.command('Order', {
  arguments: { count: amp.Integer() },
  errors: { OUT_OF_STOCK: OutOfStock },
})
const Cancel = amp.command('Cancel')

const shop = new amp.AMP().respond(Order, ({ count }) => {
  if (count < 1n) throw new RangeError('the shelf at 10.1.2.3 holds no such thing')
  throw new OutOfStock(`there are not ${count} left`)
})
const client = new amp.AMP()
const [there, here] = [connected(client), connected(shop)]
const failed = ({ value }: { value: unknown }) => console.log(String(value))
const restore = setReporter(({ what, error }) => console.log(`reported: ${what}: ${String(error)}`))

client.callRemote(Order, { count: 3n }).addErrback(failed)
client.callRemote(Cancel).addErrback(failed)
client.callRemote(Order, { count: 0n }).addErrback(failed)
client.callRemote(Order, { count: 1n }).addErrback(failed)

here.receive(there.value())
// → reported: The responder of Order failed: RangeError: the shelf at 10.1.2.3 holds no such thing
there.receive(here.value())
// → Error: there are not 3 left
// → UnhandledCommand: the peer answered with the error UNHANDLED: Unhandled Command: "Cancel"
// → UnknownRemoteError: the peer answered with the error UNKNOWN: Unknown Error
there.end(new ConnectionLost('the shop has closed'))
// → ConnectionLost: the shop has closed
restore()
