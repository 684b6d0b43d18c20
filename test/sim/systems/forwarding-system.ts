/**
 * A port forward under faults: what comes out is a beginning of what went in, and all of it where the end is clean; and
 * between one who speaks fast and one who listens slowly, little is kept.
 */
import {
  type ClientEndpoint,
  type Clock,
  type ConnectionClosed,
  ConnectionDone,
  equal,
  Factory,
  portForward,
  Protocol,
  TCPClientEndpoint,
  withPolicies,
} from 'couplet'
import type { Knobs, Sim, SimHost } from 'couplet/sim'
import { pattern } from 'couplet/testing'
import { nothingThatHangsUp, type System } from './poetry-system.ts'
import { Watch } from './watch.ts'

/** What one side of a conversation does. */
interface Part {
  /** So many bytes it says, before it ends its side. */
  readonly length: number
  /** So many milliseconds it rests after each chunk that it has heard. */
  readonly rest: number
  /** After so many milliseconds it breaks off, if it has not ended by then. */
  readonly breaksOff?: number | undefined
}

/** Says the pattern, and looks whether it hears the pattern. */
class Speaker extends Protocol {
  received = 0
  readonly #part: Part
  readonly #clock: Clock
  readonly #wrong: (what: string) => void
  readonly #lost: (reason: ConnectionClosed, received: number) => void

  constructor(
    part: Part,
    clock: Clock,
    wrong: (what: string) => void,
    lost: (reason: ConnectionClosed, received: number) => void = () => {},
  ) {
    super()
    this.#part = part
    this.#clock = clock
    this.#wrong = wrong
    this.#lost = lost
  }

  override connectionMade(): void {
    const { length, breaksOff } = this.#part
    if (breaksOff !== undefined) this.#clock.callLater(breaksOff, () => this.transport.abortConnection())
    for (let from = 0; from < length; from += 1000) this.transport.write(pattern(Math.min(1000, length - from), from))
    this.transport.loseWriteConnection()
  }

  override dataReceived(chunk: Uint8Array): void {
    if (!equal(chunk, pattern(chunk.length, this.received)))
      this.#wrong(`bytes from ${this.received} on are not those that were said`)
    this.received += chunk.length
    const { rest } = this.#part
    if (rest === 0) return
    this.transport.pauseProducing()
    this.#clock.callLater(rest, () => this.transport.resumeProducing())
  }

  override readConnectionLost(): void {
    this.transport.loseConnection()
  }

  override connectionLost(reason: ConnectionClosed): void {
    this.#lost(reason, this.received)
  }
}

/** Two who each speak before they listen would wait for each other. */
const bothSpeakAtLength = { readWhileFull: true }

/** By the byte it would take too long. */
export function forMuch(drawn: Knobs): Knobs {
  const { delivery: _delivery, sendBuffer = 65_536, receiveBuffer = 65_536, ...others } = goodEnough(drawn)
  return { ...others, sendBuffer: Math.max(sendBuffer, 16_384), receiveBuffer: Math.max(receiveBuffer, 16_384) }
}

interface Errand extends Part {
  readonly at: number
}

/** Who waits to close gives a link 5 s on which nothing moves. */
function goodEnough({ segmentSize: _segmentSize, latency = 0, bandwidth = 1e6, ...drawn }: Knobs): Knobs {
  return { ...drawn, latency: Math.min(latency, 100), bandwidth: Math.max(bandwidth, 50_000) }
}

/** Clients on errands to a server behind a forwarder, each again and again until it has heard everything. */
function forwarding(sim: Sim, errands: readonly Errand[], answer: Part): SimHost {
  const watch = new Watch()
  const wrong: string[] = []
  const complain = (what: string): void => void wrong.push(what)
  const moods = sim.random('moods')
  sim.host('server').run((reactor) => {
    const speakers = Factory.forProtocol(() => {
      const breaksOff = moods.chance(1, 5) ? moods.pick([0, 10, 100, 1000]) : undefined
      return new Speaker({ ...answer, breaksOff }, reactor, complain)
    })
    reactor.listenTCP(80, withPolicies(speakers, watch.server), bothSpeakAtLength)
  })
  const forwarder = sim.host('forwarder')
  forwarder.run((reactor) => {
    const server = new TCPClientEndpoint(reactor, 'server', 80)
    const watched: ClientEndpoint = { connect: (factory) => server.connect(withPolicies(factory, watch.client)) }
    reactor.listenTCP(8000, withPolicies(new portForward.ProxyFactory(watched), watch.server))
  })
  const { reactor } = sim.host('client')
  const endpoint = new TCPClientEndpoint(reactor, 'forwarder', 8000, bothSpeakAtLength)
  let open = errands.length
  for (const { at, ...part } of errands) {
    const again = (): void => void reactor.callLater(1000, go)
    const go = (): void => {
      const lost = (reason: ConnectionClosed, received: number): void => {
        if (received > answer.length) complain(`${received} bytes of ${answer.length} were heard`)
        if (!(reason instanceof ConnectionDone)) again()
        else if (received === answer.length) open--
        else complain(`a clean end after ${received} of ${answer.length} bytes`)
      }
      const factory = Factory.forProtocol(() => new Speaker(part, reactor, complain, lost))
      endpoint.connect(withPolicies(factory, watch.client)).addErrback(again)
    }
    reactor.callLater(at, go)
  }
  sim.invariant('hooks come in order, and bytes as they were sent', watch.isSilent)
  sim.invariant('what comes out is what went in', () => wrong[0])
  sim.eventually('everybody has heard everything', () => open === 0, 3_600_000)
  sim.eventually('nobody is connected', () => sim.connections === 0, 3_600_000)
  return forwarder
}

/** Clients talk to a server through a port forward; both hear a beginning, and all of it where the end is clean. */
export const forward: System<Errand> = {
  options: {
    seeds: 150,
    faults: nothingThatHangsUp,
    // A forwarder reports whom it could not connect.
    reports: 'allowed',
    operations: (random) =>
      Array.from({ length: random.between(1, 5) }, () => ({
        at: random.below(20_000),
        length: random.below(3000),
        rest: 0,
      })),
    knobs: goodEnough,
  },
  stage: (sim, errands) => void forwarding(sim, errands, { length: 2000, rest: 0 }),
}

/**
 * What a forwarder may keep of one direction: 64 KiB, the chunk that made it more, another one that comes when who cannot
 * take it has ended its own side, and a kernel's buffer.
 */
const mostKept = 4 * 65_536

/** The same at length, and both listen slowly: whoever speaks is held back, for the forwarder keeps nothing. */
export const heldBack: System<Errand> = {
  options: {
    seeds: 50,
    faults: nothingThatHangsUp,
    reports: 'allowed',
    operations: (random) =>
      Array.from({ length: random.between(1, 2) }, () => ({
        at: random.below(20_000),
        length: random.chance(1, 4) ? random.below(400_000) : random.below(3000),
        rest: random.pick([0, 100, 500]),
      })),
    knobs: forMuch,
  },
  stage(sim, errands) {
    const forwarder = forwarding(sim, errands, { length: 400_000, rest: 200 })
    sim.invariant('a forwarder keeps little', () => {
      const most = Math.max(0, ...forwarder.netstat().map(({ unsent }) => unsent))
      return most > mostKept ? `it keeps ${most} bytes` : undefined
    })
  },
}
