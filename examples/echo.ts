/**
 * Echo (RFC 862), over TCP and over UDP: run it with `npm run example -- echo`, then `nc 127.0.0.1 7007`, or `nc -u`.
 *
 * Look at what one line of protocol has behind it: a client that sends and never reads is not read from any more, and a
 * client that half-closes gets the rest of its echo. Try: `head -c 50M /dev/zero | nc -N 127.0.0.1 7007 | wc -c`.
 */
import {
  DatagramProtocol,
  Factory,
  idleTimeout,
  type IPAddress,
  limitConnections,
  Protocol,
  withPolicies,
} from 'couplet'
import { react } from 'couplet/node'

export class Echo extends Protocol {
  override dataReceived(chunk: Uint8Array): void {
    this.transport.write(chunk)
  }
}

export class EchoDatagrams extends DatagramProtocol {
  override datagramReceived(datagram: Uint8Array, from: IPAddress): void {
    // The sender may be forged: the echo service of another host, say, and the two would never stop. Those have low ports.
    if (from.port >= 1024) this.transport.write(datagram, from)
  }

  /** Whoever asked has gone meanwhile. */
  override datagramLost(): void {}
}

if (process.argv[1] === import.meta.filename) {
  react(async (reactor, port = '7007') => {
    const local = { interface: '127.0.0.1' }
    const echo = Factory.forProtocol(() => new Echo())
    const guarded = withPolicies(echo, limitConnections(1000), idleTimeout(reactor, 60_000))
    const stream = await reactor.listenTCP(Number(port), guarded, local)
    const datagrams = await reactor.listenUDP(Number(port), new EchoDatagrams(), local)
    console.log(`listening on ${stream.host}, datagrams on ${datagrams.host}`)
    await reactor.whenStopped()
  })
}
