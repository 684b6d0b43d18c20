/**
 * A client that does not give up, and the proof: its server is down for ten minutes, which take a few milliseconds here.
 *
 * Look at `lookout`: it is the whole client, and would run over sockets as it is. Around it is a simulated world: two
 * hosts, a crash, and what must be true. Try: `retryPolicy: () => 5000` as the last argument of ClientService, and see
 * how often the client asks then.
 */
import { clientFromString, ClientService, Factory, LineReceiver, type Reactor, toText } from 'couplet'
import { Sim } from 'couplet/sim'

const tenMinutes = 600_000

class Lighthouse extends LineReceiver {
  override connectionMade(): void {
    this.sendLine('all is well')
  }
  override lineReceived(): void {}
}

class Lookout extends LineReceiver {
  readonly #heard: (line: string) => void
  constructor(heard: (line: string) => void) {
    super()
    this.#heard = heard
  }
  override lineReceived(line: Uint8Array): void {
    this.#heard(toText(line))
  }
}

function lookout(reactor: Reactor, heard: (line: string) => void): ClientService<Lookout> {
  const lighthouse = clientFromString(reactor, 'tcp:lighthouse:2000')
  const service = new ClientService(
    reactor,
    lighthouse,
    Factory.forProtocol(() => new Lookout(heard)),
  )
  service.startService()
  return service
}

/** @returns what happened, a line each */
export function tenMinutesDown(seed: number): string[] {
  const sim = new Sim({ latency: 20, seed })
  const lighthouse = sim.host('lighthouse')
  const ship = sim.host('ship')
  const story: string[] = []
  const say = (what: string): void => void story.push(`${(sim.now / 1000).toFixed(3).padStart(8)} s  ${what}`)

  lighthouse.run((reactor) => {
    say('the lighthouse is there')
    reactor.listenTCP(
      2000,
      Factory.forProtocol(() => new Lighthouse()),
    )
  })
  const service = lookout(ship.reactor, (line) => say(`the ship hears: ${line}`))

  let attempts = 0
  sim.rule(({ kind, from, to }) => {
    if (kind === 'connect' && from === 'ship' && to === 'lighthouse' && lighthouse.crashed) attempts++
    return undefined
  })
  sim.invariant('never two connections', () => (sim.connections > 1 ? `there are ${sim.connections}` : undefined))

  sim.faults([{ at: 10_000, kind: 'crash', host: 'lighthouse', how: 'process', for: tenMinutes }])
  sim.advance(10_000)
  say('the lighthouse is gone')
  sim.advance(tenMinutes)
  say(`the ship has asked ${attempts} times`)
  // The longest wait between two attempts is a minute.
  sim.advance(60_000)

  service.stopService()
  sim.eventually('the ship is away', () => sim.connections === 0)
  sim.quiesce()
  say('nothing is left to happen')
  return story
}

if (process.argv[1] === import.meta.filename) {
  const start = performance.now()
  const story = tenMinutesDown(Number(process.argv[2] ?? 1))
  const took = performance.now() - start
  console.log(story.join('\n'))
  console.log(`that took ${took.toFixed(1)} ms`)
}
