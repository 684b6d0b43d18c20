/**
 * Discard (RFC 863), over TCP and over UDP: it reads and forgets. Run it with `npm run example -- discard`, then
 * `nc 127.0.0.1 7009`.
 *
 * Look at what is bounded although nothing is kept: how many may be here at once, how long one may say nothing, and how
 * fast all together may send. Try: `head -c 100M /dev/zero | nc -N 127.0.0.1 7009`, which takes ten seconds.
 */
import {
  type ConnectionClosed,
  DatagramProtocol,
  Factory,
  idleTimeout,
  limitConnections,
  Protocol,
  throttle,
  withPolicies,
} from 'couplet'
import { react } from 'couplet/node'

export class Discard extends Protocol {
  readonly #log: (line: string) => void
  #size = 0

  constructor(log: (line: string) => void = () => {}) {
    super()
    this.#log = log
  }

  override dataReceived(chunk: Uint8Array): void {
    this.#size += chunk.length
  }

  override connectionLost(reason: ConnectionClosed): void {
    this.#log(`${this.transport.peer}: ${this.#size} bytes (${reason.message})`)
  }
}

/** It has nothing to do: what nobody takes is discarded already. */
export class DiscardDatagrams extends DatagramProtocol {}

if (process.argv[1] === import.meta.filename) {
  react(async (reactor, port = '7009') => {
    const local = { interface: '127.0.0.1' }
    const discard = withPolicies(
      Factory.forProtocol(() => new Discard(console.log)),
      limitConnections(1000),
      idleTimeout(reactor, 60_000),
      throttle(reactor, { read: 10_000_000, shared: true }),
    )
    const stream = await reactor.listenTCP(Number(port), discard, local)
    const datagrams = await reactor.listenUDP(Number(port), new DiscardDatagrams(), local)
    console.log(`listening on ${stream.host}, datagrams on ${datagrams.host}`)
    await reactor.whenStopped()
  })
}
