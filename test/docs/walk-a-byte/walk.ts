import { connect } from 'node:net'
import { Deferred, Factory, type IPv4Address, LineReceiver, Recorder, setTracer } from 'couplet'
import { NodeReactor } from 'couplet/node'
import { fromDeferred } from 'couplet/rx'

const line = new Deferred<Uint8Array>()

class OneLine extends LineReceiver {
  override delimiter = '\n'
  override lineReceived(bytes: Uint8Array) {
    line.callback(bytes)
    this.sendLine('thank you')
  }
}

const reactor = new NodeReactor()
const factory = Factory.forProtocol(() => new OneLine())
const port = await reactor.listenTCP(0, factory, { interface: '127.0.0.1' })
fromDeferred(line).subscribe(({ length }) => console.log(`a line of ${length} bytes`)) // → a line of 0 bytes

const recorder = new Recorder({ now: () => reactor.now() })
const restore = setTracer(recorder)
const client = connect((port.host as IPv4Address).port, '127.0.0.1')
client.write('\n')
await new Promise((answered) => client.once('data', answered))
restore()

let depth = 0
const begin = recorder.events.findIndex(({ k }) => k === 'bytes.arrive')
for (const { k, what, n } of recorder.events.slice(begin)) {
  if (k === 'end') depth--
  else console.log(`${'. '.repeat(depth)}${[k, what ?? n].join(' ').trimEnd()}`)
  if (k === 'call' || k === 'd.fire' || k === 'd.run' || k === 'rx.next') depth++
}
// → bytes.arrive 1
// → call dataReceived
// → . bytes.recv 1
// → . frame.in 1
// → . d.fire
// → . . d.run
// → . . . rx.next
// → . . . rx.complete
// → . frame.out 10
// → . bytes.write 9
// → . bytes.write 1
// → bytes.sent 10
client.end()
await port.stopListening()
