/** docs/amp.md: each of its blocks is a file here, runs, and prints what it says. */
import { join } from 'node:path'
import { amp, connectProtocol, type IPv4Address, TCPClientEndpoint } from 'couplet'
import { NodeReactor } from 'couplet/node'
import { ca, server } from '../node/certificates.ts'
import { callSecretly, secretly } from './amp/secret.ts'
import { itsBlocksRun, pageNamed } from './page.ts'

/** What stands in secret.ts, over a connection. */
async function askInSecret(): Promise<void> {
  const reactor = new NodeReactor()
  const port = await reactor.listenTCP(0, secretly(server), { interface: '127.0.0.1' })
  const endpoint = new TCPClientEndpoint(reactor, '127.0.0.1', (port.host as IPv4Address).port)
  const peer = await connectProtocol(endpoint, new amp.AMP())
  await callSecretly(peer, ca)
  peer.transport.loseConnection()
  await port.stopListening()
}

itsBlocksRun(pageNamed('amp'), join(import.meta.dirname, 'amp'), (name) =>
  name === 'secret' ? askInSecret() : import(`./amp/${name}.ts`),
)
