/**
 * Three slow poets, whom the programs of the ladder talk to: they say a line, are silent for a while, say the next.
 *
 * Look at how they sound: run this, and listen to one of them with `nc 127.0.0.1 PORT`. They cost nearly no time and
 * no memory; what takes long is the silence. Try: three `nc` at once, to the same poet. Try: poets who take their
 * time: `npm run example -- ladder/00-poets 1` (seconds of silence before each line; most programs of the ladder take
 * that).
 */
import { IPv4Address, type ListeningPort, type Reactor, toBytes } from 'couplet'
import { react } from 'couplet/node'
import { builtInPoems, type Poem, PoetryFactory } from 'couplet/poetry'

/** Starts them in this process, each on a free port of 127.0.0.1. @returns the ports */
export async function startPoets(reactor: Reactor, seconds: string): Promise<[number, number, number]> {
  const listen = ({ text }: Poem) => {
    const poet = new PoetryFactory(reactor, toBytes(text), { delay: Number(seconds) * 1000 })
    return reactor.listenTCP(0, poet, { interface: '127.0.0.1' }).addCallback(numberOf)
  }
  const [one, two, three] = builtInPoems
  return [await listen(one), await listen(two), await listen(three)]
}

/** Nobody listens here: a poet had this port, who has left. */
export async function noPoet(reactor: Reactor): Promise<number> {
  const port = await reactor.listenTCP(0, new PoetryFactory(reactor, toBytes('')), { interface: '127.0.0.1' })
  await port.stopListening()
  return numberOf(port)
}

/** The number of a TCP port. */
export function numberOf({ host }: ListeningPort): number {
  if (host instanceof IPv4Address) return host.port
  throw new TypeError(`${host} is no TCP port of IPv4`)
}

export async function main(reactor: Reactor, seconds = '0.25') {
  const ports = await startPoets(reactor, seconds)
  for (const [index, { title, author }] of builtInPoems.entries()) {
    console.log(`nc 127.0.0.1 ${ports[index]}   # ${author}: ${title}`)
  }
  await reactor.whenStopped()
}

if (process.argv[1] === import.meta.filename) react(main)
