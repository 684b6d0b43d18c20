import {
  ClientFactory,
  Factory,
  type IPv4Address,
  InvalidEndpoint,
  type ListeningPort,
  type Protocol,
  proxyHeaderBytes,
  type ServerEndpoint,
  serverFromString,
  standardParsers,
  TCPClientEndpoint,
} from 'couplet'
import { Sim } from 'couplet/sim'
import { AccumulatingProtocol, failureResultOf, successResultOf } from 'couplet/testing'
import { describe, expect, it } from 'vitest'

function hosts(): { sim: Sim; serverFrom: (text: string) => ServerEndpoint } {
  const sim = new Sim()
  const { reactor } = sim.host('server')
  return { sim, serverFrom: (text) => serverFromString(reactor, text) }
}

/** The client that a server at this endpoint sees, when 10.0.0.2 says it speaks for `source`. */
function seenThrough(text: string, header: Uint8Array): string | undefined {
  const { sim, serverFrom } = hosts()
  const { reactor } = sim.host('proxy')
  const peers: string[] = []
  const factory = Factory.forProtocol((peer) => {
    peers.push(String(peer))
    return new AccumulatingProtocol()
  })
  const listening = serverFrom(text).listen(factory)
  sim.advance()
  const port: ListeningPort = successResultOf(listening)
  const dialing = new TCPClientEndpoint(reactor, '10.0.0.1', (port.host as IPv4Address).port).connect(
    Factory.forProtocol(() => new AccumulatingProtocol()),
  )
  sim.advance()
  successResultOf(dialing).transport.write(header)
  sim.advance()
  return peers[0]
}

const header = new TextEncoder().encode('PROXY TCP4 192.0.2.1 198.51.100.1 5555 443\r\n')

describe('haproxy: before a server endpoint', () => {
  it.each([
    'haproxy:trusted=10.0.0.0/8:tcp:0',
    'haproxy:trusted=192.0.2.9,10.0.0.2:tcp:0:interface=10.0.0.1',
    'haproxy:trusted=\\:\\:1,10.0.0.2:timeout=250ms:tcp:0',
    'HAProxy:timeout=1s:trusted=10.0.0.2:TCP:0',
  ])('shows the client: %s', (text) => {
    expect(seenThrough(text, header)).toBe('192.0.2.1:5555')
    expect(seenThrough(text, proxyHeaderBytes(2))).toMatch(/^10\.0\.0\.2:/)
  })

  it('trusts nobody else', () => {
    expect(seenThrough('haproxy:trusted=10.0.0.3,\\:\\:1:tcp:0', header)).toBeUndefined()
  })

  it.each([
    ['haproxy:tcp:8000', 16, 'the argument trusted is missing'],
    ['haproxy:trusted=10.0.0.0/8', 26, 'another endpoint is missing'],
    ['haproxy:trusted=10.0.0.0/8:timeout=5', 36, 'another endpoint is missing'],
    ['haproxy:trusted=10.0.0.1/8:tcp:8000', 16, 'did you mean 10.0.0.0/8?'],
    ['haproxy:trusted=localhost:tcp:8000', 16, '"localhost" is not an IP address'],
    ['haproxy:trusted=::1:tcp:8000', 17, 'no server endpoint has the type ""'],
    ['haproxy:trust=10.0.0.1:tcp:8000', 8, 'no argument is called "trust"'],
    ['haproxy:trusted=10.0.0.1:tcp:port', 29, 'the argument port is a whole number'],
    ['haproxy:trusted=10.0.0.1:udp:8000', 25, 'no server endpoint has the type "udp"'],
  ])('says what is wrong in %s', (text, position, why) => {
    let thrown: unknown
    try {
      hosts().serverFrom(text)
    } catch (error) {
      thrown = error
    }
    expect(thrown).toBeInstanceOf(InvalidEndpoint)
    expect((thrown as InvalidEndpoint).message).toContain(why)
    expect((thrown as InvalidEndpoint).position).toBe(position)
  })

  it('is for servers only, and one of the standard types', () => {
    expect(standardParsers.get('haproxy')?.client).toBeUndefined()
    expect(standardParsers.get('haproxy')?.server).toBeDefined()
  })

  it('prints as it is written, and never throws on listening', () => {
    class Old extends ClientFactory {
      override buildProtocol(): Protocol {
        return new AccumulatingProtocol()
      }
    }
    const endpoint = hosts().serverFrom('haproxy:trusted=10.0.0.0/8:tcp:8000')
    expect(String(endpoint)).toMatch(/^haproxy:.*8000/)
    expect(failureResultOf(endpoint.listen(new Old())).value).toBeInstanceOf(TypeError)
  })
})
