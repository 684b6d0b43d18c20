/**
 * A server has the same two classes, the other way round: the factory makes a protocol for whoever comes in.
 *
 * Look at what the reader has to do to be told the end: nothing; the connection's end is the poem's. `loseConnection`
 * delivers first what was written. Look at what the factory is for: each visitor hears another poem, and that is not
 * the protocol's business. The program visits itself twice, and then waits for you: `nc 127.0.0.1 PORT`; Ctrl-C ends
 * it. Try: say the visitor's address in front of the poem. Try: another place,
 * `npm run example -- ladder/11-server tcp:9000`.
 */
import { type Address, Factory, Protocol, type Reactor, serverFromString, TCPClientEndpoint } from 'couplet'
import { react } from 'couplet/node'
import { builtInPoems, getPoetry } from 'couplet/poetry'
import { numberOf } from './00-poets.ts'

class FastPoet extends Protocol {
  readonly #poem: string

  constructor(poem: string) {
    super()
    this.#poem = poem
  }

  override connectionMade() {
    this.transport.write(this.#poem)
    this.transport.loseConnection()
  }

  override connectionLost(reason: Error) {
    console.log(`server: ${this.transport.peer} has left (${reason.name})`)
  }
}

class FastPoetry extends Factory<FastPoet> {
  #visitors = 0

  override buildProtocol(peer: Address) {
    const { title, text } = builtInPoems[this.#visitors++ % builtInPoems.length]!
    console.log(`server: ${peer} comes in and hears ${title}`)
    return new FastPoet(text)
  }
}

export async function main(reactor: Reactor, endpoint = 'tcp:0:interface=127.0.0.1') {
  const port = await serverFromString(reactor, endpoint).listen(new FastPoetry())
  for (const visitor of ['one', 'two']) {
    const poem = await getPoetry(new TCPClientEndpoint(reactor, '127.0.0.1', numberOf(port)))
    console.log(`visitor ${visitor}: ${poem.split('\n')[0]} …`)
  }
  console.log(`now you: nc 127.0.0.1 ${numberOf(port)} (Ctrl-C ends the server)`)
  await reactor.whenStopped()
}

if (process.argv[1] === import.meta.filename) react(main)
