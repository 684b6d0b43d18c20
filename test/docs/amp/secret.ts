import { amp, Factory, type TLSServerOptions } from 'couplet'

const Ping = amp.command('Ping')

export function secretly(certificate: TLSServerOptions) {
  const locator = new amp.CommandLocator().respondToStartTLS(certificate).respond(Ping, () => {})
  return Factory.forProtocol(() => new amp.AMP(locator))
}

export async function callSecretly(peer: amp.AMP, ca: string) {
  const secured = peer.startTLS({ ca, serverName: 'poems.example' })
  const pong = peer.callRemote(Ping) // waits, and leaves encrypted
  await secured
  console.log(peer.transport.tls?.verified) // → true
  await pong
}
