/**
 * Errors take the lower of the two rails of a chain, until an errback brings them back to the upper one.
 *
 * Look at who is called for which poem. A callback is for poems; it is skipped when there is none. An errback is for
 * failures: `trap` lets those go on that it does not know, and what it returns is what the next callback gets. The
 * last poem is whole, but its callback has a bug: that goes to the errbacks below it, never to those above, never to
 * the poet. Try: put the last errback first. Try: see such chains drawn, by `npm run get-poetry -- --chain 10000 9`
 * beside `npm run slowpoetry`.
 */
import { ConnectError, Factory, type Failure, Protocol, type Reactor, TCPClientEndpoint } from 'couplet'
import { react } from 'couplet/node'
import { getPoetry, PoemCutOff } from 'couplet/poetry'
import { noPoet, numberOf, startPoets } from './00-poets.ts'

/** A poet who is interrupted, in the middle of a line. */
class Coleridge extends Protocol {
  override connectionMade() {
    this.transport.write('In Xanadu did Kubla Khan\nA stately')
  }
  fromPorlock() {
    this.transport.abortConnection()
  }
}

const nameOf = ({ value }: Failure) => (value instanceof Error ? value.name : String(value))

export async function main(reactor: Reactor, seconds = '0.25') {
  const [one, , three] = await startPoets(reactor, seconds)
  const interrupted = Factory.forProtocol(() => {
    const poet = new Coleridge()
    reactor.callLater(Number(seconds) * 1000, () => poet.fromPorlock())
    return poet
  })
  const porlock = await reactor.listenTCP(0, interrupted, { interface: '127.0.0.1' })
  const ports = { whole: one, absent: await noPoet(reactor), broken: numberOf(porlock), misread: three }

  for (const [name, port] of Object.entries(ports)) {
    console.log(`${name}:`)
    await getPoetry(new TCPClientEndpoint(reactor, '127.0.0.1', port))
      .addCallback((poem) => {
        console.log(`  callback: ${poem.length} characters`)
        return name === 'misread' ? (JSON.parse(poem) as string) : poem
      })
      .addErrback((failure) => {
        console.log(`  errback for poets who are not there: ${nameOf(failure)}`)
        failure.trap(ConnectError)
        return 'a blank page'
      })
      .addErrback((failure) => {
        console.log(`  errback for poems that are cut off: ${nameOf(failure)}`)
        failure.trap(PoemCutOff)
        return 'a fragment'
      })
      .addCallback((poem) => console.log(`  callback: prints ${poem.split('\n')[0]}`))
      .addErrback((failure) => console.log(`  errback for all the rest: ${nameOf(failure)}`))
  }
}

if (process.argv[1] === import.meta.filename) react(main)
