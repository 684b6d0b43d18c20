/** AMP over real sockets: many calls, long answers, and StartTLS between two of ours. */
import { amp, connectProtocol, Factory, type IPv4Address, TCPClientEndpoint, TLSError } from 'couplet'
import { NodeReactor } from 'couplet/node'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ca, pem, server as certificate } from './certificates.ts'

const Get = amp.command('Get', {
  arguments: { number: amp.Integer({ as: 'number' }) },
  response: { number: amp.Integer({ as: 'number' }), bytes: amp.String() },
})

const reactor = new NodeReactor()

/** A client of a server that answers with so many bytes. */
async function talking(size: number): Promise<amp.AMP> {
  const locator = new amp.CommandLocator()
    .respond(Get, ({ number }) => ({ number, bytes: new Uint8Array(size) }))
    .respondToStartTLS(certificate)
  const factory = Factory.forProtocol(() => new amp.AMP(locator))
  const port = await reactor.listenTCP(0, factory, { interface: '127.0.0.1' })
  onTestFinished(async () => {
    await port.stopListening({ drain: 0 })
  })
  const endpoint = new TCPClientEndpoint(reactor, '127.0.0.1', (port.host as IPv4Address).port)
  return connectProtocol(endpoint, new amp.AMP()).toPromise()
}

describe('AMP over TCP', () => {
  it.each([16, 1024, 16_384])('answers three thousand calls at once, with %d bytes each', async (size) => {
    const peer = await talking(size)
    const calls = Array.from({ length: 3000 }, (_, number) => peer.callRemote(Get, { number }))
    const answers = await Promise.all(calls)
    expect(answers.every(({ number, bytes }, index) => number === index && bytes.length === size)).toBe(true)
    peer.transport.loseConnection()
  })

  it('goes on with TLS while calls are under way', async () => {
    const peer = await talking(1000)
    const before = Array.from({ length: 1000 }, (_, number) => peer.callRemote(Get, { number }))
    const secured = peer.startTLS({ ca, serverName: 'poems.example' })
    const after = Array.from({ length: 1000 }, (_, number) => peer.callRemote(Get, { number }))
    await secured
    expect(peer.transport.tls?.verified).toBe(true)
    const answers = await Promise.all([...before, ...after])
    expect(answers.map(({ number }) => number)).toEqual([...before.keys(), ...after.keys()])
    peer.transport.loseConnection()
  })

  it('ends where the certificate is not the right one, and nothing more was said', async () => {
    const peer = await talking(1000)
    const secured = peer.startTLS({ ca: pem('stranger.pem'), serverName: 'poems.example' }).toPromise()
    const after = peer.callRemote(Get, { number: 1 }).toPromise()
    await expect(secured).rejects.toThrow(TLSError)
    await expect(after).rejects.toMatchObject({ cause: expect.any(TLSError) as unknown })
  })
})
