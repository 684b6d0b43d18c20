/** A port for datagrams without a network: it remembers what a protocol sends, and the test plays the senders. */
import {
  type Data,
  type DatagramProtocol,
  type DatagramTransport,
  type Deferred,
  type IPAddress,
  IPv4Address,
  succeed,
  toBytes,
  toText,
} from 'couplet'

export class DatagramPortInMemory implements DatagramTransport {
  readonly host = new IPv4Address('UDP', '10.0.0.1', 5000)
  readonly peer = undefined
  readonly queued = 0
  readonly sent: [text: string, to: string][] = []
  readonly #protocol: DatagramProtocol

  constructor(protocol: DatagramProtocol) {
    this.#protocol = protocol
    void protocol.makeConnection(this)
  }

  arrive(data: Data, from: IPAddress): void {
    void this.#protocol.datagramReceived(toBytes(data), from)
  }

  write(data: Data, to?: IPAddress): void {
    this.sent.push([toText(toBytes(data)), String(to)])
  }

  connect(): Deferred<void> {
    throw new Error('none of the examples connects its port')
  }

  stopListening(): Deferred<void> {
    void this.#protocol.stopProtocol()
    return succeed()
  }
}
