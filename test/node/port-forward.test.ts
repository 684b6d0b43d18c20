/** Port forwarding over real sockets: resets, and TLS on both sides with all that can be wrong with it. */
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { connect as connectTLS, createServer as createTLSServer, type TLSSocket } from 'node:tls'
import {
  type ClientEndpoint,
  type IPv4Address,
  portForward,
  TCPClientEndpoint,
  TCPServerEndpoint,
  TLSError,
} from 'couplet'
import { NodeReactor } from 'couplet/node'
import { expect, it, onTestFinished } from 'vitest'
import { reportsOfEachTest } from '../reports.ts'
import { ca, client as trusting, identity, server as identified } from './certificates.ts'
import { addressOf, listening } from './loopback.ts'

const reports = reportsOfEachTest()
const reactor = new NodeReactor()

/** A forwarder whose port the end of the test closes. @returns the port's number, and the factory */
async function forwarder(endpoint: ClientEndpoint, tls?: typeof identified) {
  const factory = new portForward.ProxyFactory(endpoint)
  const options = { interface: '127.0.0.1', ...(tls && { tls }) }
  const port = await new TCPServerEndpoint(reactor, 0, options).listen(factory)
  onTestFinished(async () => {
    await port.stopListening({ drain: 0 })
    await factory.whenIdle()
  })
  return { factory, port: (port.host as IPv4Address).port }
}

/** A server in TLS, and the sockets that come to it. */
async function secretServer(name = 'server') {
  const sockets: TLSSocket[] = []
  const server = await listening(createTLSServer(identity(name), (socket) => sockets.push(socket)))
  const { port } = addressOf(server)
  return { server, sockets, endpoint: new TCPClientEndpoint(reactor, '127.0.0.1', port, { tls: trusting }) }
}

/** How a socket ended: by an error, or cleanly. */
async function endOf(socket: Socket): Promise<string | undefined> {
  let code: string | undefined
  socket.on('error', (error: NodeJS.ErrnoException) => (code = error.code))
  socket.resume()
  await new Promise((resolve) => socket.once('close', resolve))
  return code
}

it.each(['client', 'server'])('a reset by the %s is a reset for the other one', async (who) => {
  const server = await listening(createServer())
  const { port } = await forwarder(new TCPClientEndpoint(reactor, '127.0.0.1', addressOf(server).port))
  const near = connect(port, '127.0.0.1')
  const [far] = (await once(server, 'connection')) as [Socket]
  far.write('hello')
  await once(near, 'data')
  const [resets, other] = who === 'client' ? [near, far] : [far, near]
  resets.resetAndDestroy()
  expect(await endOf(other)).toBe('ECONNRESET')
  expect(reports).toEqual([])
})

it('what is cut on the way is not taken for complete at the other end', async () => {
  const { server, sockets, endpoint } = await secretServer()
  const { port, factory } = await forwarder(endpoint, identified)
  const raw = connect(port, '127.0.0.1')
  const client = connectTLS({ socket: raw, ca, servername: 'poems.example' }).on('error', () => undefined)
  onTestFinished(() => void raw.destroy())
  await once(server, 'secureConnection')
  const [far] = sockets as [TLSSocket]
  client.write('half a sen')
  await once(far, 'data')
  // The FIN of TCP, without the goodbye of TLS: whoever is in between can do that.
  raw.end()
  expect(await endOf(far)).toBe('ECONNRESET')
  await factory.whenIdle()
})

it('a server that is not to be trusted is nobody to forward to', async () => {
  const { endpoint, sockets } = await secretServer('self-signed')
  const { port } = await forwarder(endpoint)
  const client = connect(port, '127.0.0.1')
  client.write('my password')
  expect(await endOf(client)).toBe('ECONNRESET')
  expect(reports.map(({ error }) => error)).toEqual([expect.any(TLSError)])
  expect(sockets).toEqual([])
})
