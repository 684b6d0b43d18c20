/**
 * A few places for many who come at once: no more are let in than there are, who only listens keeps a place for as long as
 * something is said, and one on whose line it has become quiet has to leave.
 */
import {
  type ConnectionClosed,
  Factory,
  IdleTimeout,
  idleTimeout,
  limitConnections,
  Protocol,
  TCPClientEndpoint,
  withPolicies,
} from 'couplet'
import type { System } from './poetry-system.ts'

interface Guest {
  readonly at: number
  /** How many words are said to them, one every two seconds. */
  readonly words: number
}

const places = 2
const idle = 3000
const pause = 2000

export const idlers: System<Guest> = {
  options: {
    seeds: 150,
    // Not what makes the server late.
    faults: ['partition', 'hold', 'slow', 'reset', 'cut', 'name'],
    operations: (random) =>
      Array.from({ length: random.between(1, 6) }, () => ({ at: random.below(5) * 1000, words: random.below(6) })),
  },
  stage(sim, guests) {
    const wrong: string[] = []
    let inside = 0
    sim.host('server').run((reactor) => {
      let next = 0
      const made = (): number => {
        if (++inside > places) wrong.push(`${inside} are inside`)
        return guests[next++ % guests.length]!.words
      }
      const lost = (reason: ConnectionClosed, quiet: number): void => {
        inside--
        if (reason.cause instanceof IdleTimeout && Math.round(quiet) < idle)
          wrong.push(`it was quiet for ${quiet} ms only`)
      }
      class Speaking extends Protocol {
        #spoke = 0
        override connectionMade(): void {
          this.#spoke = reactor.now()
          this.#speak(made())
        }
        #speak(words: number): void {
          if (this.transport.disconnecting || words === 0) return
          this.#spoke = reactor.now()
          this.transport.write('word ')
          reactor.callLater(pause, () => this.#speak(words - 1))
        }
        override connectionLost(reason: ConnectionClosed): void {
          lost(reason, reactor.now() - this.#spoke)
        }
      }
      const factory = Factory.forProtocol(() => new Speaking())
      reactor.listenTCP(80, withPolicies(factory, limitConnections(places), idleTimeout(reactor, idle)))
    })
    const { reactor } = sim.host('guests')
    const endpoint = new TCPClientEndpoint(reactor, 'server', 80)
    const factory = Factory.forProtocol(() => new (class extends Protocol {})())
    for (const { at } of guests) sim.after(at, () => void endpoint.connect(factory).addErrback(() => {}))
    // The time that a connection gets to be made, six words, and the time that it gets to end, whatever the network does.
    sim.after(100_000, () => {
      if (inside > 0) wrong.push(`${inside} are still inside`)
    })
    sim.invariant('places are kept, and given up', () => wrong[0])
    sim.eventually('nobody is connected', () => sim.connections === 0, 3_600_000)
  },
}
