import { amp, type ClientEndpoint, connectProtocol } from 'couplet'
import { Line } from './line.ts'

export async function ask(endpoint: ClientEndpoint, poem: string, number: number) {
  const peer = await connectProtocol(endpoint, new amp.AMP())
  try {
    return (await peer.callRemote(Line, { poem, number })).text ?? 'the poem is over'
  } finally {
    peer.transport.loseConnection()
  }
}
