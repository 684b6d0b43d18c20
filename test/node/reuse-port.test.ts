/** Several sockets on one port: where Node can do it, and what it is said to need where it cannot. */
import { CannotListenError, DatagramProtocol, Factory, IPv4Address, Protocol, UNIXAddress } from 'couplet'
import { NodeReactor } from 'couplet/node'
import { describe, expect, it, onTestFinished } from 'vitest'
import { whyNoReusePort } from '../../src/framework/node/reuse-port.ts'
import { until } from './loopback.ts'

const shared = { interface: '127.0.0.1', reusePort: true }
const canShare = whyNoReusePort() === undefined && process.platform === 'linux'
const version = process.versions.node

class Counter extends Protocol {
  static readonly met: string[] = []
  readonly #who: string
  constructor(who: string) {
    super()
    this.#who = who
  }
  override connectionMade(): void {
    Counter.met.push(this.#who)
    this.transport.loseConnection()
  }
}

class Inbox extends DatagramProtocol {
  readonly got: string[]
  constructor(got: string[]) {
    super()
    this.got = got
  }
  override datagramReceived(datagram: Uint8Array): void {
    this.got.push(String(datagram))
  }
}

describe.runIf(canShare)(`reusePort (Node ${version} has it)`, () => {
  it('lets several servers listen on one port, each of which gets some of the clients', async () => {
    const reactors = [new NodeReactor(), new NodeReactor()]
    const serve = async (reactor: NodeReactor, who: string, port: number): Promise<number> => {
      const factory = Factory.forProtocol(() => new Counter(who))
      const opened = await reactor.listenTCP(port, factory, shared)
      onTestFinished(() => opened.stopListening({ drain: 0 }).toPromise())
      return (opened.host as IPv4Address).port
    }
    const port = await serve(reactors[0]!, 'one', 0)
    await serve(reactors[1]!, 'other', port)
    const client = new NodeReactor()
    // 64 times the same one of the two: that would be chance once in 10^19.
    const dials = Array.from({ length: 64 }, () => client.dial(new IPv4Address('TCP', '127.0.0.1', port)))
    for (const connection of await Promise.all(dials)) onTestFinished(() => connection.abortConnection())
    await until(() => Counter.met.length === 64)
    expect(new Set(Counter.met)).toEqual(new Set(['one', 'other']))
  })

  it('lets several ports have the datagrams of one', async () => {
    const got: string[] = []
    const reactor = new NodeReactor()
    const first = await reactor.listenUDP(0, new Inbox(got), shared)
    onTestFinished(() => first.stopListening().toPromise())
    const second = await reactor.listenUDP(first.host.port, new Inbox(got), shared)
    onTestFinished(() => second.stopListening().toPromise())
    expect(second.host).toEqual(first.host)
    first.write('x', second.host)
    await until(() => got.length === 1)
  })
})

describe.runIf(whyNoReusePort() !== undefined)(`reusePort (Node ${version} does not know it)`, () => {
  const needed = `reusePort needs Node 22.12 or 23.1, and this is ${version}`

  it('is refused by listenTCP, which says what is needed, and what else there is', async () => {
    const listening = new NodeReactor().listenTCP(
      0,
      Factory.forProtocol(() => null),
      shared,
    )
    await expect(listening).rejects.toBeInstanceOf(CannotListenError)
    await expect(listening).rejects.toThrow(`127.0.0.1:0: cannot listen: ${needed} (node:cluster shares a port`)
  })

  it('is refused by listenUDP in the same words', async () => {
    const listening = new NodeReactor().listenUDP(0, new Inbox([]), shared)
    await expect(listening).rejects.toBeInstanceOf(CannotListenError)
    await expect(listening).rejects.toThrow(needed)
  })
})

describe('reusePort', () => {
  it('means nothing to a path', async () => {
    const listening = new NodeReactor().listen(new UNIXAddress('/tmp/never'), () => {}, { reusePort: true })
    await expect(listening).rejects.toBeInstanceOf(CannotListenError)
    await expect(listening).rejects.toThrow(/only ports of TCP and UDP .*can be shared \(reusePort\)/)
  })
})
