/**
 * Services are the parts of a program, started one after another and stopped in reverse.
 *
 * Look at the order. The library needs its poems before anybody may come in: its start takes as long as the poets do,
 * and the door opens after that. Then press Ctrl-C: the door closes first; nobody has written a signal handler. Each
 * part only knows how to start and stop itself; `MultiService` knows the order, and waits. Try: `nc 127.0.0.1 PORT`.
 * Try: Ctrl-C while the library collects. Try: a poet who is not there (`await noPoet(reactor)`): all is undone, and
 * the exit code is 1.
 */
import { EndpointService, Factory, gatherResults, MultiService, type Reactor, runService, Service } from 'couplet'
import { TCPClientEndpoint, TCPServerEndpoint, toBytes } from 'couplet'
import { react } from 'couplet/node'
import { getPoetry, PoetryProtocol } from 'couplet/poetry'
import { startPoets } from './00-poets.ts'

class Library extends Service {
  readonly #poets: readonly TCPClientEndpoint[]
  poems: readonly string[] = []

  constructor(poets: readonly TCPClientEndpoint[]) {
    super()
    this.#poets = poets
  }
  protected override starting() {
    console.log('library: collects poems')
    return gatherResults(this.#poets.map((poet) => getPoetry(poet))).addCallback((poems) => {
      console.log(`library: is open, with ${poems.length} poems`)
      this.poems = poems
    })
  }
  protected override stopping() {
    console.log('library: is closed')
  }
}

class Door extends EndpointService {
  protected override starting() {
    return super.starting().addCallback(() => console.log(`door: open at ${this.port?.host} (Ctrl-C closes it)`))
  }
  protected override stopping() {
    console.log('door: is closed')
    return super.stopping()
  }
}

export async function main(reactor: Reactor, seconds = '0.25') {
  const ports = await startPoets(reactor, seconds)
  const library = new Library(ports.map((port) => new TCPClientEndpoint(reactor, '127.0.0.1', port)))
  const reciters = Factory.forProtocol(() => new PoetryProtocol(reactor, toBytes(library.poems.join('')), { delay: 0 }))
  const place = new TCPServerEndpoint(reactor, 0, { interface: '127.0.0.1' })

  const program = new MultiService()
  program.addService(library)
  program.addService(new Door(place, reciters))
  await runService(reactor, program)
}

if (process.argv[1] === import.meta.filename) react(main)
