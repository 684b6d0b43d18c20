/**
 * A room in which everybody hears what anybody says: many connections written to in one turn, a word here, a word there,
 * so that what is gathered for one must never leave for another.
 */
import {
  type ConnectionClosed,
  ConnectionDone,
  Factory,
  LineReceiver,
  TCPClientEndpoint,
  toText,
  withPolicies,
} from 'couplet'
import { nothingThatHangsUp, type System } from './poetry-system.ts'
import { Watch } from './watch.ts'

/** Somebody comes, says so many lines, one every second, and leaves. */
interface Guest {
  readonly at: number
  readonly says: number
}

/** Says everything to everybody, in two pieces. */
class Seat extends LineReceiver {
  readonly #room: Set<Seat>

  constructor(room: Set<Seat>) {
    super()
    this.#room = room
  }

  override connectionMade(): void {
    this.#room.add(this)
  }

  override lineReceived(line: Uint8Array): void {
    const middle = line.length >> 1
    // Backwards as well, so that nobody is always the last one written to.
    const seats = [...this.#room]
    for (const { transport } of seats) transport.write(line.slice(0, middle))
    for (const { transport } of seats.reverse()) transport.write(line.slice(middle))
    for (const { transport } of seats) transport.write('\r\n')
  }

  override connectionLost(): void {
    this.#room.delete(this)
  }
}

/** Hears what is said, and that it was said. */
class Guesting extends LineReceiver {
  readonly #heard: (line: string) => void
  readonly #left: (reason: ConnectionClosed) => void
  readonly #made: (self: Guesting) => void

  constructor(made: (self: Guesting) => void, heard: (line: string) => void, left: (reason: ConnectionClosed) => void) {
    super()
    this.#made = made
    this.#heard = heard
    this.#left = left
  }

  override connectionMade(): void {
    this.#made(this)
  }

  override lineReceived(line: Uint8Array): void {
    this.#heard(toText(line))
  }

  override connectionLost(reason: ConnectionClosed): void {
    this.#left(reason)
  }
}

export const chat: System<Guest> = {
  options: {
    seeds: 200,
    faults: nothingThatHangsUp,
    operations: (random) =>
      Array.from({ length: random.between(2, 5) }, () => ({ at: random.below(5) * 1000, says: random.between(1, 8) })),
  },
  stage(sim, guests) {
    const watch = new Watch()
    const wrong: string[] = []
    let open = guests.length
    sim.host('room').run((reactor) => {
      const room = new Set<Seat>()
      const factory = Factory.forProtocol(() => new Seat(room))
      reactor.listenTCP(6667, withPolicies(factory, watch.server)).addErrback(() => {})
    })
    for (const [number, { at, says }] of guests.entries()) {
      const { reactor } = sim.host(`guest ${number}`)
      const endpoint = new TCPClientEndpoint(reactor, 'room', 6667)
      /** The last line that was heard of each. */
      const last = new Map<number, number>()
      const heard = (line: string): void => {
        const [, who, what] = /^guest (\d+) says (\d+)$/.exec(line) ?? []
        if (who === undefined || Number(what) <= (last.get(Number(who)) ?? -1)) wrong.push(`"${line}" was heard`)
        last.set(Number(who), Number(what))
      }
      const made = (self: Guesting): void => {
        for (let what = 0; what < says; what++) {
          reactor.callLater(1000 * (what + 1), () => self.sendLine(`guest ${number} says ${what}`))
        }
        reactor.callLater(1000 * (says + 1), () => self.transport.loseWriteConnection())
      }
      const left = (reason: ConnectionClosed): void => {
        open--
        if (reason instanceof ConnectionDone && last.get(number) !== says - 1)
          wrong.push(`guest ${number} did not hear what it said last`)
      }
      const factory = Factory.forProtocol(() => new Guesting(made, heard, left))
      const come = (): void => {
        endpoint.connect(withPolicies(factory, watch.client)).addErrback(() => void reactor.callLater(1000, come))
      }
      reactor.callLater(at, come)
    }
    sim.invariant('hooks come in order, and bytes as they were sent', watch.isSilent)
    sim.invariant('everybody hears what was said, in order', () => wrong[0])
    sim.eventually('everybody has left', () => open === 0, 3_600_000)
    sim.eventually('nobody is connected', () => sim.connections === 0, 3_600_000)
  },
}
